#pragma once

#include "net/stream.h"

#include <memory>
#include <optional>
#include <string>

namespace thurn::inbound {

/// Connections of one loop to servers outside that wait for the next question: by where they lead.
///
/// Limits   At most 16 to one place, for a minute; more are closed.
/// Threads  The loop's own.
class IdleConnections {
public:
    IdleConnections();
    ~IdleConnections();
    IdleConnections(IdleConnections&&) noexcept;
    /// One over which nothing came since it was given back: who talks unasked would answer the next question before it is put.
    [[nodiscard]] net::asio::awaitable<std::optional<net::Stream>> async_take(std::string place);
    void give_back(std::string place, net::Stream stream);

private:
    struct State;
    std::shared_ptr<State> state_;  // shared with the timer that closes them
};

}  // namespace thurn::inbound
