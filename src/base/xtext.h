#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace thurn::base {

/// RFC 3461 §4: `+HH` for what is not printable US-ASCII, for `+` and for `=`.
[[nodiscard]] std::string encode_xtext(std::string_view octets);
/// Errors   `syntax`: an octet outside xtext, or `+` without two upper-case hex digits.
[[nodiscard]] Result<std::string> decode_xtext(std::string_view text);

/// RFC 6533 §3, utf-8-addr-xtext: `\x{HEX}` for each character beyond US-ASCII, for space, `+`, `=` and `\`. Precondition: UTF-8.
[[nodiscard]] std::string encode_utf8_xtext(std::string_view octets);
/// Takes utf-8-addr-unitext too, in which UTF-8 stands as it is. Gives UTF-8 without control characters.
/// Errors   `syntax`: an octet outside both, not UTF-8, or `\` without `x{HEX}` of a character that needs it.
[[nodiscard]] Result<std::string> decode_utf8_xtext(std::string_view text);

}  // namespace thurn::base
