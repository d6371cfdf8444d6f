#include "app/dmarc_reporter.h"

#include "report/dmarc_mail.h"

#include <algorithm>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

namespace thurn::app {

namespace asio = net::asio;

namespace {

using namespace std::chrono_literals;
using base::Result;
using mailauth::ReportConsent;

constexpr auto kTryAgain = 1h;
constexpr std::string_view kNotSent = "not sent: ";  // before the reason, where the spool's id would stand

report::DmarcDateRange range_of(std::chrono::sys_days day) {
    const auto begin = std::chrono::sys_seconds(day).time_since_epoch().count();
    return {.begin = begin, .end = begin + 86'399};
}

}  // namespace

DmarcReporter::DmarcReporter(DmarcReporterOptions options, DmarcReporterDependencies dependencies, asio::any_io_executor home)
    : options_(std::move(options)), with_(std::move(dependencies)), home_(std::move(home)), pause_(home_) {}

void DmarcReporter::start() {
    asio::co_spawn(home_, async_run(), [this](const std::exception_ptr& trouble) {
        if (trouble) with_.log.error("dmarc_reports_stopped", {{"reason", "an exception"}});
    });
}

void DmarcReporter::stop() {
    stopped_ = true;
    pause_.cancel();
}

asio::awaitable<void> DmarcReporter::async_run() {
    auto look_at = std::chrono::steady_clock::now();
    while (!stopped_) {
        co_await async_flush();
        if (!stopped_ && std::chrono::steady_clock::now() >= look_at) {
            co_await async_look();
            look_at = std::chrono::steady_clock::now() + options_.look_every;
        }
        if (stopped_) break;
        pause_.expires_after(options_.flush_every);
        co_await pause_.async_wait(asio::as_tuple(asio::use_awaitable));
    }
}

asio::awaitable<void> DmarcReporter::async_flush() {
    auto* tallies = &with_.tallies;
    const auto flushed = co_await with_.pool.async_run([tallies] { return tallies->flush(); });
    if (!flushed) with_.log.error("dmarc_tallies_not_written", {{"reason", flushed.error().detail}});
}

bool DmarcReporter::is_due(const Tally& tally) const {
    const auto now = with_.clock.now();
    const auto waits = not_before_.find(tally.id);
    return mailauth::report_due(tally.day, tally.domain) <= now && (waits == not_before_.end() || waits->second <= now);
}

asio::awaitable<void> DmarcReporter::async_look() {
    auto* store = &with_.tallies;
    const auto now = with_.clock.now();
    auto tallies = co_await with_.pool.async_run([store, now]() -> Result<std::vector<Tally>> {
        if (auto forgotten = store->forget_old(now); !forgotten) return base::pass_on(forgotten);
        return store->unfinished(std::chrono::floor<std::chrono::days>(now));
    });
    if (!tallies) {
        with_.log.error("dmarc_reports_failed", {{"reason", tallies.error().detail}});
        co_return;
    }
    std::erase_if(not_before_, [&](const auto& each) { return std::ranges::find(*tallies, each.first, &Tally::id) == tallies->end(); });
    for (const auto& tally : *tallies) {
        if (stopped_) break;
        if (!is_due(tally)) continue;
        const auto sent = co_await with_.pool.async_run([store, now] { return store->count_sent(now - 1h); });
        if (!sent || *sent >= options_.per_hour) break;  // the others' turn comes
        const auto reported = co_await async_report(tally);
        if (!reported) with_.log.error("dmarc_report_failed", {{"domain", tally.domain}, {"reason", reported.error().detail}});
        if (!reported || *reported == Outcome::later) not_before_[tally.id] = with_.clock.now() + kTryAgain;
    }
}

/// To all its destinations; settled when none of them is left to be tried.
asio::awaitable<Result<DmarcReporter::Outcome>> DmarcReporter::async_report(Tally tally) {
    auto* store = &with_.tallies;
    const auto id = tally.id;
    auto done = co_await with_.pool.async_run([store, id] { return store->destinations_done(id); });
    if (!done) co_return base::pass_on(done);
    auto outcome = Outcome::settled;
    for (const auto& destination : mailauth::find_report_destinations(tally.rua)) {
        if (std::ranges::find(*done, mail::render_mailbox(destination)) != done->end()) continue;
        auto told = co_await async_report_to(tally, destination);
        if (!told) co_return told;
        if (*told == Outcome::later) outcome = Outcome::later;
    }
    if (outcome == Outcome::later) co_return outcome;
    auto finished = co_await with_.pool.async_run([store, id] { return store->finish(id); });
    if (!finished) co_return base::pass_on(finished);
    co_return outcome;
}

asio::awaitable<Result<DmarcReporter::Outcome>> DmarcReporter::async_report_to(Tally tally, mail::Mailbox destination) {
    const auto consent = co_await with_.mailer.async_ask_consent(tally.domain, destination.domain.text(), options_.suffixes.get(),
                                                                 mailauth::ReportKind::aggregate);
    if (consent.kind == ReportConsent::Kind::unknown) co_return Outcome::later;
    std::string what;
    if (consent.kind == ReportConsent::Kind::refused) {
        what = std::string(kNotSent) + consent.reason;
    } else {
        const auto to = consent.instead.empty() ? destination : consent.instead.front();
        const auto id = with_.mailer.next_id();
        auto message = co_await async_render(tally, to, id);
        if (!message) co_return base::pass_on(message);
        if (message->size() <= options_.largest) {
            auto stored = co_await with_.mailer.async_send(id, *std::move(message), to, "dmarc-report");
            if (!stored) co_return base::pass_on(stored);
            what = id.text();
        } else {
            what = std::string(kNotSent) + "too large";
        }
    }
    with_.log.info("dmarc_report", {{"domain", tally.domain}, {"to", mail::render_mailbox(destination)}, {"result", what}});
    auto noted = co_await async_note(std::move(tally), std::move(destination), std::move(what));
    if (!noted) co_return base::pass_on(noted);
    co_return Outcome::settled;
}

asio::awaitable<Result<std::string>> DmarcReporter::async_render(Tally tally, mail::Mailbox to, base::MessageId id) {
    auto* store = &with_.tallies;
    const auto* options = &options_;
    const auto now = with_.clock.now();
    auto message = co_await with_.pool.async_run([=]() -> Result<std::string> {
        auto report = store->load(tally.id);
        if (!report) return base::pass_on(report);
        report->version = "1.0";
        report->metadata = {.org_name = options->organization,
                            .email = mail::render_mailbox(options->from),
                            .report_id = fmt::format("{:%Y%m%d}.{}@{}", tally.day, tally.id, options->hostname),
                            .date_range = range_of(tally.day),
                            .generator = "thurn"};
        if (tally.dropped > 0)
            report->metadata.errors.push_back(fmt::format("{} messages are not in this report: too many rows", tally.dropped));
        return report::render_dmarc_mail({.report = *std::move(report),
                                          .submitter = options->from.domain.text(),
                                          .unique = std::to_string(tally.id),
                                          .from = mail::render_mailbox(options->from),
                                          .to = mail::render_mailbox(to),
                                          .message_id = id.text() + "@" + options->hostname,
                                          .now = now});
    });
    if (message) *message = with_.mailer.sign(*message) + *message;
    co_return message;
}

asio::awaitable<Result<void>> DmarcReporter::async_note(Tally tally, mail::Mailbox destination, std::string what) {
    auto* store = &with_.tallies;
    const auto now = with_.clock.now();
    co_return co_await with_.pool.async_run([=] { return store->record_sent(tally, mail::render_mailbox(destination), what, now); });
}

}  // namespace thurn::app
