#include "bench/poller.h"

#include "net/endpoint.h"

#include <array>
#include <cerrno>
#include <system_error>

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace thurn::bench {
namespace {

constexpr int kBacklog = 4096;

std::unexpected<base::Error> failed(const std::string& what, int error) {
    return base::fail(base::ErrorKind::refused, fmt::format("{}: {}", what, std::system_category().message(error)));
}

base::Result<Descriptor> make_socket(const boost::asio::ip::tcp::endpoint& endpoint) {
    Descriptor made(::socket(endpoint.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!made.open()) return failed("socket", errno);
    const int on = 1;
    ::setsockopt(made.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return made;
}

base::Result<boost::asio::ip::tcp::endpoint> endpoint_of(const std::string& address, std::uint16_t port) {
    auto endpoint = net::parse_endpoint(address, port);
    if (endpoint) endpoint->port(port);
    return endpoint;
}

std::uint32_t events_for(Poller::Interest interest) {
    if (interest == Poller::Interest::nothing) return 0;
    return interest == Poller::Interest::reading ? EPOLLIN : EPOLLOUT;
}

}  // namespace

void Descriptor::close() {
    if (number_ >= 0) ::close(std::exchange(number_, -1));
}

base::Result<Descriptor> start_connect(const std::string& address, std::uint16_t port) {
    auto endpoint = endpoint_of(address, port);
    if (!endpoint) return base::pass_on(endpoint);
    auto made = make_socket(*endpoint);
    if (!made) return made;
    if (::connect(made->get(), endpoint->data(), static_cast<socklen_t>(endpoint->size())) != 0 && errno != EINPROGRESS)
        return failed("connect", errno);
    return made;
}

base::Result<void> connect_result(const Descriptor& socket) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return failed("connect", error);
    return {};
}

base::Result<Descriptor> listen_on(const std::string& address, std::uint16_t port) {
    auto endpoint = endpoint_of(address, port);
    if (!endpoint) return base::pass_on(endpoint);
    auto made = make_socket(*endpoint);
    if (!made) return made;
    const int on = 1;
    ::setsockopt(made->get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(made->get(), endpoint->data(), static_cast<socklen_t>(endpoint->size())) != 0)
        return failed(fmt::format("bind {}:{}", address, port), errno);
    if (::listen(made->get(), kBacklog) != 0) return failed("listen", errno);
    return made;
}

std::uint16_t local_port(const Descriptor& socket) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size);
    const bool six = address.ss_family == AF_INET6;
    return ntohs(six ? reinterpret_cast<sockaddr_in6&>(address).sin6_port : reinterpret_cast<sockaddr_in&>(address).sin_port);
}

Poller::Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (!epoll_.open()) throw std::system_error(errno, std::system_category(), "epoll_create1");
}

void Poller::add(const Descriptor& descriptor, Interest interest, Watcher& watcher) {
    epoll_event event{.events = events_for(interest), .data = {.ptr = &watcher}};
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor.get(), &event);
}

void Poller::change(const Descriptor& descriptor, Interest interest, Watcher& watcher) {
    epoll_event event{.events = events_for(interest), .data = {.ptr = &watcher}};
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, descriptor.get(), &event);
}

void Poller::poll(std::chrono::milliseconds limit) {
    std::array<epoll_event, 256> events;
    const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), static_cast<int>(limit.count()));
    for (int index = 0; index < count; ++index) static_cast<Watcher*>(events[static_cast<std::size_t>(index)].data.ptr)->ready();
}

}  // namespace thurn::bench
