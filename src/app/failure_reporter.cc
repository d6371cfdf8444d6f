#include "app/failure_reporter.h"

#include "report/arf.h"

#include <boost/asio/co_spawn.hpp>
#include <fmt/format.h>

namespace thurn::app {

namespace asio = net::asio;

namespace {

using mailauth::DmarcFailure;
using mailauth::ReportConsent;

constexpr std::size_t kAtOnce = 64;

std::string explanation(const DmarcFailure& failure) {
    const auto& report = failure.report;
    return fmt::format(
        "This is an authentication failure report for a message that names {} as its\r\nauthor and came from {} on {}.\r\n"
        "The DMARC record of {} asks for such reports (ruf=, fo=). Only the header\r\nof the message is below.\r\n",
        failure.author_domain, report.source_ip, report.arrival_date, failure.policy_domain);
}

}  // namespace

FailureReporter::FailureReporter(Options options, ReportMailer& mailer, base::Log& log, const base::Clock& clock,
                                 asio::any_io_executor home)
    : options_(std::move(options)), mailer_(mailer), log_(log), clock_(clock), home_(std::move(home)), quota_(options_.quota) {}

void FailureReporter::add(DmarcFailure failure) {
    if (under_way_.fetch_add(1) >= kAtOnce) {
        --under_way_;
        log_.warning("failure_report", {{"domain", failure.author_domain}, {"result", "not sent: too many at once"}});
        return;
    }
    asio::co_spawn(home_, async_report(std::move(failure)), [this](const std::exception_ptr& trouble) {
        --under_way_;
        if (trouble) log_.error("failure_report_failed", {{"reason", "an exception"}});
    });
}

asio::awaitable<void> FailureReporter::async_report(DmarcFailure failure) {
    failure.report.incidents = quota_.count(failure, clock_.now());
    if (failure.report.incidents == 0) co_return;
    for (const auto& destination : failure.destinations) {
        const auto told = co_await async_report_to(failure, destination);
        const auto to = mail::render_mailbox(destination);
        if (told)
            log_.info("failure_report", {{"domain", failure.author_domain}, {"to", to}, {"result", *told}});
        else
            log_.error("failure_report_failed", {{"domain", failure.author_domain}, {"to", to}, {"reason", told.error().detail}});
    }
}

/// The spool's id, or why it was not sent.
asio::awaitable<base::Result<std::string>> FailureReporter::async_report_to(const DmarcFailure& failure, mail::Mailbox destination) {
    const auto consent = co_await mailer_.async_ask_consent(failure.policy_domain, destination.domain.text(), options_.suffixes.get(),
                                                            mailauth::ReportKind::failure);
    if (consent.kind == ReportConsent::Kind::unknown || consent.kind == ReportConsent::Kind::refused)
        co_return "not sent: " + consent.reason;
    const auto to = consent.instead.empty() ? destination : consent.instead.front();
    const auto id = mailer_.next_id();
    auto message = render(failure, to, id);
    auto fields = mailer_.sign(message);
    auto sent = co_await mailer_.async_send(id, std::move(fields) + message, to, "failure-report");
    if (!sent) co_return base::pass_on(sent);
    co_return id.text();
}

std::string FailureReporter::render(const DmarcFailure& failure, const mail::Mailbox& to, base::MessageId id) const {
    return report::render_feedback_mail({.report = failure.report,
                                         .from = mail::render_mailbox(options_.from),
                                         .to = mail::render_mailbox(to),
                                         .subject = "DMARC failure report for " + failure.author_domain,
                                         .message_id = id.text() + "@" + options_.hostname,
                                         .now = clock_.now(),
                                         .explanation = explanation(failure),
                                         .original_header = failure.header});
}

}  // namespace thurn::app
