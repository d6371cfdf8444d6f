#include "inbound/dial.h"

#include "net/host_name.h"

#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/ip/address.hpp>

namespace thurn::inbound {

namespace asio = net::asio;
using asio::awaitable;

namespace {

asio::ip::address address_of(const dns::Record& record) {
    if (const auto* v4 = std::get_if<dns::Ipv4>(&record)) return asio::ip::address_v4(v4->octets);
    if (const auto* v6 = std::get_if<dns::Ipv6>(&record)) return asio::ip::address_v6(v6->octets);
    return {};
}

awaitable<base::Result<net::Stream>> async_dial_first(std::vector<asio::ip::address> addresses, std::uint16_t port,
                                                      net::Deadline deadline) {
    base::Error last{base::ErrorKind::not_found, "no address"};
    for (const auto& address : addresses) {
        auto stream = co_await net::async_connect({address, port}, std::nullopt, deadline);
        if (stream) co_return stream;
        last = stream.error();
    }
    co_return std::unexpected(last);
}

base::Error cannot_find(const std::string& host, const dns::Answer& answer, net::Deadline deadline) {
    const auto kind = std::chrono::steady_clock::now() < deadline ? base::ErrorKind::not_found : base::ErrorKind::timed_out;
    return {kind, "cannot find " + host + ": " + (answer.detail.empty() ? "it has no address" : answer.detail)};
}

/// IPv6 addresses are asked for when there is none of IPv4 that answers: DNS servers that swallow the question cost nobody the rest of the time.
awaitable<base::Result<net::Stream>> async_dial_name(std::string host, std::uint16_t port, net::Resolver& resolver,
                                                     net::Deadline deadline) {
    std::optional<base::Error> trouble;
    for (const auto type : {dns::Type::a, dns::Type::aaaa}) {
        const auto answer = co_await resolver.async_ask({net::to_lower(host), type}, deadline);
        std::vector<asio::ip::address> addresses;
        for (const auto& record : answer.records) addresses.push_back(address_of(record));
        if (addresses.empty()) {
            if (!trouble) trouble = cannot_find(host, answer, deadline);
            continue;
        }
        auto stream = co_await async_dial_first(std::move(addresses), port, deadline);
        if (stream) co_return stream;
        trouble = stream.error();
    }
    co_return std::unexpected(*trouble);
}

}  // namespace

awaitable<base::Result<net::Stream>> async_dial(MilterSocket socket, net::Resolver* resolver, net::Deadline deadline) {
    if (!socket.path.empty()) co_return co_await net::async_connect_local(socket.path, deadline);
    boost::system::error_code none;
    const auto address = asio::ip::make_address(socket.host, none);
    if (!none) co_return co_await net::async_connect({address, socket.port}, std::nullopt, deadline);
    if (!resolver) co_return base::fail(base::ErrorKind::not_found, "cannot find " + socket.host + ": no DNS");
    co_return co_await async_dial_name(socket.host, socket.port, *resolver, deadline);
}

}  // namespace thurn::inbound
