#include "inbound/scanner_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace thurn::inbound {

namespace {

using policy::Action;
using Kind = ScannerOptions::Kind;
using DefaultAction = ScannerOptions::DefaultAction;

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

std::string where(const ScannerOptions& scanner) {
    std::vector<std::string_view> names;
    for (const auto role : scanner.on) names.push_back(listeners_of(role));
    return fmt::format("listener in [{}]", fmt::join(names, ", "));
}

std::string found_text(const ScannerOptions& scanner) {
    if (scanner.action != Action::reject) return {};
    return scanner.kind == Kind::clamd ? "the message holds {virus}" : "the message looks like spam";
}

}  // namespace

std::vector<policy::RuleText> rules_of(const ScannerOptions& scanner) {
    std::vector<policy::RuleText> rules;
    if (scanner.action == Action::none) return rules;
    const bool clamd = scanner.kind == Kind::clamd;
    rules.push_back({.name = "scanner." + scanner.name,
                     .when = fmt::format("{} and {}", where(scanner), clamd ? R"(virus != "")" : "spam"),
                     .action = scanner.action,
                     .text = found_text(scanner),
                     .origin = scanner.origin});
    if (scanner.default_action == DefaultAction::accept) return rules;
    const bool defers = scanner.default_action == DefaultAction::tempfail;
    rules.push_back({.name = "scanner." + scanner.name + ".down",
                     .when = fmt::format("{} and {} unavailable", where(scanner), clamd ? "virus" : "spam"),
                     .action = defers ? Action::defer : Action::hold,
                     .text = defers ? "the message cannot be checked at the moment, please try again later" : "",
                     .origin = scanner.origin});
    return rules;
}

}  // namespace thurn::inbound
