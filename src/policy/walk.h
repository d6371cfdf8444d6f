#pragma once

#include "policy/advice.h"
#include "policy/recipient_rule.h"
#include "policy/rule.h"

#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace thurn::policy {

/// What rules left on a message that goes on: these add up over the stages.
struct Marks {
    double score = 0;
    std::vector<std::string> tags;
    std::vector<std::string> headers;  // `X-Name: text`
};

/// A rule that applied, and what it went by.
struct Applied {
    const Rule* rule = nullptr;
    std::string because;             // `helo.ours = true, client.address = "192.0.2.1"`: the facts it read
    std::optional<Advice> advice{};  // of the one it asks
    [[nodiscard]] Action action() const { return advice ? advice->action : rule->said.action; }
    [[nodiscard]] const std::string& to() const { return advice ? advice->to : rule->said.to; }
    [[nodiscard]] double score() const { return advice ? advice->score : rule->said.score; }
    [[nodiscard]] const std::string& tag() const { return advice ? advice->tag : rule->said.tag; }
    [[nodiscard]] const std::string& header() const { return advice ? advice->header : rule->said.header; }
};

/// What came of a stage.
struct Ruling {
    std::vector<Applied> applied;  // all that did, in their order; the last one decided if it has an action
    std::string next;              // the rule that would have decided had that one not, as far as is known; empty: none
    [[nodiscard]] const Applied* decider() const {
        return applied.empty() || applied.back().action() == Action::none ? nullptr : &applied.back();
    }
};

/// One stage's rules in their order, as far as the facts are known.
///
///     Walk walk(rules, Stage::mail, facts, marks);
///     while (!walk.done()) {
///         if (const auto* rule = walk.asking()) walk.answer(…);
///         else for (auto fact : walk.wanted()) facts.set(fact, …);
///     }
///     auto ruling = walk.take();
///
/// Order    A rule's facts are wanted, all of them at once, when all rules before it have been passed over; those of rules behind the one
///          that decides never are.
/// Asking   A rule that asks somebody is waited for alone, when its condition holds and the facts that it tells are known. Where the answer
///          is a reserve (Advice::Reserve) the rules behind it go on, and take() settles it.
/// Marks    `score` and `tags`, where rules ask for them, are set by the walk itself as rules add to them.
class Walk {
public:
    /// Told of each rule that was judged, whether it applied or not, with the facts it read.
    using Watch = std::function<void(const Rule& rule, Truth truth, const std::string& facts)>;
    Walk(const RuleSet& rules, Stage stage, FactSheet& facts, Marks& marks, Watch watch = {});
    /// Goes on as far as the facts reach.
    [[nodiscard]] bool done();
    /// The rule whose question is to be asked now; null: facts are waited for, or nothing.
    [[nodiscard]] const Rule* asking() const { return asking_; }
    /// Precondition: asking().
    void answer(Advice advice);
    /// What it waits for; not empty unless done or asking.
    [[nodiscard]] std::span<const std::size_t> wanted() const { return reading_.wanted; }
    /// The rule at hand. Precondition: not done.
    [[nodiscard]] const Rule& at_hand() const { return stage_[at_]; }
    /// Whether the rule at hand applies, for who cannot give what is wanted and knows it all the same. Precondition: wanted().
    void decree(bool applies) { decreed_ = applies ? Truth::yes : Truth::unavailable; }
    [[nodiscard]] Ruling take();

private:
    [[nodiscard]] Truth judge(const Rule& rule);
    void apply(const Rule& rule);
    void mark(const Applied& applied);
    void settle_reserves();
    void tell_marks();
    [[nodiscard]] std::string find_next();

    const RuleSet& rules_;
    const std::vector<Rule>& stage_;
    FactSheet& facts_;
    Marks& marks_;
    Watch watch_;
    std::size_t at_ = 0;
    Reading reading_;
    const Rule* asking_ = nullptr;
    std::optional<Advice> advice_;  // to the rule at hand
    std::optional<Truth> decreed_;  // of the rule at hand
    Ruling ruling_;
};

/// What a rule's action means for the command of its stage: the reply has the rule's own words, its codes come with the action.
/// Precondition: the action is reject, defer or disconnect.
[[nodiscard]] Decision decision_of(const Applied& applied, Stage stage, const FactSheet& facts);
/// For the trace: the facts, where the rule stands, and which would have come next.
[[nodiscard]] std::string reason_of(const Applied& applied, const Ruling& ruling);
/// For the trace: what it added to the marks that rules can ask for, as facts (write_fact()).
[[nodiscard]] std::vector<std::string> marks_of(const Applied& applied);

}  // namespace thurn::policy
