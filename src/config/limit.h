#pragma once

#include "base/result.h"
#include "policy/limit.h"

#include <string>
#include <string_view>

namespace thurn::config {

/// Reads `500/1h`, `20/1m`, `100MiB/1d`: an amount, a slash, a duration. Without a unit the amount is one of things,
/// with one (`KiB`, `MiB`, …) of octets.
/// Errors   `syntax`; `too_long`; `invalid`: one of them is 0.
[[nodiscard]] base::Result<policy::Limit> parse_limit(std::string_view text);
/// As parse_limit() reads it.
[[nodiscard]] std::string render_limit(const policy::Limit& limit);

}  // namespace thurn::config
