#pragma once

#include <string_view>

namespace thurn::base {

/// Whether all octets are well-formed UTF-8: no overlong forms, no surrogates, nothing over U+10FFFF.
/// Source   RFC 3629 §4.
[[nodiscard]] bool is_utf8(std::string_view octets);

}  // namespace thurn::base
