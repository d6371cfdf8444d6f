#pragma once

#include "app/report_mailer.h"
#include "base/clock.h"
#include "base/log.h"
#include "mail/mailbox.h"
#include "mailauth/dmarc_failure.h"

#include <atomic>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

namespace thurn::app {

/// Sends failure reports to the domains that ask for them (RFC 9991), at once.
///
/// Limits    Those of FailureQuota, which begins anew at each start. 64 at a time; what is more, or was not sent when the process ends, is
///           left out: aggregate reports count it.
/// Threads   add() from any, all else on one executor. It must outlive the loops.
class FailureReporter : public mailauth::DmarcFailures {
public:
    struct Options {
        std::string hostname;  // in ids
        mail::Mailbox from;
        mailauth::FailureQuota::Options quota{};
        std::shared_ptr<const mailauth::PublicSuffixList> suffixes{};  // given: DMARC as RFC 7489 had it
    };
    FailureReporter(Options options, ReportMailer& mailer, base::Log& log, const base::Clock& clock, net::asio::any_io_executor home);
    void add(mailauth::DmarcFailure failure) override;

private:
    net::asio::awaitable<void> async_report(mailauth::DmarcFailure failure);
    net::asio::awaitable<base::Result<std::string>> async_report_to(const mailauth::DmarcFailure& failure, mail::Mailbox destination);
    [[nodiscard]] std::string render(const mailauth::DmarcFailure& failure, const mail::Mailbox& to, base::MessageId id) const;

    const Options options_;
    ReportMailer& mailer_;
    base::Log& log_;
    const base::Clock& clock_;
    net::asio::any_io_executor home_;
    mailauth::FailureQuota quota_;
    std::atomic<std::size_t> under_way_ = 0;
};

}  // namespace thurn::app
