#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace thurn::mail {

// Both forms of international domain names (RFC 5890 §2.3.2.1). A trailing dot is kept.

/// In A-labels and lower case, as DNS has it.
/// Errors   As parse_domain(); `invalid` also for an A-label that stands for nothing.
[[nodiscard]] base::Result<std::string> to_a_labels(std::string_view name);
/// In U-labels, for people.
/// Errors   Likewise.
[[nodiscard]] base::Result<std::string> to_u_labels(std::string_view name);

}  // namespace thurn::mail
