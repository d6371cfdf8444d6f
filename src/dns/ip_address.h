#pragma once

#include "dns/dns.h"

#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace thurn::dns {

using IpAddress = std::variant<Ipv4, Ipv6>;

/// Reads `192.0.2.1` or `2001:db8::1`, without brackets, port or zone; nothing when it is none.
[[nodiscard]] std::optional<IpAddress> parse_ip(std::string_view text);
[[nodiscard]] std::string render_ip(const IpAddress& address);
/// An IPv4 address in its IPv6 form (`::ffff:192.0.2.1`) as what it is: one host, one form.
[[nodiscard]] IpAddress unmapped(const IpAddress& address);
/// Whether both are of one family and agree in their first `bits` bits.
[[nodiscard]] bool in_network(const IpAddress& address, const IpAddress& network, unsigned bits);
[[nodiscard]] std::string reverse_name(const IpAddress& address);
/// The record type that holds addresses of that family: A or AAAA.
[[nodiscard]] Type address_type(const IpAddress& address);
/// The addresses among the records, in their order.
[[nodiscard]] std::vector<IpAddress> addresses_in(const Answer& answer);

}  // namespace thurn::dns
