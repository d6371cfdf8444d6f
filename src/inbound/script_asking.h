#pragma once

#include "inbound/idle_connections.h"
#include "inbound/script_options.h"
#include "net/resolver.h"
#include "policy/advice.h"
#include "script/program.h"

#include <chrono>

namespace thurn::inbound {

/// With what a script's questions are asked.
struct ScriptMeans {
    net::Resolver* resolver;  // null: DNS is unavailable
    IdleConnections& idle;
    std::chrono::seconds dns_limit;
};

/// Finds out what a script wants to know of DNS or the web.
/// Precondition: the step is one of these.
/// Errors   Go to the script, as unavailable.
[[nodiscard]] net::asio::awaitable<script::Heard> async_ask_for_script(const ScriptOptions& script, script::Step step, ScriptMeans means,
                                                                       net::Deadline deadline);

/// What becomes of a mail whose script failed: 451 4.3.0. The trace tells why, the client does not hear it.
[[nodiscard]] policy::Advice advice_of_failure(const base::Error& error);

}  // namespace thurn::inbound
