#pragma once

#include "base/result.h"

#include <chrono>
#include <string>
#include <string_view>

namespace thurn::config {

/// Reads `30s`, `5m`, `4h`, `5d`; a plain number is refused: its unit would be a guess.
[[nodiscard]] base::Result<std::chrono::seconds> parse_duration(std::string_view text);
/// In the largest unit that divides it.
[[nodiscard]] std::string render_duration(std::chrono::seconds duration);

}  // namespace thurn::config
