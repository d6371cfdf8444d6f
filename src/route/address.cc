#include "route/address.h"

#include <algorithm>

#include <arpa/inet.h>  // text forms only: inet_pton

namespace thurn::route {
namespace {

constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};  // RFC 4291 §2.5.5.2

}  // namespace

std::string render_address(const Address& address) {
    const auto* ipv4 = std::get_if<dns::Ipv4>(&address);
    return ipv4 != nullptr ? dns::render_ipv4(*ipv4) : dns::render_ipv6(std::get<dns::Ipv6>(address));
}

std::optional<Address> parse_address(std::string_view text) {
    const std::string terminated(text);
    if (terminated.find('\0') != std::string::npos) return std::nullopt;
    dns::Ipv4 ipv4;
    if (::inet_pton(AF_INET, terminated.c_str(), ipv4.octets.data()) == 1) return ipv4;
    dns::Ipv6 ipv6;
    if (::inet_pton(AF_INET6, terminated.c_str(), ipv6.octets.data()) == 1) return ipv6;
    return std::nullopt;
}

Address unmapped(const Address& address) {
    const auto* ipv6 = std::get_if<dns::Ipv6>(&address);
    if (ipv6 == nullptr || !std::equal(kMapped.begin(), kMapped.end(), ipv6->octets.begin())) return address;
    dns::Ipv4 ipv4;
    std::copy_n(ipv6->octets.begin() + kMapped.size(), ipv4.octets.size(), ipv4.octets.begin());
    return ipv4;
}

bool is_this_machine(const Address& given) {
    const Address address = unmapped(given);
    // RFC 1122 §3.2.1.3: 0/8 is "this host on this network"; a connect to it goes to loopback.
    if (const auto* ipv4 = std::get_if<dns::Ipv4>(&address)) return ipv4->octets[0] == 127 || ipv4->octets[0] == 0;
    const auto& octets = std::get<dns::Ipv6>(address).octets;
    const bool leading_zeroes = std::all_of(octets.begin(), octets.end() - 1, [](std::uint8_t octet) { return octet == 0; });
    return leading_zeroes && octets.back() <= 1;  // RFC 4291 §2.5.2, §2.5.3
}

}  // namespace thurn::route
