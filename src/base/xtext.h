#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace thurn::base {

/// RFC 3461 §4: `+HH` for what is not printable US-ASCII, for `+` and for `=`.
[[nodiscard]] std::string encode_xtext(std::string_view octets);
/// Errors   `syntax`: an octet outside xtext, or `+` without two upper-case hex digits.
[[nodiscard]] Result<std::string> decode_xtext(std::string_view text);

}  // namespace thurn::base
