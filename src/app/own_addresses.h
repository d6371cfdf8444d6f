#pragma once

#include "config/config.h"
#include "route/hosts.h"

#include <vector>

namespace thurn::app {

/// All addresses at which this machine takes mail for its domains: those the mx listeners are bound to, wildcards resolved to the
/// interfaces'.
[[nodiscard]] std::vector<route::Address> own_addresses(const std::vector<config::ListenerConfig>& listeners);

}  // namespace thurn::app
