#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace thurn::mail {

/// Reads `[192.0.2.1]` or `[IPv6:2001:db8::1]` with its brackets and gives the one form in which such literals are compared: decimal
/// without leading zeros, IPv6 as RFC 5952 §4 has it.
/// Errors   `syntax`; `invalid`: a tag other than IPv6, as none is registered (RFC 5321 §4.1.3).
[[nodiscard]] base::Result<std::string> normalize_address_literal(std::string_view text);

}  // namespace thurn::mail
