#include "policy/rule.h"

#include "policy/walk.h"

#include <random>
#include <set>

#include <gtest/gtest.h>

namespace thurn::policy {
namespace {

RuleSet rules_of(const std::vector<RuleText>& texts) {
    RuleSet rules;
    for (const auto& text : texts) {
        const auto added = rules.add(text);
        EXPECT_TRUE(added.has_value()) << text.name << ": " << (added ? "" : added.error().detail);
    }
    return rules;
}

void tell(FactSheet& sheet, const RuleSet& rules, std::string_view fact, FactValue value) {
    if (const auto index = rules.find(fact)) sheet.set(*index, std::move(value));
}

struct WrongRule {
    RuleText rule;
    const char* error;
};
class RuleErrorTest : public testing::TestWithParam<WrongRule> {};
TEST_P(RuleErrorTest, NamesTheKey) {
    RuleSet rules;
    const auto added = rules.add(GetParam().rule);
    ASSERT_FALSE(added.has_value());
    EXPECT_EQ(added.error().detail, GetParam().error);
}
INSTANTIATE_TEST_SUITE_P(
    Keys, RuleErrorTest,
    testing::Values(
        WrongRule{{.action = Action::reject}, "name: a rule needs one, which trace, log and replies name it by"},
        WrongRule{{.name = "r"},
                  "action: the rule does nothing; give one of none, accept, reject, defer, disconnect, junk, hold, discard, redirect, or "
                  "score, tag, header, delay, alarm"},
        WrongRule{{.name = "r", .stage = Stage::helo, .action = Action::hold}, "action: there is no message at helo that one could hold"},
        WrongRule{{.name = "r", .stage = Stage::rcpt, .action = Action::redirect}, "to: goes with action = \"redirect\", and that with it"},
        WrongRule{{.name = "r", .action = Action::redirect, .to = "a@b.example"}, "action: a recipient is redirected at stage = \"rcpt\""},
        WrongRule{{.name = "r", .action = Action::accept, .text = "hi"}, "text: goes with reject, defer and disconnect"},
        WrongRule{{.name = "r", .stage = Stage::connect, .when = "helo = 'a'", .action = Action::reject},
                  "when: helo is known from stage helo on, not at connect"},
        WrongRule{{.name = "r", .stage = Stage::data, .when = "recipient = 'a'", .action = Action::reject},
                  "when: recipient is of stage rcpt only"},
        WrongRule{{.name = "r", .stage = Stage::connect, .action = Action::reject, .text = "no {sender}"},
                  "text: sender is known from stage mail on, not at connect"},
        WrongRule{{.name = "r", .action = Action::reject, .text = "no {sendr}"}, "text: unknown fact \"sendr\""},
        WrongRule{{.name = "r", .action = Action::reject, .text = "no {sender"}, "text: { has no }"},
        WrongRule{{.name = "r", .action = Action::reject, .text = "two\r\nlines"}, "text: a reply is in printable US-ASCII, on one line"},
        WrongRule{{.name = "r", .header = "X-A"}, "header: a field such as \"X-Checked: yes\""},
        WrongRule{{.name = "r", .header = "X-A: b\r\nX-C: d"}, "header: one line of printable US-ASCII, at most 900 octets"}));

TEST(RuleSet, RefusesASecondRuleOfTheName) {
    RuleSet rules;
    ASSERT_TRUE(rules.add({.name = "r", .stage = Stage::mail, .action = Action::reject, .origin = "thurn.toml:3"}).has_value());
    const auto added = rules.add({.name = "r", .stage = Stage::helo, .action = Action::reject});
    ASSERT_FALSE(added.has_value());
    EXPECT_EQ(added.error().detail, "name: \"r\" is the name of the rule at thurn.toml:3, too");
}

TEST(RuleSet, TakesItsOwnDefaults) { EXPECT_FALSE(rules_of(default_rules()).empty()); }

struct KnownCase {
    const char* name;
    std::string spf;
    std::string domain;
    double white;  // what the list of the good says
    bool known;
};
class KnownSender : public testing::TestWithParam<KnownCase> {};

TEST_P(KnownSender, NeedNotWait) {
    DnsblSet lists;
    lists.add({.name = "black", .zone = "bl.example"});
    lists.add({.name = "white", .zone = "wl.example", .weight = -1});
    lists.add({.name = "senders", .zone = "dwl.example", .about = DnsblSubject::sender_domain, .weight = -1});
    const auto rules = rules_of({*known_sender_rule({"big.example", "a-b.example"}, lists)});
    FactSheet facts(rules.facts().size());
    Marks marks;
    tell(facts, rules, "client.stranger", true);
    tell(facts, rules, "spf", GetParam().spf);
    tell(facts, rules, "spf.domain", GetParam().domain);
    tell(facts, rules, "dnsbl.white", GetParam().white);
    Walk walk(rules, Stage::rcpt, facts, marks);
    ASSERT_TRUE(walk.done());
    EXPECT_EQ(walk.take().decider() != nullptr, GetParam().known);
}

INSTANTIATE_TEST_SUITE_P(
    Greylisting, KnownSender,
    testing::Values(KnownCase{"OfTheDomain", "pass", "Big.example", 0, true}, KnownCase{"OfOneBelow", "pass", "mail.a-b.example", 0, true},
                    KnownCase{"OnlySaysSo", "softfail", "big.example", 0, false},
                    KnownCase{"EndsAlike", "pass", "notbig.example", 0, false}, KnownCase{"ADotIsADot", "pass", "bigxexample", 0, false},
                    KnownCase{"Goodlisted", "none", "small.example", -1, true}, KnownCase{"Unknown", "pass", "small.example", 0, false}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(KnownSenders, WithoutAnyThereIsNoRule) {
    DnsblSet lists;
    lists.add({.name = "black", .zone = "bl.example"});
    EXPECT_FALSE(known_sender_rule({}, lists));
    lists.add({.name = "mixed", .zone = "m.example", .replies = {{*parse_network("127.0.0.9"), -2}}});
    EXPECT_EQ(known_sender_rule({}, lists)->when, "client.stranger and (dnsbl.mixed < 0)");
}

TEST(Walk, TheFirstThatAppliesDecidesAndTellsWhy) {
    const auto rules = rules_of(
        {{.name = "first", .stage = Stage::helo, .when = "helo = 'a'", .action = Action::reject, .origin = "t:1"},
         {.name = "second", .stage = Stage::helo, .when = "helo = 'b'", .action = Action::reject, .text = "go, {helo}", .origin = "t:2"},
         {.name = "third", .stage = Stage::helo, .when = "helo like '?'", .action = Action::defer, .origin = "t:3"}});
    FactSheet facts(rules.facts().size());
    Marks marks;
    tell(facts, rules, "helo", std::string("b"));
    Walk walk(rules, Stage::helo, facts, marks);
    ASSERT_TRUE(walk.done());
    const auto ruling = walk.take();
    ASSERT_NE(ruling.decider(), nullptr);
    EXPECT_EQ(reason_of(*ruling.decider(), ruling), "helo = \"b\" at t:2; next would have been third");
    const auto decision = decision_of(*ruling.decider(), Stage::helo, facts);
    EXPECT_EQ(decision.code, 550);
    EXPECT_EQ(decision.text, "go, b");
    EXPECT_EQ(decision.rule, "second");
}

TEST(Walk, NothingAppliesNothingIsDecided) {
    const auto rules = rules_of({{.name = "r", .stage = Stage::helo, .when = "helo = 'a'", .action = Action::reject}});
    FactSheet facts(rules.facts().size());
    Marks marks;
    tell(facts, rules, "helo", std::string("b"));
    Walk walk(rules, Stage::helo, facts, marks);
    ASSERT_TRUE(walk.done());
    EXPECT_EQ(walk.take().decider(), nullptr);
    Walk other(rules, Stage::mail, facts, marks);
    EXPECT_TRUE(other.done());
}

TEST(Walk, MarksAddUpAndCanBeAskedFor) {
    const auto rules = rules_of({{.name = "one", .when = "size > 10", .score = 2, .tag = "big"},
                                 {.name = "two", .score = 3, .tag = "big", .header = "X-Two: yes"},
                                 {.name = "sum", .when = "score >= 5 and tags = 'BIG'", .action = Action::junk}});
    FactSheet facts(rules.facts().size());
    Marks marks;
    tell(facts, rules, "size", 11.0);
    Walk walk(rules, Stage::content, facts, marks);
    ASSERT_TRUE(walk.done());
    const auto ruling = walk.take();
    ASSERT_NE(ruling.decider(), nullptr);
    EXPECT_EQ(ruling.applied.size(), 3u);
    EXPECT_EQ(ruling.decider()->rule->said.name, "sum");
    EXPECT_EQ(marks.score, 5);
    EXPECT_EQ(marks.tags, std::vector<std::string>{"big"});
    EXPECT_EQ(marks.headers, std::vector<std::string>{"X-Two: yes"});
}

TEST(Walk, AFactOfTheReplyIsWantedOnceTheRuleApplies) {
    const auto rules =
        rules_of({{.name = "r", .stage = Stage::helo, .when = "helo = 'a'", .action = Action::reject, .text = "{client.name}?"}});
    FactSheet facts(rules.facts().size());
    Marks marks;
    tell(facts, rules, "helo", std::string("a"));
    Walk walk(rules, Stage::helo, facts, marks);
    ASSERT_FALSE(walk.done());
    ASSERT_EQ(walk.wanted().size(), 1u);
    EXPECT_EQ(rules.facts()[walk.wanted()[0]].name, "client.name");
    facts.set(walk.wanted()[0], std::string("x\r\n250 evil"));
    ASSERT_TRUE(walk.done());
    EXPECT_EQ(decision_of(*walk.take().decider(), Stage::helo, facts).text, "x??250 evil?");
}

struct CodeCase {
    Stage stage;
    Action action;
    int code;
};
TEST(Decision, CodesComeWithStageAndAction) {
    for (const auto& [stage, action, code] :
         {CodeCase{Stage::connect, Action::reject, 554}, CodeCase{Stage::connect, Action::defer, 421},
          CodeCase{Stage::mail, Action::reject, 550}, CodeCase{Stage::auth, Action::reject, 535}, CodeCase{Stage::auth, Action::defer, 454},
          CodeCase{Stage::auth, Action::disconnect, 421}, CodeCase{Stage::rcpt, Action::defer, 450},
          CodeCase{Stage::content, Action::disconnect, 421}}) {
        const auto rules = rules_of({{.name = "r", .stage = stage, .action = action}});
        FactSheet facts(rules.facts().size());
        Marks marks;
        Walk walk(rules, stage, facts, marks);
        ASSERT_TRUE(walk.done());
        const auto ruling = walk.take();
        const auto decision = decision_of(*ruling.decider(), stage, facts);
        EXPECT_EQ(decision.code, code);
        EXPECT_EQ(decision.status.status_class, code / 100);
        EXPECT_EQ(decision.text, "refused by a rule of this server (r)");
    }
}

// Random rules over random flags: the same facts give the same decision, facts behind the rule that decides are never asked for, and the
// decision is the one that a walk gives that knows everything from the start.
TEST(Walk, AsksForNothingBehindADecisionAndDecidesAsIfItKnewAll) {
    std::mt19937 random(7);
    const std::vector<std::string> flags{"authenticated", "client.stranger", "helo.exists", "helo.ours", "helo.is_client", "helo.is_name"};
    for (int round = 0; round < 1000; ++round) {
        std::vector<RuleText> texts;
        for (int i = 0; i < 6; ++i)
            texts.push_back(
                {.name = "r" + std::to_string(i),
                 .stage = Stage::helo,
                 .when = flags[random() % flags.size()] + (random() % 2 ? " and " : " or not ") + flags[random() % flags.size()],
                 .action = random() % 3 == 0 ? Action::none : Action::reject,
                 .score = 1});
        const auto rules = rules_of(texts);
        std::vector<FactValue> truth;
        for (std::size_t i = 0; i < rules.facts().size(); ++i)
            truth.push_back(random() % 4 == 0 ? FactValue(Unavailable{"no answer"}) : FactValue(random() % 2 == 0));
        FactSheet asked(rules.facts().size());
        FactSheet known(rules.facts().size());
        for (std::size_t i = 0; i < truth.size(); ++i) known.set(i, truth[i]);
        Marks marks_asked;
        Marks marks_known;
        Walk slow(rules, Stage::helo, asked, marks_asked);
        std::set<std::size_t> gathered;
        while (!slow.done()) {
            ASSERT_FALSE(slow.wanted().empty());
            const std::vector<std::size_t> wanted(slow.wanted().begin(), slow.wanted().end());
            for (const auto fact : wanted) {
                ASSERT_TRUE(gathered.insert(fact).second) << "asked twice";
                asked.set(fact, truth[fact]);
            }
        }
        Walk quick(rules, Stage::helo, known, marks_known);
        ASSERT_TRUE(quick.done());
        const auto one = slow.take();
        const auto other = quick.take();
        ASSERT_EQ(one.decider() != nullptr, other.decider() != nullptr);
        EXPECT_EQ(marks_asked.score, marks_known.score);
        if (!one.decider()) continue;
        EXPECT_EQ(one.decider()->rule, other.decider()->rule);
        std::set<std::size_t> before;
        for (std::size_t place = 0; place <= one.decider()->rule->place; ++place)
            for (const auto fact : rules.at(Stage::helo)[place].when->facts()) before.insert(fact);
        for (const auto fact : gathered) EXPECT_TRUE(before.contains(fact)) << "a fact of a rule behind the decision";
    }
}

}  // namespace
}  // namespace thurn::policy
