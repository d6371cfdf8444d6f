#pragma once

#include "mailauth/findings.h"
#include "policy/authentication_rule.h"
#include "policy/rate.h"
#include "policy/walk.h"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace thurn::app {

/// A rule that was reached, and what came of it.
struct RuleTold {
    std::string rule;
    std::string origin;
    policy::Truth truth;
    policy::Action action;
    std::string does;   // if it applies: `reject`, `score 2, tag "odd"`; empty: nothing
    std::string facts;  // that it read
};

/// Rules of a stage behind the one that decided.
struct RulesLeft {
    std::vector<std::string> rules;
};

/// What something else than a rule of the configuration says.
struct DecisionTold {
    policy::Decision decision;
    policy::Filing filing = policy::Filing::inbox;
};

/// Something to be known about what is told, or why it is not.
struct Remarked {
    std::string text;
};

/// One thing on the message's way.
struct Step {
    policy::Stage stage;
    std::variant<RuleTold, RulesLeft, policy::Counting, DecisionTold, Remarked> what;
};

/// What would become of a message, and why, in the order in which a conversation comes to it.
struct Story {
    std::vector<Step> steps;
    policy::Marks marks;  // left by rules
    policy::Filing filing = policy::Filing::inbox;
    std::string filed_by;      // the rule that said so last
    std::string discarded_by;  // the rule; empty: it is not
    std::string redirected_to;
    struct Refusal {
        policy::Stage stage;
        policy::Decision decision;
    };
    std::optional<Refusal> refusal;  // with which it ends

    void tell(policy::Stage stage, decltype(Step::what) what) { steps.push_back({stage, std::move(what)}); }
    /// False if it is a refusal.
    bool decide(policy::Stage stage, DecisionTold told) {
        if (told.decision.kind != policy::Decision::Kind::accept) refusal = Refusal{stage, told.decision};
        file(told.filing, told.decision.rule);
        tell(stage, std::move(told));
        return !refusal;
    }
    /// Further away from its readers, never nearer.
    void file(policy::Filing where, const std::string& rule) {
        if (where <= filing) return;
        filing = where;
        filed_by = rule;
    }
};

}  // namespace thurn::app
