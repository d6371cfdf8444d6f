#include "delivery/site_feed.h"

#include "delivery/failure.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace thurn::delivery {

SiteFeed::SiteFeed(Dispatcher& dispatcher, std::string site, std::deque<Parcel> parcels)
    : dispatcher_(dispatcher), site_(std::move(site)), parcels_(std::move(parcels)), wake_(dispatcher.home()) {}

boost::asio::awaitable<std::optional<Parcel>> SiteFeed::async_next(std::chrono::milliseconds idle) {
    if (dispatcher_.stopping_) co_return std::nullopt;
    if (parcels_.empty() && idle.count() > 0)
        parcels_ = co_await boost::asio::co_spawn(dispatcher_.home(), async_fetch(idle), boost::asio::use_awaitable);
    if (parcels_.empty()) co_return std::nullopt;
    auto parcel = std::move(parcels_.front());
    parcels_.pop_front();
    carried_.push_back(parcel);
    co_return parcel;
}

/// On home: what is ready now, or becomes ready within `idle`.
boost::asio::awaitable<std::deque<Parcel>> SiteFeed::async_fetch(std::chrono::milliseconds idle) {
    auto parcels = dispatcher_.take_more(site_);
    if (!parcels.empty() || dispatcher_.stopping_) co_return parcels;
    wake_.expires_after(idle);
    dispatcher_.idle_[site_].push_back(shared_from_this());
    co_await wake_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    dispatcher_.no_longer_idle(*this);
    if (handed_over_.empty()) co_return dispatcher_.take_more(site_);
    co_return std::exchange(handed_over_, {});
}

void SiteFeed::hand_over(std::deque<Parcel> parcels) {
    handed_over_ = std::move(parcels);
    wake_.cancel();
}

std::deque<Parcel> SiteFeed::take_unsettled() {
    std::ranges::move(parcels_, std::back_inserter(carried_));
    parcels_.clear();
    return std::exchange(carried_, {});
}

boost::asio::awaitable<void> SiteFeed::async_mark_in_doubt(const Parcel& parcel) {
    std::vector<spool::RecipientUpdate> updates;
    updates.reserve(parcel.recipients.size());
    for (const auto index : parcel.recipients) {
        auto state = parcel.message->envelope.recipients[index].state;
        state.standing = spool::Standing::in_doubt;
        updates.push_back({.id = parcel.message->id, .index = index, .state = std::move(state), .expansion = {}});
    }
    // A journal that fails costs a note after a crash, no mail.
    std::ignore = co_await dispatcher_.async_update(std::move(updates), spool::Sync::no);
}

/// What went into a mailbox of ours, the outcome's line tells.
void SiteFeed::log_attempt(const Parcel& parcel, const Attempt& attempt) {
    if (site_ == kLocalSite) return;
    const std::string_view reply = attempt.replies.empty() ? std::string_view() : attempt.replies.front();
    const auto [code, enhanced] = split_status(reply);
    dispatcher_.with_.log.info("attempt", {{"id", parcel.message->id.text()},
                                           {"host", attempt.host},
                                           {"recipients", parcel.recipients.size()},
                                           {"tls", attempt.tls},
                                           {"result", attempt.result},
                                           {"reply", reply},
                                           {"code", code},
                                           {"status", enhanced},
                                           {"ms", attempt.took.count()}});
}

void SiteFeed::attempted(const Parcel& parcel, Attempt attempt) {
    log_attempt(parcel, attempt);
    trace::Attempted event{.recipients = {},
                           .host = std::move(attempt.host),
                           .tls = std::move(attempt.tls),
                           .result = std::move(attempt.result),
                           .replies = std::move(attempt.replies),
                           .milliseconds = static_cast<std::uint64_t>(attempt.took.count()),
                           .remark = std::move(attempt.remark)};
    for (const auto index : parcel.recipients)
        event.recipients.push_back(mail::render_mailbox(parcel.message->envelope.recipients[index].mailbox));
    dispatcher_.trace(parcel.message->id, std::move(event));
}

void SiteFeed::settled(Parcel parcel, std::vector<RecipientOutcome> outcomes) {
    std::erase_if(carried_, [&](const auto& one) { return one.message == parcel.message && one.recipients == parcel.recipients; });
    dispatcher_.settle_later({.site = site_, .parcel = std::move(parcel), .outcomes = std::move(outcomes)});
}

}  // namespace thurn::delivery
