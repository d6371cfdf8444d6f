#pragma once

#include <string_view>

namespace thurn::base {

/// Whether `*` (any run) and `?` (one octet) of the pattern can be filled so that it is the text. Without case, US-ASCII's.
[[nodiscard]] bool matches_glob(std::string_view pattern, std::string_view text);

}  // namespace thurn::base
