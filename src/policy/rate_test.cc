#include "policy/rate.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace thurn::policy {
namespace {

using namespace std::chrono_literals;

constexpr base::Time kStart{std::chrono::seconds(1'800'000'000)};

RateSet rates_of(const std::vector<RateText>& texts) {
    RateSet rates;
    for (const auto& text : texts) {
        const auto added = rates.add(text);
        EXPECT_TRUE(added.has_value()) << text.name << ": " << (added ? "" : added.error().detail);
    }
    return rates;
}

TokenBuckets buckets() { return TokenBuckets({.capacity = 1000, .seed = 1}); }

TEST(Rate, CountsEachKeyForItself) {
    const auto rates = rates_of({{.name = "r", .of = Counted::recipients, .per = {"login", "client.network"}, .limit = {2, 1h}}});
    auto state = buckets();
    const Situation anna{.client_network = "192.0.2.1", .login = "anna@a.example"};
    const Situation elsewhere{.client_network = "192.0.2.2", .login = "anna@a.example"};
    EXPECT_TRUE(rates.take(Counted::recipients, 1, anna, state, kStart).empty());
    EXPECT_TRUE(rates.take(Counted::recipients, 1, anna, state, kStart).empty());
    const auto excess = rates.take(Counted::recipients, 1, anna, state, kStart);
    ASSERT_EQ(excess.size(), 1u);
    EXPECT_EQ(
        excess[0].reason(),
        "more than 2 recipients in 3600s for login = \"anna@a.example\", client.network = \"192.0.2.1\" (default); room again in 1800s");
    EXPECT_TRUE(rates.take(Counted::recipients, 1, elsewhere, state, kStart).empty());
    EXPECT_TRUE(rates.take(Counted::messages, 1, anna, state, kStart).empty()) << "nobody counts messages";
    EXPECT_TRUE(rates.take(Counted::recipients, 1, anna, state, kStart + 31min).empty()) << "there is room again";
}

TEST(Rate, OfFailedLoginsHoldsNothing) {
    RateSet rates;
    const auto added = rates.add({.name = "r", .of = Counted::failed_logins, .limit = {1, 1h}, .action = Action::hold});
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().detail, "action: there is no message to hold where failed_logins are counted");
    EXPECT_FALSE(rates.add({.name = "r", .of = Counted::failed_logins, .per = {"sender"}, .limit = {1, 1h}})) << "there is none yet";
}

TEST(Rate, TryingOnDoesNotMakeTheWaitLonger) {
    const auto rates = rates_of({{.name = "r", .per = {"login"}, .limit = {1, 1h}}});
    auto state = buckets();
    const Situation now{.login = "anna@a.example"};
    EXPECT_TRUE(rates.take(Counted::messages, 1, now, state, kStart).empty());
    for (int i = 0; i < 100; ++i) EXPECT_FALSE(rates.take(Counted::messages, 1, now, state, kStart + 1min).empty());
    EXPECT_TRUE(rates.take(Counted::messages, 1, now, state, kStart + 61min).empty());
}

TEST(Rate, ConcernsOnlyThoseOfItsCondition) {
    const auto rates = rates_of({{.name = "r", .limit = {1, 1h}, .when = "client.stranger"}});
    auto state = buckets();
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(rates.take(Counted::messages, 1, {.stranger = false}, state, kStart).empty());
    EXPECT_TRUE(rates.take(Counted::messages, 1, {.stranger = true}, state, kStart).empty());
    EXPECT_FALSE(rates.take(Counted::messages, 1, {.stranger = true}, state, kStart).empty());
}

std::vector<std::string> names_of(const std::vector<Excess>& excesses) {
    std::vector<std::string> names;
    for (const auto& excess : excesses) names.push_back(excess.rate->name);
    return names;
}

TEST(Rate, EachOfSeveralIsTold) {
    const auto rates = rates_of({{.name = "tell", .limit = {1, 1h}, .action = Action::none, .alarm = true},
                                 {.name = "hold", .limit = {2, 1h}, .action = Action::hold},
                                 {.name = "wait", .limit = {3, 1h}},
                                 {.name = "go", .limit = {4, 1h}, .action = Action::disconnect}});
    auto state = buckets();
    using Names = std::vector<std::string>;
    const std::vector<Names> told{{}, {"tell"}, {"tell", "hold"}, {"tell", "hold", "wait"}};
    for (const auto& names : told) {
        const auto excesses = rates.take(Counted::messages, 1, {}, state, kStart);
        EXPECT_EQ(names_of(excesses), names);
        const auto* refuses = refusing(excesses);
        EXPECT_EQ(refuses ? refuses->rate->name : "", names.size() < 3 ? "" : "wait");
    }
    auto both = rates.take(Counted::messages, 5, {}, state, kStart);
    EXPECT_EQ(names_of(both), (Names{"tell", "hold", "wait", "go"}));
    EXPECT_EQ(refusing(both)->rate->name, "go") << "who hangs up comes before who puts off";
}

TEST(Rate, WhatIsRefusedTakesNothingFromOthers) {
    const auto rates = rates_of({{.name = "all", .limit = {3, 1h}}, {.name = "each", .per = {"login"}, .limit = {1, 1h}}});
    auto state = buckets();
    for (int i = 0; i < 20; ++i) static_cast<void>(rates.take(Counted::messages, 1, {.login = "anna@a.example"}, state, kStart));
    EXPECT_TRUE(rates.take(Counted::messages, 1, {.login = "bob@a.example"}, state, kStart).empty());
    EXPECT_TRUE(rates.take(Counted::messages, 1, {.login = "carl@a.example"}, state, kStart).empty());
    EXPECT_EQ(names_of(rates.take(Counted::messages, 1, {.login = "dora@a.example"}, state, kStart)), std::vector<std::string>{"all"});
}

TEST(Rate, WhatHasHappenedIsCountedByEach) {
    for (const auto what : {Counted::failed_logins, Counted::unknown_recipients}) {
        const auto rates = rates_of({{.name = "few", .of = what, .limit = {1, 1h}}, {.name = "more", .of = what, .limit = {3, 1h}}});
        auto state = buckets();
        for (int i = 0; i < 3; ++i) static_cast<void>(rates.take(what, 1, {}, state, kStart));
        EXPECT_EQ(names_of(rates.take(what, 1, {}, state, kStart)), (std::vector<std::string>{"few", "more"}));
    }
}

TEST(Rate, CountsWhomItIsToldTo) {
    struct Per {
        Counted of;
        std::vector<std::string> per;
    };
    const auto anna = *mail::parse_mailbox("anna@a.example"), same = *mail::parse_mailbox("AnnA@A.example"),
               bob = *mail::parse_mailbox("bob@b.example");
    for (const auto& row :
         {Per{Counted::messages, {"sender"}}, Per{Counted::messages, {"sender.domain"}}, Per{Counted::recipients, {"recipient"}},
          Per{Counted::recipients, {"recipient.domain"}}, Per{Counted::octets, {"sender"}}, Per{Counted::messages, {"listener"}},
          Per{Counted::messages, {"client.address"}}, Per{Counted::messages, {"client.subnet"}}}) {
        const auto rates =
            rates_of({{.name = "r",
                       .of = row.of,
                       .per = row.per,
                       .limit = {.amount = 1, .period = 1h, .of = row.of == Counted::octets ? Limit::Of::octets : Limit::Of::things}}});
        auto state = buckets();
        const auto about = [](const mail::Mailbox& who, std::string_view address, std::string_view listener) {
            return Situation{.listener = listener, .client_address = address, .sender = &who, .recipient = &who};
        };
        EXPECT_TRUE(rates.take(row.of, 1, about(anna, "192.0.2.1", "mx"), state, kStart).empty()) << row.per[0];
        EXPECT_FALSE(rates.take(row.of, 1, about(same, "192.0.2.1", "MX"), state, kStart).empty())
            << row.per[0] << ": case makes nobody another";
        EXPECT_TRUE(rates.take(row.of, 1, about(bob, "203.0.113.7", "submission"), state, kStart).empty()) << row.per[0];
    }
}

TEST(Rate, AlarmsAreFew) {
    const auto rates = rates_of({{.name = "r", .limit = {1, 1h}, .alarm = true}});
    auto state = buckets();
    EXPECT_TRUE(rates.take(Counted::messages, 1, {}, state, kStart).empty());
    EXPECT_TRUE(rates.take(Counted::messages, 1, {}, state, kStart).at(0).alarm);
    EXPECT_FALSE(rates.take(Counted::messages, 1, {}, state, kStart + 1min).at(0).alarm);
    EXPECT_TRUE(rates.take(Counted::messages, 1, {}, state, kStart + 12min).at(0).alarm);
}

TEST(Rate, CodesComeWithTheAction) {
    const auto rates =
        rates_of({{.name = "a", .limit = {1, 1h}}, {.name = "b", .of = Counted::connections, .limit = {1, 1h}, .text = "go"}});
    auto state = buckets();
    EXPECT_TRUE(rates.take(Counted::messages, 1, {}, state, kStart).empty());
    EXPECT_TRUE(rates.take(Counted::connections, 1, {}, state, kStart).empty());
    const auto later = rates.take(Counted::messages, 1, {}, state, kStart).at(0).decision();
    EXPECT_EQ(later.code, 450);
    EXPECT_EQ(later.text, "too much for now, try again later (a)");
    const auto closed = rates.take(Counted::connections, 1, {}, state, kStart).at(0).decision();
    EXPECT_EQ(closed.code, 421);
    EXPECT_EQ(closed.text, "go");
}

TEST(Rate, LookingCountsNothing) {
    const auto rates = rates_of({{.name = "r", .per = {"login"}, .limit = {4, 1h}},
                                 {.name = "all", .limit = {3, 1h}, .when = "client.stranger", .action = Action::hold},
                                 {.name = "others", .limit = {1, 1h}, .when = "not client.stranger"}});
    auto state = buckets();
    const Situation now{.login = "anna@a.example"};
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(rates.take(Counted::messages, 1, now, state, kStart).empty());
    for (int i = 0; i < 2; ++i) {
        const auto seen = rates.look(Counted::messages, 1, now, state, kStart);
        ASSERT_EQ(seen.size(), 2u) << "those of others do not concern it";
        EXPECT_EQ(seen[0].rate->name, "r");
        EXPECT_EQ(seen[0].values, "login = \"anna@a.example\"");
        EXPECT_NEAR(seen[0].counted, 3, 0.001);
        EXPECT_FALSE(seen[0].excess);
        EXPECT_NEAR(seen[1].counted, 3, 0.001);
        ASSERT_TRUE(seen[1].excess);
        EXPECT_EQ(seen[1].excess->wait, 20min);
    }
    EXPECT_NEAR(rates.look(Counted::messages, 1, now, state, kStart + 10min)[1].counted, 2.5, 0.001) << "half of one has come back";
    EXPECT_TRUE(rates.look(Counted::recipients, 1, now, state, kStart).empty());
    EXPECT_NEAR(rates.look(Counted::messages, 1, {}, state, kStart)[0].counted, 0, 0.001) << "nobody else has sent";
}

struct WrongRate {
    RateText rate;
    const char* error;
};
class RateErrorTest : public testing::TestWithParam<WrongRate> {};
TEST_P(RateErrorTest, NamesTheKey) {
    RateSet rates;
    const auto added = rates.add(GetParam().rate);
    ASSERT_FALSE(added.has_value());
    EXPECT_EQ(added.error().detail, GetParam().error);
}
INSTANTIATE_TEST_SUITE_P(
    Keys, RateErrorTest,
    testing::Values(
        WrongRate{{.limit = {1, 1h}}, "name: a rate needs one, which trace, log and replies name it by"},
        WrongRate{{.name = "r"}, "limit: a rate needs one, such as \"500/1h\""},
        WrongRate{{.name = "r", .of = Counted::octets, .limit = {1, 1h}}, "limit: octets, such as \"100MiB/1d\", go with of = \"octets\""},
        WrongRate{{.name = "r", .per = {"lgoin"}, .limit = {1, 1h}}, "per: unknown fact \"lgoin\""},
        WrongRate{{.name = "r", .per = {"client.name"}, .limit = {1, 1h}}, "per: client.name is not known at once, and rates ask nobody"},
        WrongRate{{.name = "r", .of = Counted::connections, .per = {"sender"}, .limit = {1, 1h}},
                  "per: sender is not known at connect, where it is counted"},
        WrongRate{{.name = "r", .limit = {1, 1h}, .when = "recipient = 'a'"}, "when: recipient is not known at data, where it is counted"},
        WrongRate{{.name = "r", .of = Counted::connections, .limit = {1, 1h}, .action = Action::hold},
                  "action: there is no message to hold where connections are counted"},
        WrongRate{{.name = "r", .limit = {1, 1h}, .action = Action::reject}, "action: a rate can defer, disconnect, hold, or none"},
        WrongRate{{.name = "r", .limit = {1, 1h}, .action = Action::none}, "action: the rate does nothing; give one, or alarm"}));

TEST(Rate, TakesItsOwnDefaults) { EXPECT_TRUE(rates_of(default_rates()).counts(Counted::connections)); }

}  // namespace
}  // namespace thurn::policy
