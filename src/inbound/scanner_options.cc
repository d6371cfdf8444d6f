#include "inbound/scanner_options.h"

#include "inbound/listeners_of.h"

#include <fmt/format.h>

namespace thurn::inbound {

namespace {

using policy::Action;
using Kind = ScannerOptions::Kind;
using DefaultAction = ScannerOptions::DefaultAction;

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
                     .when = fmt::format("{} and {}", on_listeners_of(scanner.on), clamd ? R"(virus != "")" : "spam"),
                     .action = scanner.action,
                     .text = found_text(scanner),
                     .origin = scanner.origin});
    if (scanner.default_action == DefaultAction::accept) return rules;
    const bool defers = scanner.default_action == DefaultAction::tempfail;
    rules.push_back({.name = "scanner." + scanner.name + ".down",
                     .when = fmt::format("{} and {} unavailable", on_listeners_of(scanner.on), clamd ? "virus" : "spam"),
                     .action = defers ? Action::defer : Action::hold,
                     .text = defers ? "the message cannot be checked at the moment, please try again later" : "",
                     .origin = scanner.origin});
    return rules;
}

}  // namespace thurn::inbound
