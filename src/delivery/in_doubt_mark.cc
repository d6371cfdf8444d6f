#include "delivery/in_doubt_mark.h"

#include <exception>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/steady_timer.hpp>

namespace thurn::delivery {

namespace asio = boost::asio;

struct InDoubtMark::State {
    explicit State(const asio::any_io_executor& executor) : done_signal(executor) {}
    bool done = false;
    bool awaited = false;
    asio::steady_timer done_signal;  // never expires; cancelled when done

    void finish() {
        done = true;
        if (awaited) done_signal.cancel();
    }
};

InDoubtMark::InDoubtMark(asio::any_io_executor executor, std::shared_ptr<ParcelSource> parcels, const Parcel& parcel)
    : executor_(std::move(executor)), parcels_(std::move(parcels)), parcel_(parcel) {}

void InDoubtMark::start() {
    if (state_) return;
    state_ = std::make_shared<State>(executor_);
    asio::co_spawn(executor_, parcels_->async_mark_in_doubt(parcel_), [state = state_](const std::exception_ptr& bug) {
        if (bug) std::rethrow_exception(bug);
        state->finish();
    });
}

asio::awaitable<void> InDoubtMark::async_wait() {
    const auto state = state_;
    if (!state || state->done) co_return;
    state->awaited = true;
    state->done_signal.expires_at(asio::steady_timer::time_point::max());
    while (!state->done) co_await state->done_signal.async_wait(asio::as_tuple(asio::deferred));
    state->awaited = false;
}

}  // namespace thurn::delivery
