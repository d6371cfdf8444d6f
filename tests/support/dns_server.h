#pragma once

#include "support/dns_packet.h"

#include <atomic>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace thurn::test {

/// A DNS server on a thread of its own, on a loopback port the kernel chose. The handler makes the answer, or none: silence.
class DnsServer {
public:
    struct Query {
        unsigned id;
        std::string name;  // lower case
        unsigned type;
    };
    using Handler = std::function<std::optional<std::string>(const Query&)>;

    explicit DnsServer(Handler handler) : handler_(std::move(handler)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        const bool ready = ::bind(socket_, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                           ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) == 0;
        if (!ready) throw std::runtime_error("no UDP port on loopback");
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { serve(); });
    }
    ~DnsServer() {
        ::eventfd_write(stop_, 1);
        thread_.join();
        ::close(socket_);
        ::close(stop_);
    }
    DnsServer(const DnsServer&) = delete;
    DnsServer& operator=(const DnsServer&) = delete;

    /// As ResolverOptions::servers takes it.
    [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
    [[nodiscard]] int queries() const { return queries_; }

private:
    void serve() {
        pollfd watched[2] = {{socket_, POLLIN, 0}, {stop_, POLLIN, 0}};
        while (::poll(watched, 2, -1) > 0 && watched[1].revents == 0) answer_one();
    }

    void answer_one() {
        char packet[2000];
        sockaddr_in from{};
        socklen_t size = sizeof from;
        const ssize_t got = ::recvfrom(socket_, packet, sizeof packet, 0, reinterpret_cast<sockaddr*>(&from), &size);
        const auto query = parse({packet, got < 0 ? 0 : static_cast<std::size_t>(got)});
        if (!query) return;
        ++queries_;
        const auto answer = handler_(*query);
        if (answer) ::sendto(socket_, answer->data(), answer->size(), 0, reinterpret_cast<sockaddr*>(&from), size);
    }

    static std::optional<Query> parse(std::string_view packet) {
        std::size_t at = 12;
        if (packet.size() < at) return std::nullopt;
        const auto name = dns::take_name(packet, at);
        if (!name || packet.size() < at + 4) return std::nullopt;
        return Query{u16(packet, 0), dns::render_name(*name), u16(packet, at)};
    }
    static unsigned u16(std::string_view packet, std::size_t at) {
        return (static_cast<unsigned>(static_cast<unsigned char>(packet[at])) << 8U) | static_cast<unsigned char>(packet[at + 1]);
    }

    Handler handler_;
    int socket_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int stop_ = ::eventfd(0, EFD_CLOEXEC);
    unsigned port_ = 0;
    std::atomic<int> queries_{0};
    std::thread thread_;
};

}  // namespace thurn::test
