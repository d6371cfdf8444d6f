#pragma once

#include "delivery/dispatcher.h"

#include <deque>
#include <memory>
#include <string>

#include <boost/asio/steady_timer.hpp>

namespace thurn::delivery {

/// One courier's supply of parcels for one site, between the courier's loop and the dispatcher's.
///
/// Stop     When the dispatcher stops, async_next() gives no more: what was not begun waits in the spool for the next start.
/// Threads  `parcels_` and `carried_` belong to the courier's loop; `wake_`, `handed_over_` and what fetch does, to the dispatcher's home.
class SiteFeed final : public ParcelSource, public std::enable_shared_from_this<SiteFeed> {
public:
    SiteFeed(Dispatcher& dispatcher, std::string site, std::deque<Parcel> parcels);

    boost::asio::awaitable<std::optional<Parcel>> async_next(std::chrono::milliseconds idle) override;
    boost::asio::awaitable<void> async_mark_in_doubt(const Parcel& parcel) override;
    void attempted(const Parcel& parcel, Attempt attempt) override;
    void settled(Parcel parcel, std::vector<RecipientOutcome> outcomes) override;

    [[nodiscard]] const std::string& site() const { return site_; }
    /// Work for what waits in async_next(). On home, and only while it waits.
    void hand_over(std::deque<Parcel> parcels);
    /// What waits in async_next() goes on. On home.
    void wake() { wake_.cancel(); }
    /// What async_next() gave and settled() did not get back, and what nobody asked for: once the courier has ended.
    [[nodiscard]] std::deque<Parcel> take_unsettled();

private:
    boost::asio::awaitable<std::deque<Parcel>> async_fetch(std::chrono::milliseconds idle);
    void log_attempt(const Parcel& parcel, const Attempt& attempt);

    Dispatcher& dispatcher_;
    std::string site_;
    std::deque<Parcel> parcels_;      // not given out yet
    std::deque<Parcel> carried_;      // given out, not settled
    std::deque<Parcel> handed_over_;  // on home
    boost::asio::steady_timer wake_;
};

}  // namespace thurn::delivery
