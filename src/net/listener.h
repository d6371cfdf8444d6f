#pragma once

#include "base/log.h"
#include "base/result.h"

#include <functional>
#include <memory>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace thurn::net {

struct ListenerOptions {
    boost::asio::ip::tcp::endpoint endpoint;
    /// `among_loops`: SO_REUSEPORT, so that each loop has a listener of its own at one endpoint and the kernel shares connections out.
    enum class Sharing { none, among_loops };
    Sharing sharing = Sharing::none;
    int backlog = 4096;  // the kernel's net.core.somaxconn is the upper limit
};

/// Accepts connections at one endpoint, on one loop.
///
/// Accepts  In batches; an IPv6 endpoint takes IPv6 only. Sockets are closed on exec.
/// Trouble  Out of descriptors or memory, it logs (at most every ten seconds), rests for 100 ms and goes on; it ends only by close().
/// Threads  The handler runs on the loop. The object belongs to one thread, which may be another; it must be gone before the loop.
class Listener {
public:
    using Handler = std::function<void(boost::asio::ip::tcp::socket)>;

    /// Errors   `refused`: names the endpoint and the cause.
    [[nodiscard]] static base::Result<Listener> bind(boost::asio::io_context& loop, const ListenerOptions& options, base::Log& log);
    /// Takes over a bound stream socket, from socket activation or from before privileges were dropped; calls listen() on it.
    /// Errors   `invalid`: not such a socket; it is left open then.
    [[nodiscard]] static base::Result<Listener> adopt(boost::asio::io_context& loop, int descriptor, base::Log& log);
    ~Listener();
    Listener(Listener&&) noexcept;
    Listener& operator=(Listener&&) noexcept;

    /// From now on connections are accepted. Call once.
    void start(Handler handler);
    /// Accepts no more; handler calls under way on the loop may still end after it.
    void close();
    [[nodiscard]] boost::asio::ip::tcp::endpoint endpoint() const;

private:
    class State;
    explicit Listener(std::shared_ptr<State> state);
    std::shared_ptr<State> state_;  // shared with what waits on the loop
};

}  // namespace thurn::net
