#include "net/watched_socket.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>

namespace thurn::net {

namespace {

constexpr auto as_result = asio::as_tuple(asio::deferred);  // awaited without a coroutine frame of its own

base::ErrorKind kind_of(const boost::system::error_code& ec) {
    if (ec == asio::error::connection_refused || ec == asio::error::access_denied || ec == asio::error::no_permission)
        return base::ErrorKind::refused;
    if (ec == asio::error::timed_out) return base::ErrorKind::timed_out;
    return base::ErrorKind::peer_gone;
}

}  // namespace

asio::awaitable<base::Result<void>> WatchedSocket::async_wait(Wait what, Deadline deadline) {
    if (closed()) co_return base::fail(base::ErrorKind::peer_gone, "connection is closed");
    arm(deadline);
    const auto [ec] = co_await socket_.async_wait(what, as_result);
    co_return disarm(ec);
}

asio::awaitable<base::Result<void>> WatchedSocket::async_connect(asio::ip::tcp::endpoint to, Deadline deadline) {
    arm(deadline);
    const auto [ec] = co_await socket_.async_connect(to, as_result);
    co_return disarm(ec);
}

void WatchedSocket::arm(Deadline deadline) {
    deadline_ = deadline;
    cause_ = Cause::none;
    waiting_ = true;
    if (!timer_set_ || timer_at_ > deadline) start_timer(deadline);
}

void WatchedSocket::start_timer(Deadline at) {
    timer_.expires_at(at);
    timer_at_ = at;
    timer_set_ = true;
    timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& ec) {
        if (ec) return;
        if (const auto self = weak.lock()) self->on_timer();
    });
}

void WatchedSocket::on_timer() {
    timer_set_ = false;
    if (!waiting_) return;
    if (std::chrono::steady_clock::now() < deadline_) return start_timer(deadline_);
    cause_ = Cause::deadline;
    boost::system::error_code ignored;
    socket_.cancel(ignored);
}

base::Result<void> WatchedSocket::disarm(const boost::system::error_code& ec) {
    waiting_ = false;
    if (!ec) return {};
    if (closed()) return base::fail(base::ErrorKind::peer_gone, "connection was closed here");
    if (cause_ == Cause::deadline) return base::fail(base::ErrorKind::timed_out, "peer was silent");
    if (ec == asio::error::operation_aborted) return base::fail(base::ErrorKind::stopping, "wait was cancelled");
    return base::fail(kind_of(ec), ec.message());
}

void WatchedSocket::cancel() {
    if (!waiting_) return;
    cause_ = Cause::cancelled;
    boost::system::error_code ignored;
    socket_.cancel(ignored);
}

void WatchedSocket::close() {
    boost::system::error_code ignored;
    socket_.close(ignored);
    timer_.cancel();
    timer_set_ = false;
}

}  // namespace thurn::net
