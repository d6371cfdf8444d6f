#include "net/connect.h"

#include "net/endpoint.h"
#include "net/watched_socket.h"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
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
    if (socket->socket().local_endpoint(ec) == socket->socket().remote_endpoint(ec) || ec)
        co_return std::unexpected(named({base::ErrorKind::refused, "nobody listens there"}));
    co_return base::Result<void>();
}

void Dialling::close() { socket_->close(); }

Stream Dialling::take() { return Stream(std::move(socket_->socket())); }

asio::awaitable<base::Result<Stream>> async_connect(asio::ip::tcp::endpoint to, std::optional<asio::ip::address> source,
                                                    Deadline deadline) {
    auto dialling = Dialling::start(co_await asio::this_coro::executor, to, source);
    if (!dialling) co_return base::pass_on(dialling);
    if (auto made = co_await dialling->async_wait(deadline); !made) co_return base::pass_on(made);
    co_return dialling->take();
}

namespace {

/// Both under way. Whoever ends, be it too late, finds it alive.
struct Running {
    explicit Running(const asio::any_io_executor& executor) : news(executor, asio::steady_timer::time_point::max()) {}
    std::array<std::optional<Dialling>, 2> dialling;
    std::array<std::optional<base::Error>, 2> errors;
    std::optional<std::size_t> winner;
    std::size_t left = 0;
    asio::steady_timer news;
};

asio::awaitable<void> async_run(std::shared_ptr<Running> running, std::size_t k, Deadline deadline) {
    auto made = co_await running->dialling[k]->async_wait(deadline);
    --running->left;
    if (!made)
        running->errors[k] = std::move(made).error();
    else if (!running->winner)
        running->winner = k;
    running->news.cancel();
}

asio::awaitable<void> async_finish(std::shared_ptr<Running> running, std::array<Deadline, 2> deadlines, Race& race) {
    for (std::size_t k = 0; k < running->dialling.size(); ++k) {
        if (!running->dialling[k]) continue;
        ++running->left;
        asio::co_spawn(running->news.get_executor(), async_run(running, k, deadlines[k]), asio::detached);
    }
    while (running->left > 0 && !running->winner) co_await running->news.async_wait(asio::as_tuple(asio::deferred));
    race.errors = running->errors;
    if (!running->winner) co_return;
    race.winner = *running->winner;
    if (auto& loser = running->dialling[1 - race.winner]) loser->close();
    race.stream.emplace(running->dialling[race.winner]->take());
}

}  // namespace

asio::awaitable<Race> async_connect_first(std::array<Racer, 2> racers, std::chrono::milliseconds head_start,
                                          std::chrono::milliseconds limit) {
    Race race;
    const auto executor = co_await asio::this_coro::executor;
    const auto first_deadline = within(limit);
    auto first = Dialling::start(executor, racers[0].to, racers[0].source);
    if (!first) {
        race.errors[0] = std::move(first).error();
        co_return race;
    }
    if (auto made = co_await first->async_wait(within(std::min(head_start, limit))); made) {
        race.stream.emplace(first->take());
        co_return race;
    } else if (made.error().kind != base::ErrorKind::timed_out || head_start >= limit) {
        race.errors[0] = std::move(made).error();
        co_return race;
    }
    const auto running = std::make_shared<Running>(executor);
    running->dialling[0] = *std::move(first);
    auto second = Dialling::start(executor, racers[1].to, racers[1].source);
    if (second)
        running->dialling[1] = *std::move(second);
    else
        running->errors[1] = std::move(second).error();
    co_await async_finish(running, {first_deadline, within(limit)}, race);
    co_return race;
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
