#pragma once

#include "delivery/parcel.h"

#include <memory>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

namespace thurn::delivery {

/// Has a parcel journalled as in doubt while its envelope is under way, so that the journal's sync costs no waiting.
///
/// Life     Between start() and the end of async_wait() the parcel must stay where it is: await before it is settled.
/// Threads  One loop.
class InDoubtMark {
public:
    InDoubtMark(boost::asio::any_io_executor executor, std::shared_ptr<ParcelSource> parcels, const Parcel& parcel);
    /// The first call begins; another attempt with the same parcel needs no second record.
    void start();
    /// Resumes when it is written; at once when it was never started.
    [[nodiscard]] boost::asio::awaitable<void> async_wait();

private:
    struct State;
    boost::asio::any_io_executor executor_;
    std::shared_ptr<ParcelSource> parcels_;
    const Parcel& parcel_;
    std::shared_ptr<State> state_;  // shared with the coroutine that waits for the journal
};

}  // namespace thurn::delivery
