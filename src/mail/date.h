#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <string>
#include <string_view>

namespace thurn::mail {

/// `Sun, 22 Nov 2026 01:37:22 +0000` (RFC 5322 §3.3), always in UTC.
[[nodiscard]] std::string render_date(base::Time time);
/// `2026-11-22T01:37:22.123Z` (RFC 3339), for traces, listings and JSON.
[[nodiscard]] std::string render_timestamp(base::Time time);

/// Reads a timestamp in UTC: `2026-11-22T01:37:22Z`, with or without a fraction, of which milliseconds are kept.
/// Errors   `syntax`: any other form. `invalid`: no such day or hour. A leap second is the first of the next minute.
[[nodiscard]] base::Result<base::Time> parse_timestamp(std::string_view text);

}  // namespace thurn::mail
