#pragma once

#include <string>
#include <string_view>

namespace thurn::report {

/// The first 2000 octets; what is not printable US-ASCII becomes `?`.
[[nodiscard]] std::string printable(std::string_view text);

/// `Name: value` and CRLF, folded at spaces; a word of over 500 octets is broken.
/// Precondition   The value is printable US-ASCII.
[[nodiscard]] std::string render_field(std::string_view name, std::string_view value);

}  // namespace thurn::report
