#pragma once

#include "config/config.h"

#include <string>
#include <vector>

namespace thurn::app {

/// The keys that differ between the settings a server was started with and those a reload brought, and that only a restart puts in force;
/// each once, in order.
[[nodiscard]] std::vector<std::string> changes_for_a_restart(const std::vector<config::Setting>& started,
                                                             const std::vector<config::Setting>& reloaded);

}  // namespace thurn::app
