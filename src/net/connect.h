#pragma once

#include "net/stream.h"

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
    [[nodiscard]] Stream take();  // Precondition: async_wait() succeeded

private:
    Dialling(std::shared_ptr<WatchedSocket> socket, const asio::ip::tcp::endpoint& to) : socket_(std::move(socket)), to_(to) {}
    [[nodiscard]] base::Error named(base::Error error) const;

    std::shared_ptr<WatchedSocket> socket_;  // as who waits holds it
    asio::ip::tcp::endpoint to_;
    bool made_ = false;
};

}  // namespace thurn::net
