#pragma once

#include "spool/message.h"

#include <string>
#include <string_view>

namespace thurn::spool {

inline constexpr std::string_view kHeldBecause = "held: ";  // what `last_status` begins with where a rule or a filter holds the message

/// Why somebody has to look at the message before it goes on. Precondition: it is held.
[[nodiscard]] inline std::string why_held(const RecipientState& state) {
    return state.last_status.starts_with(kHeldBecause) ? state.last_status : "held by the operator";
}

}  // namespace thurn::spool
