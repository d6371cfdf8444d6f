#pragma once

#include "inbound/asked.h"
#include "net/tls.h"
#include "script/program.h"

#include <chrono>
#include <memory>

namespace thurn::inbound {

/// A script that says what to do.
struct ScriptOptions {
    Asked asked{};
    std::shared_ptr<const script::Program> program{};
    std::shared_ptr<const net::TlsContext> tls{};  // for https that it asks
    std::chrono::seconds time_limit{30};           // of one run with all that it waits for
};

inline constexpr std::string_view kScript = "script";  // what its rules are called by

}  // namespace thurn::inbound
