#pragma once

#include "policy/recipient_rule.h"

#include <string>
#include <vector>

namespace thurn::inbound {

/// The condition that holds on the listeners of these roles: `listener in ["mx"]`.
[[nodiscard]] std::string on_listeners_of(const std::vector<policy::Role>& roles);

}  // namespace thurn::inbound
