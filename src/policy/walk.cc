#include "policy/walk.h"

#include "policy/fact_text.h"

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

std::string tell(const FactKind& kind, const FactValue& value) {
    const auto* texts = std::get_if<Texts>(&value);
    return kind.is_content && texts ? fmt::format("({} texts, not told)", texts->size()) : render_fact(value);
}

std::string facts_told(const std::vector<std::size_t>& read, const RuleSet& rules, const FactSheet& facts) {
    std::string told;
    for (const auto fact : read)
        told += fmt::format("{}{} = {}", told.empty() ? "" : ", ", rules.facts()[fact].name, tell(*rules.facts()[fact].kind, facts[fact]));
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
        if (truth == Truth::yes && !stage_[at_].said.ask.empty() && !advice_) {
            asking_ = &stage_[at_];
            return false;
        }
        make_unique(reading_.read);
        if (watch_) watch_(stage_[at_], truth, facts_told(reading_.read, rules_, facts_));
        if (truth == Truth::yes) apply(stage_[at_]);
        advice_.reset();
        decreed_.reset();
        ++at_;
    }
    reading_.wanted.clear();
    return true;
}

void Walk::answer(Advice advice) { advice_ = fit_to_stage(std::move(advice), std::exchange(asking_, nullptr)->said.stage); }

/// Its reply may need facts that its condition did not, or the one it asks.
Truth Walk::judge(const Rule& rule) {
    if (decreed_) return *decreed_;
    const auto truth = rule.when ? rule.when->evaluate(facts_, reading_) : Truth::yes;
    if (truth != Truth::yes) return truth;
    reading_.wanted.clear();
    for (const auto fact : rule.text.facts())
        if (!facts_.knows(fact)) reading_.wanted.push_back(fact);
    for (const auto fact : rule.told)
        if (!facts_.knows(fact)) reading_.wanted.push_back(fact);
    return reading_.wanted.empty() ? Truth::yes : Truth::wanted;
}

void Walk::apply(const Rule& rule) {
    auto& applied = ruling_.applied.emplace_back(&rule, facts_told(reading_.read, rules_, facts_));
    if (advice_) {
        applied.because += fmt::format("{}{} said: {}", applied.because.empty() ? "" : ", ", rule.said.ask, advice_->said);
        applied.advice = *std::move(advice_);
    }
    mark(applied);
}

void Walk::mark(const Applied& applied) {
    marks_.score += applied.score();
    if (!applied.tag().empty() && std::ranges::find(marks_.tags, applied.tag()) == marks_.tags.end()) marks_.tags.push_back(applied.tag());
    if (!applied.header().empty()) marks_.headers.push_back(applied.header());
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
        if (rule.said.action == Action::none) continue;  // nobody is asked for this, either
        Reading ignored;
        const auto truth = rule.when ? rule.when->evaluate(facts_, ignored) : Truth::yes;
        if (truth == Truth::yes) return rule.said.name;
    }
    return {};
}

/// What was put off with a reserve becomes what the rules behind it made of it.
void Walk::settle_reserves() {
    const bool refused = ruling_.decider() && refuses(ruling_.decider()->action());
    const auto has = [](Advice::Reserve reserve) {
        return [reserve](const Applied& one) { return one.advice && one.advice->reserve == reserve; };
    };
    auto& all = ruling_.applied;
    if (!refused) {
        const auto found = std::ranges::find_if(all, has(Advice::Reserve::if_permit));
        if (found == all.end()) return;
        found->advice->action = Action::defer;
        std::rotate(found, found + 1, all.end());  // who decides stands last
        return;
    }
    if (all.back().action() != Action::reject) return;
    const auto found = std::ranges::find_if(all, has(Advice::Reserve::if_reject));
    if (found == all.end()) return;
    auto& decider = all.back();
    decider.because += fmt::format(", only for now since {} wants it so", found->rule->said.name);
    if (!decider.advice) decider.advice.emplace();
    decider.advice->action = Action::defer;
    decider.advice->code = 0;
    decider.advice->status = mail::EnhancedStatus{4, 7, 1};  // the rule may have one of its own for a rejection
}

Ruling Walk::take() {
    settle_reserves();
    if (ruling_.decider()) ruling_.next = find_next();
    return std::move(ruling_);
}

Decision decision_of(const Applied& applied, Stage stage, const FactSheet& facts) {
    const auto& rule = applied.rule->said;
    Decision decision{.kind = Decision::Kind::reject, .rule = rule.name, .reason = {}, .code = 550, .status = {5, 7, 1}, .text = {}};
    if (applied.action() == Action::defer) {
        decision.kind = Decision::Kind::defer;
        decision.code = 450;
        decision.status = {4, 7, 1};
    } else if (applied.action() == Action::disconnect) {
        decision.kind = Decision::Kind::defer;
        decision.code = 421;
        decision.status = {4, 7, 0};
    }
    if (rule.status) decision.status = *rule.status;
    if (applied.advice && applied.advice->code != 0) decision.code = applied.advice->code;
    if (applied.advice && applied.advice->status) decision.status = *applied.advice->status;
    const bool rejects = decision.kind == Decision::Kind::reject;
    if (stage == Stage::connect) decision.code = rejects ? 554 : 421;                       // RFC 5321 §3.1, §4.3.2
    if (stage == Stage::auth && decision.code != 421) decision.code = rejects ? 535 : 454;  // RFC 4954 §6
    decision.text = applied.advice && !applied.advice->text.empty() ? applied.advice->text : applied.rule->text.render(facts);
    if (decision.text.empty()) decision.text = fmt::format("refused by a rule of this server ({})", rule.name);
    return decision;
}

std::string reason_of(const Applied& applied, const Ruling& ruling) {
    return fmt::format("{}{}{}{}", applied.because.empty() ? "always" : applied.because, " at ", applied.rule->said.origin,
                       ruling.next.empty() || ruling.decider() != &applied ? "" : fmt::format("; next would have been {}", ruling.next));
}

std::vector<std::string> marks_of(const Applied& applied) {
    std::vector<std::string> marks;
    if (applied.score() != 0) marks.push_back(write_fact("score", applied.score()));
    if (!applied.tag().empty()) marks.push_back(write_fact("tag", applied.tag()));
    return marks;
}

}  // namespace thurn::policy
