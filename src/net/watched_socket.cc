#include "net/watched_socket.h"

#include <cerrno>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <sys/socket.h>

namespace thurn::net {

namespace {

constexpr auto as_result = asio::as_tuple(asio::deferred);  // awaited without a coroutine frame of its own

base::ErrorKind kind_of(const boost::system::error_code& ec) {
    if (ec == asio::error::no_descriptors || ec == asio::error::no_buffer_space || ec == asio::error::no_memory)
        return base::ErrorKind::full;
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

asio::awaitable<base::Result<void>> WatchedSocket::async_wait_connected(Deadline deadline) {
    if (auto waited = co_await async_wait(Wait::wait_write, deadline); !waited) co_return waited;
    int trouble = 0;
    socklen_t size = sizeof trouble;
    if (::getsockopt(descriptor(), SOL_SOCKET, SO_ERROR, &trouble, &size) != 0) trouble = errno;
    if (trouble == 0) co_return base::Result<void>();
    co_return std::unexpected(error_of({trouble, boost::system::system_category()}));
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
    return std::unexpected(error_of(ec));
}

base::Error WatchedSocket::error_of(const boost::system::error_code& ec) { return {kind_of(ec), ec.message()}; }

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
