#include "app/own_addresses.h"

#include "net/endpoint.h"

#include <algorithm>
#include <memory>

#include <ifaddrs.h>
#include <netinet/in.h>

namespace thurn::app {

namespace {

route::Address to_address(const boost::asio::ip::address& address) {
    if (address.is_v4()) return dns::Ipv4{address.to_v4().to_bytes()};
    return dns::Ipv6{address.to_v6().to_bytes()};
}

void add_interfaces(int family, std::vector<route::Address>& addresses) {
    ifaddrs* first = nullptr;
    if (::getifaddrs(&first) != 0) return;
    const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(first, &::freeifaddrs);
    for (const auto* entry = first; entry; entry = entry->ifa_next) {
        if (!entry->ifa_addr || entry->ifa_addr->sa_family != family) continue;
        if (family == AF_INET) {
            dns::Ipv4 v4;
            std::copy_n(reinterpret_cast<const std::uint8_t*>(&reinterpret_cast<const sockaddr_in*>(entry->ifa_addr)->sin_addr), 4,
                        v4.octets.begin());
            addresses.emplace_back(v4);
        } else {
            dns::Ipv6 v6;
            std::copy_n(reinterpret_cast<const std::uint8_t*>(&reinterpret_cast<const sockaddr_in6*>(entry->ifa_addr)->sin6_addr), 16,
                        v6.octets.begin());
            addresses.emplace_back(v6);
        }
    }
}

}  // namespace

std::vector<route::Address> own_addresses(const std::vector<config::ListenerConfig>& listeners) {
    std::vector<route::Address> addresses;
    for (const auto& listener : listeners) {
        if (listener.role != policy::Role::mx) continue;
        for (const auto& text : listener.bind) {
            const auto endpoint = net::parse_endpoint(text, 25);
            if (!endpoint) continue;
            if (endpoint->address().is_unspecified())
                add_interfaces(endpoint->address().is_v4() ? AF_INET : AF_INET6, addresses);
            else
                addresses.push_back(to_address(endpoint->address()));
        }
    }
    std::ranges::sort(addresses);
    const auto [first, last] = std::ranges::unique(addresses);
    addresses.erase(first, last);
    return addresses;
}

}  // namespace thurn::app
