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

}  // namespace

base::Result<void> RuleExplanation::test_lists() {
    for (const auto& list : book_.lists.all()) {
        auto answers = resolver_.ask(list->test_questions());
        if (!answers) return base::pass_on(answers);
        list->take_test(*answers);
    }
    return {};
}

base::Result<policy::FactValue> RuleExplanation::find_out(const policy::Fact& fact, const policy::Situation& now) {
    if (!fact.kind->looked_up) return policy::fact_of(fact, now);
    if (policy::asks_greylist(fact)) return greylist_(now);
    if (policy::asks_next_hop(fact)) return exists(now.recipient_kind);
    if (policy::asks_directory(fact)) {
        const auto domain = mail::parse_domain(policy::domain_asked(fact, now), mail::Charset::utf8);
        if (!domain) return false;
        auto directory = directory_();
        if (!directory) return base::pass_on(directory);
        auto ours = (*directory)->is_local_domain(*domain);
        if (!ours) return base::pass_on(ours);
        return *ours;
    }
    if (policy::content_source(fact) != policy::ContentSource::none)
        return policy::Unavailable{"only the server looks into content and asks scanners"};
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
                if (fact.kind->name == "score") return marks_.score;
                if (fact.kind->name == "tags") return marks_.tags;
                return find_out(fact, now);
            });
    return ScriptTold{.advice = {.said = "nothing, only the server asks it"}, .log = {}};
}

base::Result<bool> RuleExplanation::ask(Stage stage, const policy::Situation& now) {
    for (std::size_t fact = 0; fact < facts_.size(); ++fact)
        if (!book_.rules.facts()[fact].kind->looked_up) facts_.forget(fact);
    ScriptTold heard;
    policy::Walk walk(book_.rules, stage, facts_, marks_, [&](const policy::Rule& rule, policy::Truth truth, const std::string& facts) {
        told_.push_back({stage, rule.said.name, rule.said.origin, truth, rule.said.action, facts});
        if (rule.said.ask.empty() || truth != policy::Truth::yes) return;
        told_.back().action = heard.advice.action;
        told_.back().facts += fmt::format("{}{} said: {}", facts.empty() ? "" : ", ", rule.said.ask, heard.advice.said);
        for (const auto& line : heard.log) told_.back().facts += fmt::format(", {} wrote: {}", rule.said.ask, line);
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
    const auto ruling = walk.take();
    const auto* decider = ruling.decider();
    if (!decider) return true;
    const auto action = decider->action();
    if (action != Action::reject && action != Action::defer && action != Action::disconnect) return true;
    refusal_ = policy::decision_of(*decider, stage, facts_);
    refusal_->reason = policy::reason_of(*decider, ruling);
    return false;
}

base::Result<void> explain_all(RuleExplanation& rules, policy::Situation now, const std::optional<mail::Mailbox>& recipient,
                               std::string_view recipient_kind) {
    if (auto tested = rules.test_lists(); !tested) return tested;
    const auto header = std::exchange(now.header, std::string_view());
    const auto* findings = std::exchange(now.findings, nullptr);
    for (const auto stage : {Stage::connect, Stage::helo, Stage::auth, Stage::mail, Stage::rcpt, Stage::data, Stage::content}) {
        if (stage == Stage::auth && now.login.empty()) continue;
        if (stage == Stage::rcpt && !recipient) continue;
        if (stage == Stage::rcpt) {
            now.recipient = &*recipient;
            now.recipient_kind = recipient_kind;
        }
        if (stage == Stage::data && recipient) {
            now.recipient_count = 1;
            now.recipients = [&] { return policy::Texts{mail::render_mailbox(*recipient)}; };
        }
        if (stage == Stage::content) {
            now.header = header;
            now.findings = findings;
        }
        auto passed = rules.ask(stage, now);
        if (!passed) return base::pass_on(passed);
        if (!*passed) return {};
    }
    return {};
}

}  // namespace thurn::app
