#pragma once

#include "admin/control_server.h"
#include "config/config.h"

namespace thurn::app {

/// Asks the running server about alarms and watched accounts; where none runs, what it left.
[[nodiscard]] admin::ControlResult ask_watch(const config::Config& config, const boost::json::object& request);

}  // namespace thurn::app
