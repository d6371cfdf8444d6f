#include "route/address.h"

#include <algorithm>

namespace thurn::route {

std::string render_address(const Address& address) { return dns::render_ip(address); }

std::optional<Address> parse_address(std::string_view text) { return dns::parse_ip(text); }

bool is_this_machine(const Address& given) {
    const Address address = unmapped(given);
    // RFC 1122 §3.2.1.3: 0/8 is "this host on this network"; a connect to it goes to loopback.
    if (const auto* ipv4 = std::get_if<dns::Ipv4>(&address)) return ipv4->octets[0] == 127 || ipv4->octets[0] == 0;
    const auto& octets = std::get<dns::Ipv6>(address).octets;
    const bool leading_zeroes = std::all_of(octets.begin(), octets.end() - 1, [](std::uint8_t octet) { return octet == 0; });
    return leading_zeroes && octets.back() <= 1;  // RFC 4291 §2.5.2, §2.5.3
}

}  // namespace thurn::route
