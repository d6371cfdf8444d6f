#include "app/report_intake.h"

#include "app/report_import.h"
#include "directory/resolve.h"

#include <algorithm>

#include <boost/asio/co_spawn.hpp>

namespace thurn::app {

namespace asio = net::asio;

namespace {

using Stored = storage::ReceivedReports::Stored;

constexpr std::size_t kAtOnce = 64;
constexpr std::uint64_t kLargest = 25U << 20;

base::Result<Stored> take_in(storage::ReceivedReports& reports, const spool::Content& content, base::Time now) {
    const auto size = content.size().count;
    if (size > kLargest) return base::fail(base::ErrorKind::too_long, "over 25 MiB");
    std::string octets(size, '\0');
    const auto count = content.read(0, octets);
    if (!count) return std::unexpected(count.error());
    octets.resize(*count);
    if (auto forgotten = reports.forget_old(now); !forgotten) return base::pass_on(forgotten);
    return import_report(reports, octets, now);
}

}  // namespace

ReportIntake::ReportIntake(mail::Mailbox address, Dependencies dependencies, asio::any_io_executor home)
    : address_(directory::fold_mailbox(std::move(address))), with_(dependencies), home_(std::move(home)) {}

void ReportIntake::consider(const spool::StoredMessage& message) {
    const auto is_for_us = [this](const auto& recipient) { return directory::fold_mailbox(recipient.mailbox) == address_; };
    if (std::ranges::none_of(message.envelope.recipients, is_for_us)) return;
    if (under_way_.fetch_add(1) >= kAtOnce) {
        --under_way_;
        with_.log.warning("report_not_kept", {{"id", message.id.text()}, {"reason", "too many at once"}});
        return;
    }
    asio::co_spawn(home_, async_take(message.id, message.content), [this](const std::exception_ptr& trouble) {
        --under_way_;
        if (trouble) with_.log.error("report_not_kept", {{"reason", "an exception"}});
    });
}

asio::awaitable<void> ReportIntake::async_take(base::MessageId id, std::shared_ptr<const spool::Content> content) {
    auto* reports = &with_.reports;
    const auto now = with_.clock.now();
    const auto stored = co_await with_.pool.async_run([reports, content, now] { return take_in(*reports, *content, now); });
    if (!stored)
        with_.log.warning("report_not_kept", {{"id", id.text()}, {"reason", stored.error().detail}});
    else
        with_.log.info("report_kept", {{"id", id.text()}, {"result", *stored == Stored::added ? "added" : "known already"}});
}

}  // namespace thurn::app
