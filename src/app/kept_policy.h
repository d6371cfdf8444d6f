#pragma once

#include "admin/control_server.h"
#include "config/config.h"
#include "storage/policy_state.h"

#include <cstdint>
#include <functional>

namespace thurn::app {

/// What policy has learnt, as the server left it.
struct KeptPolicy {
    storage::PolicyState& state;  // what is added to it is restored; save() it if it is changed
    base::Time now;
    base::Log& log;      // drops all: it is the server's
    std::uint64_t seed;  // for what is made to be restored
};

/// Asks the running server. Where none runs but did, `answer` says what was left, and nobody starts one meanwhile.
[[nodiscard]] admin::ControlResult ask_or_open(const config::Config& config, const boost::json::object& request,
                                               const std::function<admin::ControlResult(const KeptPolicy&)>& answer);

}  // namespace thurn::app
