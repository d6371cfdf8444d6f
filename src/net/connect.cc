#include "net/endpoint.h"
#include "net/stream.h"
#include "net/watched_socket.h"

#include <cerrno>
#include <system_error>

#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace thurn::net {

namespace {

base::Error system_failure(std::string_view doing, int system_error) {
    const bool scarce = system_error == EMFILE || system_error == ENFILE || system_error == ENOBUFS || system_error == ENOMEM;
    return {scarce ? base::ErrorKind::full : base::ErrorKind::refused,
            fmt::format("{}: {}", doing, std::generic_category().message(system_error))};
}

/// Closed on exec(): the program starts others for pipe delivery.
base::Result<void> open_socket(asio::ip::tcp::socket& socket, const asio::ip::tcp& protocol) {
    const int descriptor = ::socket(protocol.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (descriptor < 0) return std::unexpected(system_failure("cannot make a socket", errno));
    boost::system::error_code ec;
    socket.assign(protocol, descriptor, ec);
    if (!ec) return {};
    ::close(descriptor);
    return std::unexpected(system_failure("cannot watch a socket", ec.value()));
}

base::Result<void> bind_source(asio::ip::tcp::socket& socket, const asio::ip::address& source) {
    // The port is chosen at connect(), so that it may be shared among destinations; bind() alone would run out of ports at 28,000
    // connections.
    const int on = 1;
    ::setsockopt(socket.native_handle(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    boost::system::error_code ec;
    socket.bind({source, 0}, ec);
    if (!ec) return {};
    return std::unexpected(system_failure("cannot use source address " + source.to_string(), ec.value()));
}

}  // namespace

asio::awaitable<base::Result<Stream>> async_connect(asio::ip::tcp::endpoint to, std::optional<asio::ip::address> source,
                                                    Deadline deadline) {
    const auto watched = std::make_shared<WatchedSocket>(asio::ip::tcp::socket(co_await asio::this_coro::executor));
    auto& socket = watched->socket();
    const auto fail_with = [&to](base::Error error) {
        return base::fail(error.kind, fmt::format("cannot connect to {}: {}", render_endpoint(to), error.detail));
    };
    if (auto opened = open_socket(socket, to.protocol()); !opened) co_return fail_with(opened.error());
    if (source) {
        if (auto bound = bind_source(socket, *source); !bound) co_return fail_with(bound.error());
    }
    if (auto connected = co_await watched->async_connect(to, deadline); !connected) co_return fail_with(connected.error());
    boost::system::error_code ec;
    // A connection to a free local port may be given that very port, and then speaks with itself.
    if (socket.local_endpoint(ec) == socket.remote_endpoint(ec)) co_return fail_with({base::ErrorKind::refused, "nobody listens there"});
    co_return Stream(std::move(socket));
}

}  // namespace thurn::net
