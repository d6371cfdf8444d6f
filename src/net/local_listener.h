#pragma once

#include "base/log.h"
#include "base/result.h"

#include <functional>
#include <memory>
#include <string>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>

namespace thurn::net {

struct LocalListenerOptions {
    std::string path;      // absolute, of at most kMostSocketPath octets
    unsigned mode = 0660;  // whoever may write may connect (unix(7))
    int backlog = 1024;
};

inline constexpr std::size_t kMostSocketPath = 107;  // sockaddr_un has room for that and a NUL

/// Accepts connections at a socket of this machine, on one loop.
///
/// Path     A socket that nobody listens on any more is replaced; one in use, or a file of another kind, is left alone and refused. The path
///          never is more open than `mode`, not even while it is made. Removed by close() where the folder lets us.
/// Trouble  As Listener: it rests for 100 ms, and ends only by close().
/// Threads  As Listener.
class LocalListener {
public:
    using Handler = std::function<void(boost::asio::generic::stream_protocol::socket)>;

    /// Errors   `refused`: names the path and the cause.
    [[nodiscard]] static base::Result<LocalListener> bind(boost::asio::io_context& loop, const LocalListenerOptions& options,
                                                          base::Log& log);
    ~LocalListener();
    LocalListener(LocalListener&&) noexcept;
    LocalListener& operator=(LocalListener&&) = delete;

    /// From now on connections are accepted. Call once.
    void start(Handler handler);
    void close();

private:
    class State;
    explicit LocalListener(std::shared_ptr<State> state);
    std::shared_ptr<State> state_;  // shared with what waits on the loop
};

}  // namespace thurn::net
