#pragma once

#include "dns/dns.h"

#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace thurn::route {

using Address = std::variant<dns::Ipv4, dns::Ipv6>;

[[nodiscard]] std::string render_address(const Address& address);
/// Reads `192.0.2.1` or `2001:db8::1`, without brackets, port or zone; nothing when it is none.
[[nodiscard]] std::optional<Address> parse_address(std::string_view text);
/// An IPv4 address in its IPv6 form (`::ffff:192.0.2.1`) as what it is: one host, one form.
[[nodiscard]] Address unmapped(const Address& address);
/// Whether a connection to it ends on this very machine: 127.0.0.0/8, ::1, 0.0.0.0/8 and ::, in any form.
[[nodiscard]] bool is_this_machine(const Address& address);

}  // namespace thurn::route
