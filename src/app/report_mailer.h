#pragma once

#include "base/clock.h"
#include "base/message_id.h"
#include "mail/mailbox.h"
#include "mailauth/dmarc_reporting.h"
#include "net/loops.h"
#include "net/resolver.h"
#include "spool/spool.h"
#include "trace/journal.h"

#include <functional>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>

namespace thurn::app {

/// Puts reports of ours into the queue, with a null reverse path, and finds out who may get them.
/// Threads   Any; what it works with outlives the loops.
class ReportMailer {
public:
    struct Dependencies {
        spool::Spool& spool;
        trace::Journal& journal;
        const base::Clock& clock;
        base::MessageIdSource& ids;
        net::BlockingPool& pool;
        net::Resolver& resolver;
        std::function<std::string(std::string_view message)> sign;  // fields for the top of a message; may be none
        std::function<void(spool::StoredMessage)> hand_over;        // as soon as a message is durable
    };
    explicit ReportMailer(Dependencies dependencies) : with_(std::move(dependencies)) {}

    [[nodiscard]] base::MessageId next_id() { return with_.ids.next(); }
    [[nodiscard]] std::string sign(std::string_view message) const { return with_.sign(message); }
    /// Whether reports of that kind about the domain may go to the host.
    [[nodiscard]] net::asio::awaitable<mailauth::ReportConsent> async_ask_consent(std::string domain, std::string host,
                                                                                  const mailauth::PublicSuffixList* suffixes,
                                                                                  mailauth::ReportKind kind);
    /// `as`: where it comes from, in the trace. The message is durable when this returns.
    [[nodiscard]] net::asio::awaitable<base::Result<void>> async_send(base::MessageId id, std::string message, mail::Mailbox to,
                                                                      std::string as);

private:
    Dependencies with_;
};

}  // namespace thurn::app
