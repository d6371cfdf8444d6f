#include "policy/condition.h"

#include <map>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace thurn::policy {
namespace {

const std::map<std::string, FactValue> kKnown{
    {"client.address", std::string("192.0.2.7")},
    {"client.name", std::string("Mail.Example.ORG")},
    {"client.stranger", true},
    {"authenticated", false},
    {"helo", std::string()},
    {"score", 4.5},
    {"size", 2048.0},
    {"tags", Texts{"bulk", "News"}},
    {"recipients", Texts{}},
    {"sender.exists", Unavailable{"timed out"}},
};

struct Asked {
    FactIndex index;
    FactSheet sheet;
    Condition condition;
};

Asked ask(std::string_view text) {
    FactIndex index;
    auto condition = Condition::parse(text, index);
    EXPECT_TRUE(condition.has_value()) << text << ": " << (condition ? "" : condition.error().detail);
    FactSheet sheet(index.all().size());
    for (std::size_t i = 0; i < index.all().size(); ++i)
        if (const auto known = kKnown.find(index.all()[i].name); known != kKnown.end()) sheet.set(i, known->second);
    return {std::move(index), std::move(sheet), *std::move(condition)};
}

Truth truth_of(std::string_view text) {
    const auto asked = ask(text);
    Reading reading;
    return asked.condition.evaluate(asked.sheet, reading);
}

struct Case {
    const char* text;
    Truth truth;
};
class ConditionTruthTest : public testing::TestWithParam<Case> {};
TEST_P(ConditionTruthTest, IsAsWritten) { EXPECT_EQ(truth_of(GetParam().text), GetParam().truth) << GetParam().text; }

constexpr auto yes = Truth::yes;
constexpr auto no = Truth::no;
constexpr auto open = Truth::unavailable;
constexpr auto wanted = Truth::wanted;

INSTANTIATE_TEST_SUITE_P(Flags, ConditionTruthTest,
                         testing::Values(Case{"client.stranger", yes}, Case{"not client.stranger", no}, Case{"authenticated", no},
                                         Case{"authenticated = false", yes}, Case{"authenticated != true", yes},
                                         Case{"client.stranger = true", yes}, Case{"client.stranger != true", no},
                                         Case{"not not client.stranger", yes}, Case{"NOT Client.Stranger", no}));
INSTANTIATE_TEST_SUITE_P(Numbers, ConditionTruthTest,
                         testing::Values(Case{"score = 4.5", yes}, Case{"score != 4.5", no}, Case{"score < 4.5", no},
                                         Case{"score <= 4.5", yes}, Case{"score > 4", yes}, Case{"score >= 5", no},
                                         Case{"size = 2KiB", yes}, Case{"size in [1, 2048]", yes}, Case{"size in [1]", no}));
INSTANTIATE_TEST_SUITE_P(Texts, ConditionTruthTest,
                         testing::Values(Case{"client.name = \"mail.example.org\"", yes}, Case{"client.name = 'x'", no},
                                         Case{"client.name != 'x'", yes}, Case{"client.name in ['x', 'MAIL.example.org']", yes},
                                         Case{"client.name like '*.example.o?g'", yes}, Case{"client.name like 'example*'", no},
                                         Case{"client.name matches '^Mail\\.'", yes}, Case{"client.name matches '^mail\\.'", no},
                                         Case{"client.name matches '(?i)^mail'", yes}, Case{"helo = \"\"", yes}, Case{"helo != \"\"", no}));
INSTANTIATE_TEST_SUITE_P(Lists, ConditionTruthTest,
                         testing::Values(Case{"tags = 'news'", yes}, Case{"tags != 'news'", no}, Case{"tags != 'other'", yes},
                                         Case{"tags like 'b*'", yes}, Case{"recipients like '*'", no}, Case{"recipients != 'a@b'", yes}));
INSTANTIATE_TEST_SUITE_P(Addresses, ConditionTruthTest,
                         testing::Values(Case{"client.address in ['10.0.0.0/8', '192.0.2.0/24']", yes},
                                         Case{"client.address in ['2001:db8::/32']", no}, Case{"client.address = '192.0.2.7'", yes},
                                         Case{"client.address != '192.0.2.0/24'", no}, Case{"client.address like '192.*'", yes}));
INSTANTIATE_TEST_SUITE_P(Unavailable, ConditionTruthTest,
                         testing::Values(Case{"sender.exists", open}, Case{"not sender.exists", open},
                                         Case{"sender.exists unavailable", yes}, Case{"client.stranger unavailable", no},
                                         Case{"authenticated and sender.exists", no}, Case{"sender.exists and authenticated", no},
                                         Case{"client.stranger or sender.exists", yes}, Case{"sender.exists or client.stranger", yes},
                                         Case{"sender.exists or authenticated", open},
                                         Case{"client.stranger and not sender.exists", open}));
INSTANTIATE_TEST_SUITE_P(Wanted, ConditionTruthTest,
                         testing::Values(Case{"helo.exists", wanted}, Case{"not helo.exists", wanted},
                                         Case{"helo.exists and authenticated", no}, Case{"helo.exists or client.stranger", yes},
                                         Case{"helo.exists and sender.exists", wanted}, Case{"helo.exists and client.stranger", wanted}));
INSTANTIATE_TEST_SUITE_P(Binding, ConditionTruthTest,
                         testing::Values(Case{"client.stranger or authenticated and authenticated", yes},
                                         Case{"(client.stranger or authenticated) and authenticated", no},
                                         Case{"not authenticated and not client.stranger", no},
                                         Case{"not (authenticated and client.stranger)", yes}));

struct WrongCase {
    const char* text;
    const char* error;
};
class ConditionErrorTest : public testing::TestWithParam<WrongCase> {};
TEST_P(ConditionErrorTest, NamesPlaceAndFault) {
    FactIndex facts;
    const auto condition = Condition::parse(GetParam().text, facts);
    ASSERT_FALSE(condition.has_value()) << GetParam().text;
    EXPECT_EQ(condition.error().detail, GetParam().error);
}
INSTANTIATE_TEST_SUITE_P(
    Syntax, ConditionErrorTest,
    testing::Values(WrongCase{"", "column 1: expected the name of a fact, not the end"},
                    WrongCase{"helo =", "column 7: expected a text in quotes, not the end"},
                    WrongCase{"helo = 'a", "column 8: the text has no closing quote"},
                    WrongCase{"client.adress = '1'", "column 1: unknown fact \"client.adress\"; did you mean \"client.address\"?"},
                    WrongCase{"(authenticated", "column 15: expected \")\", not the end"},
                    WrongCase{"authenticated authenticated", "column 15: expected \"and\", \"or\" or the end, not \"authenticated\""},
                    WrongCase{"helo", "column 5: expected a comparison of helo, such as = or in, not the end"},
                    WrongCase{"helo < 'a'", "column 8: helo has no order: only = and != compare it"},
                    WrongCase{"score = 'a'", "column 9: score is a number: expected one, not \"a\""},
                    WrongCase{"score like 'a'", "column 7: \"like\" is for texts, and score is none"},
                    WrongCase{"score > 5 bananas", "column 11: expected \"and\", \"or\" or the end, not \"bananas\""},
                    WrongCase{"score > 5x", "column 9: \"5x\" is no number"},
                    WrongCase{"authenticated = 'yes'", "column 17: authenticated is true or false, not \"yes\""},
                    WrongCase{"helo in 'a'", "column 9: expected \"[\", not \"a\""},
                    WrongCase{"helo in ['a' 'b']", "column 14: expected \",\" or \"]\", not \"b\""},
                    WrongCase{"helo & 'a'", "column 6: \"&\" means nothing here"},
                    WrongCase{"header. = 'a'", "column 1: unknown fact \"header.\"; did you mean \"header.*\"?"}));

TEST(Condition, RefusesPatternsThatAreNone) {
    FactIndex facts;
    const auto condition = Condition::parse("helo matches '('", facts);
    ASSERT_FALSE(condition.has_value());
    EXPECT_NE(condition.error().detail.find("column 14: no regular expression: missing )"), std::string::npos) << condition.error().detail;
    EXPECT_FALSE(Condition::parse("client.address in ['300.1.2.3']", facts).has_value());
}

TEST(Condition, RefusesWhatIsTooDeepTooLongOrTooMuch) {
    FactIndex facts;
    EXPECT_FALSE(Condition::parse(std::string(60, '(') + "authenticated" + std::string(60, ')'), facts).has_value());
    std::string nots;
    for (int i = 0; i < 60; ++i) nots += "not ";
    EXPECT_FALSE(Condition::parse(nots + "authenticated", facts).has_value());
    EXPECT_FALSE(Condition::parse("helo = '" + std::string(5000, 'a') + "'", facts).has_value());
    std::string many = "authenticated";
    for (int i = 0; i < 250; ++i) many += " or tags='a'";
    EXPECT_FALSE(Condition::parse(many, facts).has_value());
}

TEST(Condition, WantsAllItHangsOnAtOnce) {
    const auto asked = ask("client.stranger and (helo.exists or dnsbl.zen > 2)");
    Reading reading;
    EXPECT_EQ(asked.condition.evaluate(asked.sheet, reading), Truth::wanted);
    ASSERT_EQ(reading.wanted.size(), 2u);
    EXPECT_EQ(asked.index.all()[reading.wanted[0]].name, "helo.exists");
    EXPECT_EQ(asked.index.all()[reading.wanted[1]].argument(), "zen");
}

TEST(Condition, DoesNotWantWhatCannotMatter) {
    const auto asked = ask("authenticated and helo.exists");
    Reading reading;
    EXPECT_EQ(asked.condition.evaluate(asked.sheet, reading), Truth::no);
    EXPECT_TRUE(reading.wanted.empty());
    const auto either = ask("(helo.exists and authenticated) or dnsbl.zen > 2");
    EXPECT_EQ(either.condition.evaluate(either.sheet, reading), Truth::wanted);
    ASSERT_EQ(reading.wanted.size(), 1u);
    EXPECT_EQ(either.index.all()[reading.wanted[0]].argument(), "zen");
}

// What is said of wanted and unavailable facts must hold whatever they turn out to be: no later answer makes a "no" a "yes".
TEST(Condition, KnowingMoreNeverChangesWhatWasCertain) {
    std::mt19937 random(1);
    const std::vector<std::string> flags{"authenticated", "client.stranger", "helo.exists", "sender.exists", "author.ours"};
    const auto write = [&](auto& self, int depth) -> std::string {
        const auto dice = random() % (depth > 4 ? 1 : 4);
        if (dice == 0) return flags[random() % flags.size()];
        if (dice == 1) return "not " + self(self, depth + 1);
        return "(" + self(self, depth + 1) + (dice == 2 ? " and " : " or ") + self(self, depth + 1) + ")";
    };
    for (int round = 0; round < 2000; ++round) {
        FactIndex index;
        const auto condition = Condition::parse(write(write, 0), index);
        ASSERT_TRUE(condition.has_value());
        FactSheet some(index.all().size());
        FactSheet all(index.all().size());
        for (std::size_t fact = 0; fact < index.all().size(); ++fact) {
            const bool value = random() % 2 == 0;
            all.set(fact, value);
            if (random() % 2 == 0) some.set(fact, value);
        }
        Reading reading;
        const auto early = condition->evaluate(some, reading);
        const auto late = condition->evaluate(all, reading);
        EXPECT_TRUE(late == Truth::yes || late == Truth::no);
        if (early == Truth::yes || early == Truth::no) EXPECT_EQ(early, late) << condition->text();
    }
}

}  // namespace
}  // namespace thurn::policy
