#pragma once

#include "base/result.h"

#include <chrono>
#include <memory>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

namespace thurn::net {

namespace asio = boost::asio;

/// A stream socket, be it TCP or local, and the one timer that limits whatever waits on it; the ground under Stream and async_connect().
///
/// Timer    It is moved only when it fires too early, or is set too late for the next wait: a busy connection that waits a thousand times
///          with a limit of five minutes touches the timer queue once in five minutes.
/// Shared   Owned by shared_ptr because a waiting coroutine and a timer that has fired already may both outlast the Stream.
/// Waits    One at a time; who waits holds a shared_ptr.
/// Threads  The socket's loop.
class WatchedSocket : public std::enable_shared_from_this<WatchedSocket> {
public:
    using Deadline = std::chrono::steady_clock::time_point;
    using Socket = asio::generic::stream_protocol::socket;
    using Wait = Socket::wait_type;

    explicit WatchedSocket(Socket connection) : socket_(std::move(connection)), timer_(socket_.get_executor()) {}

    [[nodiscard]] Socket& socket() { return socket_; }
    [[nodiscard]] int descriptor() { return socket_.native_handle(); }

    /// Errors   `timed_out`; `stopping` after cancel(); `peer_gone` after close(); otherwise it is worth trying to read or write.
    [[nodiscard]] asio::awaitable<base::Result<void>> async_wait(Wait what, Deadline deadline);
    /// After a connect() that did not end at once, and again after a `timed_out` of its own: the connection is still being made then.
    /// Errors   As above, `refused` and `full` too.
    [[nodiscard]] asio::awaitable<base::Result<void>> async_wait_connected(Deadline deadline);

    /// What the system said, as an error of a connection.
    [[nodiscard]] static base::Error error_of(const boost::system::error_code& ec);

    void cancel();
    void close();
    [[nodiscard]] bool closed() const { return !socket_.is_open(); }

private:
    enum class Cause { none, deadline, cancelled };
    void arm(Deadline deadline);
    void start_timer(Deadline at);
    void on_timer();
    [[nodiscard]] base::Result<void> disarm(const boost::system::error_code& ec);

    Socket socket_;
    asio::steady_timer timer_;
    Deadline deadline_{};  // of the current wait
    Deadline timer_at_{};  // when the timer fires, if it is set
    bool timer_set_ = false;
    bool waiting_ = false;
    Cause cause_ = Cause::none;  // why the current wait was cut short
};

}  // namespace thurn::net
