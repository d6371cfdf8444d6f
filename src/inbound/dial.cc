#include "inbound/dial.h"

#include "net/host_name.h"

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

awaitable<base::Result<std::vector<asio::ip::address>>> async_addresses(std::string host, net::Resolver* resolver) {
    boost::system::error_code none;
    const auto address = asio::ip::make_address(host, none);
    if (!none) co_return std::vector{address};
    std::vector<asio::ip::address> found;
    std::string why = "no DNS";
    for (const auto type : {dns::Type::a, dns::Type::aaaa}) {
        if (!resolver) break;
        const auto answer = co_await resolver->async_ask({net::to_lower(host), type});
        for (const auto& record : answer.records) found.push_back(address_of(record));
        why = answer.detail.empty() ? "it has no address" : answer.detail;
    }
    if (found.empty()) co_return base::fail(base::ErrorKind::not_found, "cannot find " + host + ": " + why);
    co_return found;
}

}  // namespace

awaitable<base::Result<net::Stream>> async_dial(MilterSocket socket, net::Resolver* resolver, net::Deadline deadline) {
    if (!socket.path.empty()) co_return co_await net::async_connect_local(socket.path, deadline);
    const auto addresses = co_await async_addresses(socket.host, resolver);
    if (!addresses) co_return std::unexpected(addresses.error());
    base::Error last{base::ErrorKind::not_found, "no address"};
    for (const auto& address : *addresses) {
        auto stream = co_await net::async_connect({address, socket.port}, std::nullopt, deadline);
        if (stream) co_return stream;
        last = stream.error();
    }
    co_return std::unexpected(last);
}

}  // namespace thurn::inbound
