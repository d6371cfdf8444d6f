#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace thurn::base {

/// The candidate a mistyped word most likely meant; empty when none is near.
[[nodiscard]] std::string nearest_word(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace thurn::base
