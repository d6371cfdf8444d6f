#include "app/explain_rules.h"

#include "policy/content.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace thurn::app {

using policy::Action;
using policy::Stage;

namespace {

policy::FactValue exists(std::string_view recipient_kind) {
    if (recipient_kind == "unknown") return false;
    if (recipient_kind == "account" || recipient_kind == "alias") return true;
    return policy::Unavailable{"only the server asks next hops"};
}

/// What a rule or who it asks leaves on the message, and does with it.
struct Deeds {
    Action action = Action::none;
    std::string_view to{};
    double score = 0;
    std::string_view tag{};
    std::string_view header{};
};

std::string describe(const Deeds& deeds) {
    std::string all;
    const auto add = [&all](std::string_view one) { all += fmt::format("{}{}", all.empty() ? "" : ", ", one); };
    if (deeds.action != Action::none)
        add(deeds.to.empty() ? std::string(name_of(deeds.action)) : fmt::format("{} to {}", name_of(deeds.action), deeds.to));
    if (deeds.score != 0) add(fmt::format("score {:g}", deeds.score));
    if (!deeds.tag.empty()) add(fmt::format("tag \"{}\"", deeds.tag));
    if (!deeds.header.empty()) add(fmt::format("header \"{}\"", deeds.header));
    return all;
}

std::string describe(const policy::RuleText& said) {
    auto all = describe({said.action, said.to, said.score, said.tag, said.header});
    if (said.delay.count() > 0) all += fmt::format("{}delay {}s", all.empty() ? "" : ", ", said.delay.count());
    if (said.alarm) all += fmt::format("{}alarm", all.empty() ? "" : ", ");
    return all;
}

std::string describe(const policy::Advice& advice) { return describe({advice.action, advice.to, advice.score, advice.tag, advice.header}); }

}  // namespace

base::Result<void> RuleExplanation::test_lists() {
    for (const auto& list : book_.lists.all()) {
        auto answers = resolver_.ask(list->test_questions());
        if (!answers) return base::pass_on(answers);
        list->take_test(*answers);
    }
    return {};
}

base::Result<policy::FactValue> RuleExplanation::ask_directory(const std::string& asked) {
    const auto domain = mail::parse_domain(asked, mail::Charset::utf8);
    if (!domain) return false;
    auto directory = sources_.directory();
    if (!directory) return base::pass_on(directory);
    auto ours = (*directory)->is_local_domain(*domain);
    if (!ours) return base::pass_on(ours);
    return *ours;
}

base::Result<policy::FactValue> RuleExplanation::find_out(const policy::Fact& fact, const policy::Situation& now) {
    if (!fact.kind->looked_up) return policy::fact_of(fact, now);
    if (policy::asks_greylist(fact)) return sources_.greylist(now);
    if (policy::asks_next_hop(fact)) return exists(now.recipient_kind);
    if (policy::asks_directory(fact)) return ask_directory(policy::domain_asked(fact, now));
    if (policy::content_source(fact) != policy::ContentSource::none) return sources_.content(fact);
    const auto lookup = policy::begin_lookup(fact, now.subject(), book_.lists);
    if (auto answered = resolver_.answer_all(*lookup); !answered) return base::pass_on(answered);
    return lookup->take();
}

/// What is known at once first, as the server does.
base::Result<void> RuleExplanation::gather(std::vector<std::size_t> wanted, const policy::Situation& now) {
    const auto looked_up = [this](std::size_t fact) { return book_.rules.facts()[fact].kind->looked_up; };
    if (!std::ranges::all_of(wanted, looked_up)) std::erase_if(wanted, looked_up);
    for (const auto fact : wanted) {
        auto value = find_out(book_.rules.facts()[fact], now);
        if (!value) return base::pass_on(value);
        facts_.set(fact, *std::move(value));
    }
    return {};
}

base::Result<ScriptTold> RuleExplanation::ask_outside(const policy::Rule& rule, const policy::Situation& now) {
    for (const auto& script : scripts_)
        if (script.asked.name == rule.said.ask)
            return run_script(script, rule, resolver_, [&](const policy::Fact& fact) -> base::Result<policy::FactValue> {
                if (fact.kind->name == "score") return story_.marks.score;
                if (fact.kind->name == "tags") return story_.marks.tags;
                return find_out(fact, now);
            });
    return ScriptTold{.advice = {.said = "nothing, only the server asks it"}, .log = {}};
}

void RuleExplanation::tell(const policy::Rule& rule, policy::Truth truth, const std::string& facts, const ScriptTold& heard) {
    const auto& said = rule.said;
    RuleTold told{said.name, said.origin, truth, said.action, describe(said), facts};
    if (!said.ask.empty() && truth == policy::Truth::yes) {
        told.action = heard.advice.action;
        told.does = describe(heard.advice);
        told.facts += fmt::format("{}{} said: {}", facts.empty() ? "" : ", ", said.ask, heard.advice.said);
        for (const auto& line : heard.log) told.facts += fmt::format(", {} wrote: {}", said.ask, line);
    }
    story_.tell(said.stage, std::move(told));
}

void RuleExplanation::tell_rest(Stage stage, std::size_t reached) {
    RulesLeft left;
    const auto& all = book_.rules.at(stage);
    for (auto rule = reached; rule < all.size(); ++rule) left.rules.push_back(all[rule].said.name);
    if (!left.rules.empty()) story_.tell(stage, std::move(left));
}

/// False: it is refused.
bool RuleExplanation::settle(Stage stage, const policy::Ruling& ruling) {
    const auto* decider = ruling.decider();
    if (!decider) return true;
    const auto action = decider->action();
    const auto& rule = decider->rule->said.name;
    if (action == Action::junk) story_.file(policy::Filing::junk, rule);
    if (action == Action::hold) story_.file(policy::Filing::hold, rule);
    if (action == Action::discard) story_.discarded_by = rule;
    if (action == Action::redirect) story_.redirected_to = decider->to();
    if (!refuses(action)) return true;
    story_.refusal = Story::Refusal{stage, policy::decision_of(*decider, stage, facts_)};
    story_.refusal->decision.reason = policy::reason_of(*decider, ruling);
    return false;
}

base::Result<bool> RuleExplanation::ask(Stage stage, const policy::Situation& now) {
    for (std::size_t fact = 0; fact < facts_.size(); ++fact)
        if (!book_.rules.facts()[fact].kind->looked_up) facts_.forget(fact);
    ScriptTold heard;
    std::size_t reached = 0;
    policy::Walk walk(book_.rules, stage, facts_, story_.marks,
                      [&](const policy::Rule& rule, policy::Truth truth, const std::string& facts) {
                          ++reached;
                          tell(rule, truth, facts, heard);
                      });
    while (!walk.done()) {
        if (const auto* rule = walk.asking()) {
            auto told = ask_outside(*rule, now);
            if (!told) return base::pass_on(told);
            heard = *std::move(told);
            walk.answer(heard.advice);
            continue;
        }
        if (auto gathered = gather({walk.wanted().begin(), walk.wanted().end()}, now); !gathered) return base::pass_on(gathered);
    }
    tell_rest(stage, reached);
    return settle(stage, walk.take());
}

}  // namespace thurn::app
