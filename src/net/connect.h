#pragma once

#include "net/stream.h"

#include <array>
#include <memory>
#include <optional>
#include <utility>

#include <boost/asio/any_io_executor.hpp>

namespace thurn::net {

class WatchedSocket;

/// A TCP connection while it is being made: for who wants to do something else when that takes long. Others use async_connect().
///
/// Threads  The executor's; who waits must keep the object meanwhile.
class Dialling {
public:
    /// Errors   As async_connect() has them, named likewise.
    [[nodiscard]] static base::Result<Dialling> start(const asio::any_io_executor& executor, const asio::ip::tcp::endpoint& to,
                                                      const std::optional<asio::ip::address>& source);
    /// Errors   `timed_out` leaves it going on: it may be waited for again. After all others it is at its end.
    [[nodiscard]] asio::awaitable<base::Result<void>> async_wait(Deadline deadline);
    /// Gives up; what waits wakes.
    void close();
    [[nodiscard]] Stream take();  // Precondition: async_wait() succeeded

private:
    Dialling(std::shared_ptr<WatchedSocket> socket, const asio::ip::tcp::endpoint& to) : socket_(std::move(socket)), to_(to) {}
    [[nodiscard]] base::Error named(base::Error error) const;

    std::shared_ptr<WatchedSocket> socket_;  // as who waits holds it
    asio::ip::tcp::endpoint to_;
    bool made_ = false;
};

/// One way to connect, and of several the first that does.
struct Racer {
    asio::ip::tcp::endpoint to;
    std::optional<asio::ip::address> source;
};
/// `errors`: of those that failed before the race was over.
struct Race {
    std::optional<Stream> stream;
    std::size_t winner = 0;
    std::array<std::optional<base::Error>, 2> errors;
};
/// Tries the first; when it has not connected after `head_start`, the second beside it. Each has `limit` from its own start. When the first
/// fails within its head start, the second is not tried: the caller has other things to say about that. Who loses is closed.
/// Source   RFC 8305 §5.
[[nodiscard]] asio::awaitable<Race> async_connect_first(std::array<Racer, 2> racers, std::chrono::milliseconds head_start,
                                                        std::chrono::milliseconds limit);

}  // namespace thurn::net
