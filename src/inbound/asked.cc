#include "inbound/asked.h"

#include "inbound/listeners_of.h"

#include <fmt/format.h>

namespace thurn::inbound {

std::vector<policy::RuleText> rules_asking(const Asked& asked, std::string_view kind) {
    std::vector<policy::RuleText> rules;
    const auto where = on_listeners_of(asked.on);
    const auto name = fmt::format("{}.{}", kind, asked.name);
    for (const auto stage : asked.stages)
        rules.push_back({.name = asked.stages.size() == 1 ? name : fmt::format("{}.{}", name, name_of(stage)),
                         .stage = stage,
                         .when = asked.when.empty() ? where : fmt::format("{} and ({})", where, asked.when),
                         .ask = asked.name,
                         .tell = asked.tell,
                         .origin = asked.origin});
    return rules;
}

}  // namespace thurn::inbound
