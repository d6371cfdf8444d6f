#include "inbound/listeners_of.h"

#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace thurn::inbound {

namespace {

/// A role's listeners, as rules know them.
std::string_view listeners_of(policy::Role role) {
    switch (role) {
        case policy::Role::mx:
            return R"("mx")";
        case policy::Role::submission:
            return R"("submission", "submissions")";
        case policy::Role::lmtp:
            return R"("lmtp")";
    }
    return {};
}

}  // namespace

std::string on_listeners_of(const std::vector<policy::Role>& roles) {
    std::vector<std::string_view> names;
    for (const auto role : roles) names.push_back(listeners_of(role));
    return fmt::format("listener in [{}]", fmt::join(names, ", "));
}

}  // namespace thurn::inbound
