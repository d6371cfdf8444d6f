#include "net/connect.h"

#include "net/endpoint.h"
#include "net/watched_socket.h"

#include <cerrno>
#include <system_error>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace thurn::net {

namespace {

constexpr std::chrono::milliseconds kPauseWhileFull{50};

base::Error system_failure(std::string_view doing, int system_error) {
    const bool scarce = system_error == EMFILE || system_error == ENFILE || system_error == ENOBUFS || system_error == ENOMEM;
    return {scarce ? base::ErrorKind::full : base::ErrorKind::refused,
            fmt::format("{}: {}", doing, std::generic_category().message(system_error))};
}

/// Closed on exec(): the program starts others for pipe delivery.
base::Result<void> open_socket(WatchedSocket::Socket& socket, const asio::generic::stream_protocol& protocol) {
    const int descriptor = ::socket(protocol.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol.protocol());
    if (descriptor < 0) return std::unexpected(system_failure("cannot make a socket", errno));
    boost::system::error_code ec;
    socket.assign(protocol, descriptor, ec);
    if (!ec) return {};
    ::close(descriptor);
    return std::unexpected(system_failure("cannot watch a socket", ec.value()));
}

base::Result<void> bind_source(WatchedSocket::Socket& socket, const asio::ip::address& source) {
    // The port is chosen at connect(), so that it may be shared among destinations; bind() alone would run out of ports at 28,000
    // connections.
    const int on = 1;
    ::setsockopt(socket.native_handle(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    boost::system::error_code ec;
    socket.bind(asio::ip::tcp::endpoint(source, 0), ec);
    if (!ec) return {};
    return std::unexpected(system_failure("cannot use source address " + source.to_string(), ec.value()));
}

/// 0, or errno; EINPROGRESS when it goes on by itself.
int start_connect(WatchedSocket::Socket& socket, const asio::generic::stream_protocol::endpoint& to) {
    return ::connect(socket.native_handle(), to.data(), static_cast<socklen_t>(to.size())) == 0 ? 0 : errno;
}

}  // namespace

base::Error Dialling::named(base::Error error) const {
    return {error.kind, fmt::format("cannot connect to {}: {}", render_endpoint(to_), error.detail)};
}

base::Result<Dialling> Dialling::start(const asio::any_io_executor& executor, const asio::ip::tcp::endpoint& to,
                                       const std::optional<asio::ip::address>& source) {
    Dialling dialling(std::make_shared<WatchedSocket>(WatchedSocket::Socket(executor)), to);
    auto& socket = dialling.socket_->socket();
    auto ready = open_socket(socket, to.protocol());
    if (ready && source) ready = bind_source(socket, *source);
    if (!ready) return std::unexpected(dialling.named(std::move(ready).error()));
    const int trouble = start_connect(socket, to);
    dialling.made_ = trouble == 0;
    if (trouble == 0 || trouble == EINPROGRESS) return dialling;
    return std::unexpected(dialling.named(WatchedSocket::error_of({trouble, boost::system::system_category()})));
}

asio::awaitable<base::Result<void>> Dialling::async_wait(Deadline deadline) {
    const auto socket = socket_;
    if (!made_) {
        if (auto connected = co_await socket->async_wait_connected(deadline); !connected)
            co_return std::unexpected(named(std::move(connected).error()));
        made_ = true;
    }
    boost::system::error_code ec;
    // A connection to a free local port may be given that very port, and then speaks with itself.
    if (socket->socket().local_endpoint(ec) == socket->socket().remote_endpoint(ec))
        co_return std::unexpected(named({base::ErrorKind::refused, "nobody listens there"}));
    co_return base::Result<void>();
}

Stream Dialling::take() { return Stream(std::move(socket_->socket())); }

asio::awaitable<base::Result<Stream>> async_connect(asio::ip::tcp::endpoint to, std::optional<asio::ip::address> source,
                                                    Deadline deadline) {
    auto dialling = Dialling::start(co_await asio::this_coro::executor, to, source);
    if (!dialling) co_return base::pass_on(dialling);
    if (auto made = co_await dialling->async_wait(deadline); !made) co_return base::pass_on(made);
    co_return dialling->take();
}

asio::awaitable<base::Result<Stream>> async_connect_local(std::string path, Deadline deadline) {
    const auto fail_with = [&path](const base::Error& error) {
        return base::fail(error.kind, fmt::format("cannot connect to {}: {}", path, error.detail));
    };
    if (path.size() >= sizeof(sockaddr_un::sun_path)) co_return fail_with({base::ErrorKind::too_long, "the path is too long"});
    WatchedSocket::Socket socket(co_await asio::this_coro::executor);
    const asio::local::stream_protocol::endpoint to(path);
    if (auto opened = open_socket(socket, to.protocol()); !opened) co_return fail_with(opened.error());
    asio::steady_timer pause(socket.get_executor());
    while (true) {
        const int trouble = start_connect(socket, to);
        if (trouble == 0) co_return Stream(std::move(socket));
        // A full queue of a local socket does not connect later by itself (unix(7)).
        if (trouble != EAGAIN) co_return fail_with(WatchedSocket::error_of({trouble, boost::system::system_category()}));
        if (std::chrono::steady_clock::now() >= deadline) co_return fail_with({base::ErrorKind::timed_out, "its queue is full"});
        pause.expires_after(kPauseWhileFull);
        co_await pause.async_wait(asio::as_tuple(asio::deferred));
    }
}

}  // namespace thurn::net
