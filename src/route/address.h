#pragma once

#include "dns/ip_address.h"

#include <optional>
#include <string>
#include <string_view>

namespace thurn::route {

using Address = dns::IpAddress;
using dns::unmapped;

[[nodiscard]] std::string render_address(const Address& address);
/// Reads `192.0.2.1` or `2001:db8::1`, without brackets, port or zone; nothing when it is none.
[[nodiscard]] std::optional<Address> parse_address(std::string_view text);
/// Whether a connection to it ends on this very machine: 127.0.0.0/8, ::1, 0.0.0.0/8 and ::, in any form.
[[nodiscard]] bool is_this_machine(const Address& address);

}  // namespace thurn::route
