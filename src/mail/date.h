#pragma once

#include "base/clock.h"

#include <string>

namespace thurn::mail {

/// `Sun, 22 Nov 2026 01:37:22 +0000` (RFC 5322 §3.3), always in UTC.
[[nodiscard]] std::string render_date(base::Time time);
/// `2026-11-22T01:37:22.123Z` (RFC 3339), for traces, listings and JSON.
[[nodiscard]] std::string render_timestamp(base::Time time);

}  // namespace thurn::mail
