#pragma once

#include "delivery/dispatcher.h"

#include <deque>
#include <memory>
#include <string>

#include <boost/asio/steady_timer.hpp>

namespace thurn::delivery {

/// One courier's supply of parcels for one site, between the courier's loop and the dispatcher's.
///
/// Threads  `parcels_` belongs to the courier's loop; `wake_` and what fetch does, to the dispatcher's home.
class SiteFeed final : public ParcelSource, public std::enable_shared_from_this<SiteFeed> {
public:
    SiteFeed(Dispatcher& dispatcher, std::string site, std::deque<Parcel> parcels);

    boost::asio::awaitable<std::optional<Parcel>> async_next(std::chrono::milliseconds idle) override;
    boost::asio::awaitable<void> async_mark_in_doubt(const Parcel& parcel) override;
    void attempted(const Parcel& parcel, Attempt attempt) override;
    void settled(Parcel parcel, std::vector<RecipientOutcome> outcomes) override;

    [[nodiscard]] const std::string& site() const { return site_; }
    /// There may be work: what waits in async_next() looks again. On home.
    void wake() { wake_.cancel(); }

private:
    boost::asio::awaitable<std::deque<Parcel>> async_fetch(std::chrono::milliseconds idle);

    Dispatcher& dispatcher_;
    std::string site_;
    std::deque<Parcel> parcels_;
    boost::asio::steady_timer wake_;
};

}  // namespace thurn::delivery
