#pragma once

#include "policy/rule.h"

#include <string>
#include <string_view>
#include <vector>

namespace thurn::inbound {

/// Whom rules ask, and when, unless rules of the configuration ask it where they stand.
struct Asked {
    std::string name{};                                      // for log, trace and rules
    std::vector<policy::Stage> stages{policy::Stage::rcpt};  // where it is asked, behind all rules
    std::vector<policy::Role> on{policy::Role::mx};
    std::string when{};               // a Condition
    std::vector<std::string> tell{};  // facts that are looked up for it
    std::string placed{};             // what the configuration said about where it is asked: one of its keys; empty: nothing
    std::string origin = "default";   // `thurn.toml:31`
};

/// The rules that ask it, one for each of its stages: `policy_server.NAME`, or with `.STAGE` where there are several.
[[nodiscard]] std::vector<policy::RuleText> rules_asking(const Asked& asked, std::string_view kind);

}  // namespace thurn::inbound
