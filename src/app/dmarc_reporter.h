#pragma once

#include "app/report_mailer.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/message_id.h"
#include "mail/mailbox.h"
#include "net/loops.h"
#include "storage/dmarc_tally_store.h"

#include <map>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

namespace thurn::app {

struct DmarcReporterOptions {
    std::string hostname;      // in ids
    std::string organization;  // as whom reports introduce us
    mail::Mailbox from;
    std::size_t per_hour = 100;
    std::shared_ptr<const mailauth::PublicSuffixList> suffixes{};  // given: DMARC as RFC 7489 had it
    std::chrono::milliseconds flush_every{10'000};
    std::chrono::milliseconds look_every{60'000};
    std::size_t largest = 10U << 20;  // octets of a mail
};

struct DmarcReporterDependencies {
    storage::DmarcTallyStore& tallies;
    base::Log& log;
    const base::Clock& clock;
    net::BlockingPool& pool;
    ReportMailer& mailer;
};

/// Writes tallies to the disk, and sends the reports that are due: each day's after the midnight that ends it, one mail for each
/// destination that consents (RFC 9990).
///
/// Contract  A destination gets a report once. A crash between storing the mail and recording that may send it twice, under the same
///           Report-ID. What DNS cannot tell is asked again in an hour, until the store forgets.
/// Threads   Lives on one executor. After stop() it begins nothing more; it must outlive the loops.
class DmarcReporter {
public:
    DmarcReporter(DmarcReporterOptions options, DmarcReporterDependencies dependencies, net::asio::any_io_executor home);
    void start();
    void stop();

private:
    template <class Value = void>
    using Awaitable = net::asio::awaitable<Value>;
    using Tally = storage::DmarcTally;
    enum class Outcome { settled, later };

    Awaitable<> async_run();
    Awaitable<> async_flush();
    Awaitable<> async_look();
    Awaitable<base::Result<Outcome>> async_report(Tally tally);
    Awaitable<base::Result<Outcome>> async_report_to(Tally tally, mail::Mailbox destination);
    Awaitable<base::Result<std::string>> async_render(Tally tally, mail::Mailbox to, base::MessageId id);
    Awaitable<base::Result<void>> async_note(Tally tally, mail::Mailbox destination, std::string what);
    [[nodiscard]] bool is_due(const Tally& tally) const;

    const DmarcReporterOptions options_;
    DmarcReporterDependencies with_;
    net::asio::any_io_executor home_;
    net::asio::steady_timer pause_;
    std::map<std::int64_t, base::Time> not_before_;  // tallies that have to wait for DNS, or for what failed
    bool stopped_ = false;
};

}  // namespace thurn::app
