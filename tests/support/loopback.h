#pragma once

#include <exception>
#include <optional>
#include <stdexcept>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace thurn::test {

/// Two sockets connected over loopback, on a port the kernel chose.
struct SocketPair {
    boost::asio::ip::tcp::socket client;
    boost::asio::ip::tcp::socket server;
};

inline SocketPair connected_pair(boost::asio::io_context& loop) {
    using boost::asio::ip::tcp;
    tcp::acceptor acceptor(loop, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
    SocketPair pair{tcp::socket(loop), tcp::socket(loop)};
    pair.client.connect(acceptor.local_endpoint());
    acceptor.accept(pair.server);
    return pair;
}

template <class T>
boost::asio::awaitable<void> store(boost::asio::awaitable<T> coroutine, std::optional<T>& into) {
    into.emplace(co_await std::move(coroutine));
}

/// Runs the loop until the coroutine has ended; gives what it returned. Other coroutines of the loop run meanwhile, and may be left
/// waiting.
template <class T>
T run_on(boost::asio::io_context& loop, boost::asio::awaitable<T> coroutine) {
    std::optional<T> value;
    std::exception_ptr thrown;
    boost::asio::co_spawn(loop, store(std::move(coroutine), value), [&](std::exception_ptr exception) {
        thrown = exception;
        loop.stop();
    });
    loop.restart();
    loop.run();
    if (thrown) std::rethrow_exception(thrown);
    if (!value) throw std::logic_error("the loop ran out of work before the coroutine ended");
    return *std::move(value);
}

/// Starts a coroutine beside others; an exception in it ends the test.
template <class T>
void spawn_on(boost::asio::io_context& loop, boost::asio::awaitable<T> coroutine) {
    boost::asio::co_spawn(loop, std::move(coroutine), [](std::exception_ptr exception, auto&&...) {
        if (exception) std::rethrow_exception(exception);
    });
}

}  // namespace thurn::test
