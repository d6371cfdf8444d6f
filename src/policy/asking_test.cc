// Rules that ask somebody: what an answer does in the walk of the stage.
#include "policy/walk.h"

#include <gtest/gtest.h>

namespace thurn::policy {
namespace {

using Reserve = Advice::Reserve;

struct Outcome {
    Ruling ruling;
    Marks marks;
    FactSheet facts;
    int asked = 0;
};

/// The rules of RCPT from client 192.0.2.1, where each that asks is given `advice`.
Outcome walk(const RuleSet& rules, const Advice& advice, Stage stage = Stage::rcpt) {
    Outcome outcome;
    outcome.facts = FactSheet(rules.facts().size());
    Walk walk(rules, stage, outcome.facts, outcome.marks);
    while (!walk.done()) {
        if (walk.asking() != nullptr) {
            EXPECT_TRUE(walk.wanted().empty());
            ++outcome.asked;
            walk.answer(advice);
            continue;
        }
        for (const auto fact : walk.wanted()) outcome.facts.set(fact, std::string("192.0.2.1"));
    }
    outcome.ruling = walk.take();
    return outcome;
}

RuleSet asking(std::vector<RuleText> behind = {}) {
    RuleSet rules;
    EXPECT_TRUE(rules.add({.name = "outside", .stage = Stage::rcpt, .ask = "pd", .tell = {"client.name"}, .origin = "t:1"}));
    for (auto& rule : behind) EXPECT_TRUE(rules.add(std::move(rule)));
    return rules;
}

Decision decided(const Outcome& outcome, Stage stage = Stage::rcpt) { return decision_of(*outcome.ruling.decider(), stage, outcome.facts); }

TEST(Asking, TheAnswerDecidesAndIsTold) {
    const auto rules = asking({{.name = "later", .stage = Stage::rcpt, .action = Action::reject}});
    const auto outcome = walk(rules, {.action = Action::reject, .text = "go away", .said = "REJECT go away"});
    ASSERT_NE(outcome.ruling.decider(), nullptr);
    EXPECT_EQ(outcome.asked, 1);
    EXPECT_EQ(outcome.ruling.decider()->action(), Action::reject);
    EXPECT_EQ(decided(outcome).code, 550);
    EXPECT_EQ(decided(outcome).text, "go away");
    EXPECT_EQ(reason_of(*outcome.ruling.decider(), outcome.ruling), "pd said: REJECT go away at t:1; next would have been later");
}

TEST(Asking, WithoutAnOpinionTheNextRulesAreAsked) {
    const auto rules = asking({{.name = "later", .stage = Stage::rcpt, .action = Action::reject}});
    const auto outcome = walk(rules, {.score = 2.5, .tag = "seen", .header = "X-Seen: yes", .said = "DUNNO"});
    ASSERT_NE(outcome.ruling.decider(), nullptr);
    EXPECT_EQ(outcome.ruling.decider()->rule->said.name, "later");
    EXPECT_EQ(outcome.marks.score, 2.5);
    EXPECT_EQ(outcome.marks.tags, std::vector<std::string>{"seen"});
    EXPECT_EQ(outcome.marks.headers, std::vector<std::string>{"X-Seen: yes"});
}

TEST(Asking, NobodyIsAskedBehindADecisionOrWhereTheConditionFails) {
    RuleSet rules;
    ASSERT_TRUE(rules.add({.name = "no", .stage = Stage::rcpt, .when = "client.name = 'x'", .ask = "pd"}));
    ASSERT_TRUE(rules.add({.name = "yes", .stage = Stage::rcpt, .action = Action::accept}));
    ASSERT_TRUE(rules.add({.name = "behind", .stage = Stage::rcpt, .ask = "pd"}));
    EXPECT_EQ(walk(rules, {.action = Action::reject}).asked, 0);
}

TEST(Asking, CodeAndStatusAreTheAnswersOwn) {
    const auto rules = asking();
    const auto outcome = walk(rules, {.action = Action::defer, .code = 451, .status = mail::EnhancedStatus{4, 3, 5}});
    EXPECT_EQ(decided(outcome).code, 451);
    EXPECT_EQ(decided(outcome).status, (mail::EnhancedStatus{4, 3, 5}));
    EXPECT_EQ(decided(outcome).kind, Decision::Kind::defer);
    EXPECT_EQ(decided(outcome).text, "refused by a rule of this server (outside)");
}

const Advice kIfPermit{.reserve = Reserve::if_permit, .text = "greylisted", .said = "DEFER_IF_PERMIT greylisted"};
const Advice kIfReject{.reserve = Reserve::if_reject, .text = "perhaps", .said = "DEFER_IF_REJECT perhaps"};

TEST(Asking, DeferIfPermitPutsOffWhatNothingElseRefuses) {
    for (const auto action : {Action::accept, Action::hold, Action::none}) {
        auto rules = asking();
        if (action != Action::none) {
            ASSERT_TRUE(rules.add({.name = "later", .stage = Stage::rcpt, .action = action}));
        }
        const auto outcome = walk(rules, kIfPermit);
        ASSERT_NE(outcome.ruling.decider(), nullptr) << name_of(action);
        EXPECT_EQ(decided(outcome).rule, "outside");
        EXPECT_EQ(decided(outcome).code, 450);
        EXPECT_EQ(decided(outcome).text, "greylisted");
    }
}

TEST(Asking, DeferIfPermitLeavesARejectionAlone) {
    const auto rules = asking({{.name = "later", .stage = Stage::rcpt, .action = Action::reject}});
    const auto outcome = walk(rules, kIfPermit);
    EXPECT_EQ(decided(outcome).rule, "later");
    EXPECT_EQ(decided(outcome).code, 550);
}

TEST(Asking, DeferIfRejectMakesARejectionPassing) {
    const auto rules = asking({{.name = "later", .stage = Stage::rcpt, .action = Action::reject, .text = "not you"}});
    const auto outcome = walk(rules, kIfReject);
    EXPECT_EQ(decided(outcome).rule, "later");
    EXPECT_EQ(decided(outcome).code, 450);
    EXPECT_EQ(decided(outcome).status, (mail::EnhancedStatus{4, 7, 1}));
    EXPECT_EQ(decided(outcome).text, "not you");
    const auto alone = asking();
    EXPECT_EQ(walk(alone, kIfReject).ruling.decider(), nullptr);
}

TEST(Asking, WhatCannotBeDoneAtTheStagePutsOff) {
    RuleSet rules;
    ASSERT_TRUE(rules.add({.name = "early", .stage = Stage::connect, .ask = "pd"}));
    ASSERT_TRUE(rules.add({.name = "data", .stage = Stage::data, .ask = "pd"}));
    EXPECT_EQ(walk(rules, {.action = Action::hold}, Stage::connect).ruling.decider()->action(), Action::defer);
    EXPECT_EQ(walk(rules, {.action = Action::redirect, .to = "a@b.example"}, Stage::data).ruling.decider()->action(), Action::defer);
    const auto at_rcpt = asking();
    for (const auto* to : {"", "nobody", "a@b.example\r\nX: y", "@b.example"})
        EXPECT_EQ(decided(walk(at_rcpt, {.action = Action::redirect, .to = to})).code, 451) << to;
    const auto redirected = walk(at_rcpt, {.action = Action::redirect, .to = "a@b.example"});
    EXPECT_EQ(redirected.ruling.decider()->action(), Action::redirect);
    EXPECT_EQ(redirected.ruling.decider()->to(), "a@b.example");
}

TEST(Asking, WhatIsSaidIsTamed) {
    const auto rules = asking();
    const auto outcome = walk(rules, {.action = Action::reject,
                                      .text = "two\r\n250 lines" + std::string(2000, 'x'),
                                      .tag = "a\nb",
                                      .header = "X: a\r\nBcc: c@d.example",
                                      .said = "a\0b\n"});
    EXPECT_TRUE(outcome.marks.headers.empty());
    EXPECT_EQ(outcome.marks.tags, std::vector<std::string>{"a?b"});
    const auto text = decided(outcome).text;
    EXPECT_TRUE(text.starts_with("two??250 lines"));
    EXPECT_LE(text.size(), 300U);
    EXPECT_EQ(outcome.ruling.decider()->because.find('\n'), std::string::npos);
}

TEST(Asking, ARuleThatAsksSaysNothingElse) {
    RuleSet rules;
    for (const RuleText& rule : {RuleText{.name = "r", .action = Action::reject, .ask = "pd"},
                                 {.name = "r", .text = "x", .ask = "pd"},
                                 {.name = "r", .score = 1, .ask = "pd"},
                                 {.name = "r", .alarm = true, .ask = "pd"}}) {
        const auto added = rules.add(rule);
        ASSERT_FALSE(added);
        EXPECT_EQ(added.error().detail, "ask: goes with name, stage and when only; who is asked says what to do");
    }
    const auto unknown = rules.add({.name = "r", .ask = "pd", .tell = {"clint.name"}});
    EXPECT_EQ(unknown.error().detail, "facts: unknown fact \"clint.name\"");
    const auto early = rules.add({.name = "r", .stage = Stage::connect, .ask = "pd", .tell = {"sender.exists"}});
    EXPECT_EQ(early.error().detail, "facts: sender.exists is known from stage mail on, not at connect");
}

}  // namespace
}  // namespace thurn::policy
