#include "inbound/scanner_options.h"

#include "policy/walk.h"

#include <gtest/gtest.h>

namespace thurn::inbound {
namespace {

using policy::Action;
using policy::Role;
using policy::Stage;
using Kind = ScannerOptions::Kind;
using DefaultAction = ScannerOptions::DefaultAction;

/// What the scanner's rules do with a message of that listener, where the fact is as given.
Action ruled(const ScannerOptions& scanner, const std::string& listener, std::string_view name, const policy::FactValue& value) {
    policy::RuleSet rules;
    for (auto& rule : rules_of(scanner)) {
        const auto added = rules.add(std::move(rule));
        EXPECT_TRUE(added) << added.error().detail;
    }
    policy::FactSheet facts(rules.facts().size());
    policy::Marks marks;
    policy::Walk walk(rules, Stage::content, facts, marks);
    while (!walk.done())
        for (const auto fact : std::vector(walk.wanted().begin(), walk.wanted().end())) {
            EXPECT_TRUE(rules.facts()[fact].name == "listener" || rules.facts()[fact].name == name);
            facts.set(fact, rules.facts()[fact].name == "listener" ? policy::FactValue(listener) : value);
        }
    const auto ruling = walk.take();
    return ruling.decider() ? ruling.decider()->rule->said.action : Action::none;
}

const policy::FactValue kInfected = std::string("Eicar");
const policy::FactValue kClean = std::string();
const policy::FactValue kDown = policy::Unavailable{"gone"};

TEST(ScannerRules, RefuseAVirusAndNothingElse) {
    const ScannerOptions clamd{.name = "c"};
    EXPECT_EQ(ruled(clamd, "mx", "virus", kInfected), Action::reject);
    EXPECT_EQ(ruled(clamd, "mx", "virus", kClean), Action::none);
}

TEST(ScannerRules, HoldOnTheScannersListenersOnly) {
    const ScannerOptions users{.name = "c", .on = {Role::submission}};
    EXPECT_EQ(ruled(users, "mx", "virus", kInfected), Action::none);
    EXPECT_EQ(ruled(users, "mx", "virus", kDown), Action::none);
    EXPECT_EQ(ruled(users, "submission", "virus", kInfected), Action::reject);
    EXPECT_EQ(ruled(users, "submissions", "virus", kInfected), Action::reject);
    EXPECT_EQ(ruled({.name = "c", .on = {Role::mx, Role::lmtp}}, "lmtp", "virus", kInfected), Action::reject);
}

TEST(ScannerRules, SayWhatToDoWithoutIt) {
    EXPECT_EQ(ruled({.name = "c"}, "mx", "virus", kDown), Action::defer);
    EXPECT_EQ(ruled({.name = "c", .default_action = DefaultAction::quarantine}, "mx", "virus", kDown), Action::hold);
    EXPECT_EQ(ruled({.name = "c", .default_action = DefaultAction::accept}, "mx", "virus", kDown), Action::none);
    EXPECT_EQ(ruled({.name = "s", .kind = Kind::spamd}, "mx", "spam", kDown), Action::defer);
}

TEST(ScannerRules, DoWithSpamAsTheyAreTold) {
    for (const auto action : {Action::reject, Action::junk, Action::hold, Action::discard}) {
        EXPECT_EQ(ruled({.name = "s", .kind = Kind::spamd, .action = action}, "mx", "spam", true), action);
        EXPECT_EQ(ruled({.name = "s", .kind = Kind::spamd, .action = action}, "mx", "spam", false), Action::none);
    }
    EXPECT_TRUE(rules_of({.name = "s", .kind = Kind::spamd, .action = Action::none}).empty());
}

}  // namespace
}  // namespace thurn::inbound
