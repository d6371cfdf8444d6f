#include "inbound/connection_limits.h"

#include <algorithm>
#include <cstdint>

#include <boost/asio/ip/address.hpp>

namespace thurn::inbound {

namespace {

/// The client an address belongs to. What is no address stands for itself.
std::string client_of(const std::string& text) {
    namespace ip = boost::asio::ip;
    boost::system::error_code error;
    const auto address = ip::make_address(text, error);
    if (error || address.is_v4()) return text;
    const auto v6 = address.to_v6();
    if (v6.is_v4_mapped()) return ip::make_address_v4(ip::v4_mapped, v6).to_string();
    auto octets = v6.to_bytes();
    std::fill(octets.begin() + 8, octets.end(), std::uint8_t{0});
    return ip::make_address_v6(octets).to_string();
}

}  // namespace

ConnectionLimits::Verdict ConnectionLimits::enter(const std::string& address) {
    const auto client = client_of(address);
    return counts_.with([&](Counts& counts) {
        if (counts.open >= total_) return Verdict::too_many;
        const auto here = counts.by_client.find(client);
        if ((here == counts.by_client.end() ? 0 : here->second) >= per_client_) return Verdict::too_many_from_there;
        ++counts.by_client[client];
        ++counts.open;
        return Verdict::welcome;
    });
}

void ConnectionLimits::leave(const std::string& address) {
    const auto client = client_of(address);
    counts_.with([&](Counts& counts) {
        --counts.open;
        const auto found = counts.by_client.find(client);
        if (--found->second == 0) counts.by_client.erase(found);
    });
}

std::size_t ConnectionLimits::open() const {
    return counts_.with([](const Counts& counts) { return counts.open; });
}

}  // namespace thurn::inbound
