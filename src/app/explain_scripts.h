#pragma once

#include "app/tool_resolver.h"
#include "inbound/script_options.h"
#include "policy/advice.h"
#include "policy/rule.h"

#include <functional>
#include <string>
#include <vector>

namespace thurn::app {

/// What a script said, and what it wrote to the log meanwhile.
struct ScriptTold {
    policy::Advice advice;
    std::vector<std::string> log;
};

/// Runs a script as the server would; its shared table is empty. What it asks of DNS and the web is asked.
/// Errors   As ToolResolver and `find`; that the script fails is advice.
using FindFact = std::function<base::Result<policy::FactValue>(const policy::Fact&)>;
[[nodiscard]] base::Result<ScriptTold> run_script(const inbound::ScriptOptions& script, const policy::Rule& rule, ToolResolver& resolver,
                                                  const FindFact& find);

}  // namespace thurn::app
