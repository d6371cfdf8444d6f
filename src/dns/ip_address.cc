#include "dns/ip_address.h"

#include <algorithm>
#include <array>

#include <arpa/inet.h>  // text forms only: inet_pton

namespace thurn::dns {
namespace {

constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};  // RFC 4291 §2.5.5.2

template <std::size_t Size>
bool agree(const std::array<std::uint8_t, Size>& a, const std::array<std::uint8_t, Size>& b, unsigned bits) {
    const std::size_t whole = std::min<std::size_t>(bits / 8, Size);
    if (!std::equal(a.begin(), a.begin() + whole, b.begin())) return false;
    if (whole == Size || bits % 8 == 0) return true;
    return ((a[whole] ^ b[whole]) >> (8 - bits % 8)) == 0;
}

}  // namespace

std::optional<IpAddress> parse_ip(std::string_view text) {
    const std::string terminated(text);
    if (terminated.find('\0') != std::string::npos) return std::nullopt;
    Ipv4 ipv4;
    if (::inet_pton(AF_INET, terminated.c_str(), ipv4.octets.data()) == 1) return ipv4;
    Ipv6 ipv6;
    if (::inet_pton(AF_INET6, terminated.c_str(), ipv6.octets.data()) == 1) return ipv6;
    return std::nullopt;
}

std::string render_ip(const IpAddress& address) {
    const auto* ipv4 = std::get_if<Ipv4>(&address);
    return ipv4 != nullptr ? render_ipv4(*ipv4) : render_ipv6(std::get<Ipv6>(address));
}

IpAddress unmapped(const IpAddress& address) {
    const auto* ipv6 = std::get_if<Ipv6>(&address);
    if (ipv6 == nullptr || !std::equal(kMapped.begin(), kMapped.end(), ipv6->octets.begin())) return address;
    Ipv4 ipv4;
    std::copy_n(ipv6->octets.begin() + kMapped.size(), ipv4.octets.size(), ipv4.octets.begin());
    return ipv4;
}

bool in_network(const IpAddress& address, const IpAddress& network, unsigned bits) {
    if (address.index() != network.index()) return false;
    if (const auto* ipv4 = std::get_if<Ipv4>(&address)) return agree(ipv4->octets, std::get<Ipv4>(network).octets, bits);
    return agree(std::get<Ipv6>(address).octets, std::get<Ipv6>(network).octets, bits);
}

std::string reverse_name(const IpAddress& address) {
    return std::visit([](const auto& family) { return reverse_name(family); }, address);
}

Type address_type(const IpAddress& address) { return std::holds_alternative<Ipv4>(address) ? Type::a : Type::aaaa; }

std::vector<IpAddress> addresses_in(const Answer& answer) {
    std::vector<IpAddress> addresses;
    for (const Record& record : answer.records) {
        if (const auto* ipv4 = std::get_if<Ipv4>(&record)) addresses.emplace_back(*ipv4);
        if (const auto* ipv6 = std::get_if<Ipv6>(&record)) addresses.emplace_back(*ipv6);
    }
    return addresses;
}

}  // namespace thurn::dns
