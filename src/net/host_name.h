#pragma once

#include <string>
#include <string_view>

namespace thurn::net {

/// Labels of letters, digits, `-` and `_`, at most 63 octets each and 253 in all; no trailing dot. What a peer calls a name and is none is
/// never looked up or logged.
[[nodiscard]] bool is_host_name(std::string_view text);
/// ASCII only.
[[nodiscard]] std::string to_lower(std::string_view text);

}  // namespace thurn::net
