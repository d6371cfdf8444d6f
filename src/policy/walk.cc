#include "policy/walk.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace thurn::policy {

namespace {

void make_unique(std::vector<std::size_t>& indices) {
    std::ranges::sort(indices);
    const auto rest = std::ranges::unique(indices);
    indices.erase(rest.begin(), rest.end());
}

std::string facts_told(const std::vector<std::size_t>& read, const RuleSet& rules, const FactSheet& facts) {
    std::string told;
    for (const auto fact : read)
        told += fmt::format("{}{} = {}", told.empty() ? "" : ", ", rules.facts()[fact].name, render_fact(facts[fact]));
    return told;
}

}  // namespace

Walk::Walk(const RuleSet& rules, Stage stage, FactSheet& facts, Marks& marks, Watch watch)
    : rules_(rules), stage_(rules.at(stage)), facts_(facts), marks_(marks), watch_(std::move(watch)) {
    tell_marks();
}

bool Walk::done() {
    while (at_ < stage_.size() && !ruling_.decider()) {
        reading_ = {};
        const auto truth = judge(stage_[at_]);
        make_unique(reading_.wanted);
        if (truth == Truth::wanted) return false;
        make_unique(reading_.read);
        if (watch_) watch_(stage_[at_], truth, facts_told(reading_.read, rules_, facts_));
        if (truth == Truth::yes) apply(stage_[at_]);
        ++at_;
    }
    reading_.wanted.clear();
    return true;
}

/// Its reply may need facts that its condition did not.
Truth Walk::judge(const Rule& rule) {
    const auto truth = rule.when ? rule.when->evaluate(facts_, reading_) : Truth::yes;
    if (truth != Truth::yes) return truth;
    reading_.wanted.clear();
    for (const auto fact : rule.text.facts())
        if (!facts_.knows(fact)) reading_.wanted.push_back(fact);
    return reading_.wanted.empty() ? Truth::yes : Truth::wanted;
}

void Walk::apply(const Rule& rule) {
    ruling_.applied.push_back({&rule, facts_told(reading_.read, rules_, facts_)});
    marks_.score += rule.said.score;
    if (!rule.said.tag.empty() && std::ranges::find(marks_.tags, rule.said.tag) == marks_.tags.end()) marks_.tags.push_back(rule.said.tag);
    if (!rule.said.header.empty()) marks_.headers.push_back(rule.said.header);
    tell_marks();
}

void Walk::tell_marks() {
    if (const auto score = rules_.find("score")) facts_.set(*score, marks_.score);
    if (const auto tags = rules_.find("tags")) facts_.set(*tags, Texts(marks_.tags));
}

/// With what is known: nobody is asked for a rule that has no say.
std::string Walk::find_next() {
    for (auto next = at_; next < stage_.size(); ++next) {
        const auto& rule = stage_[next];
        if (rule.said.action == Action::none) continue;
        Reading ignored;
        const auto truth = rule.when ? rule.when->evaluate(facts_, ignored) : Truth::yes;
        if (truth == Truth::yes) return rule.said.name;
    }
    return {};
}

Ruling Walk::take() {
    if (ruling_.decider()) ruling_.next = find_next();
    return std::move(ruling_);
}

Decision decision_of(const Applied& applied, Stage stage, const FactSheet& facts) {
    const auto& rule = applied.rule->said;
    auto text = applied.rule->text.render(facts);
    Decision decision{.kind = Decision::Kind::reject, .rule = rule.name, .reason = {}, .code = 550, .status = {5, 7, 1}, .text = {}};
    if (rule.action == Action::defer) {
        decision.kind = Decision::Kind::defer;
        decision.code = 450;
        decision.status = {4, 7, 1};
    } else if (rule.action == Action::disconnect) {
        decision.kind = Decision::Kind::defer;
        decision.code = 421;
        decision.status = {4, 7, 0};
    }
    const bool rejects = decision.kind == Decision::Kind::reject;
    if (stage == Stage::connect) decision.code = rejects ? 554 : 421;                       // RFC 5321 §3.1, §4.3.2
    if (stage == Stage::auth && decision.code != 421) decision.code = rejects ? 535 : 454;  // RFC 4954 §6
    decision.text = text.empty() ? fmt::format("refused by a rule of this server ({})", rule.name) : std::move(text);
    return decision;
}

std::string reason_of(const Applied& applied, const Ruling& ruling) {
    return fmt::format("{}{}{}{}", applied.because.empty() ? "always" : applied.because, " at ", applied.rule->said.origin,
                       ruling.next.empty() || ruling.decider() != &applied ? "" : fmt::format("; next would have been {}", ruling.next));
}

}  // namespace thurn::policy
