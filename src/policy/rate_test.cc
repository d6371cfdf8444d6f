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
    EXPECT_FALSE(rates.take(Counted::recipients, 1, anna, state, kStart));
    EXPECT_FALSE(rates.take(Counted::recipients, 1, anna, state, kStart));
    const auto excess = rates.take(Counted::recipients, 1, anna, state, kStart);
    ASSERT_TRUE(excess);
    EXPECT_EQ(
        excess->reason(),
        "more than 2 recipients in 3600s for login = \"anna@a.example\", client.network = \"192.0.2.1\" (default); room again in 1800s");
    EXPECT_FALSE(rates.take(Counted::recipients, 1, elsewhere, state, kStart));
    EXPECT_FALSE(rates.take(Counted::messages, 1, anna, state, kStart)) << "nobody counts messages";
    EXPECT_FALSE(rates.take(Counted::recipients, 1, anna, state, kStart + 31min)) << "there is room again";
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
    EXPECT_FALSE(rates.take(Counted::messages, 1, now, state, kStart));
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(rates.take(Counted::messages, 1, now, state, kStart + 1min));
    EXPECT_FALSE(rates.take(Counted::messages, 1, now, state, kStart + 61min));
}

TEST(Rate, ConcernsOnlyThoseOfItsCondition) {
    const auto rates = rates_of({{.name = "r", .limit = {1, 1h}, .when = "client.stranger"}});
    auto state = buckets();
    for (int i = 0; i < 5; ++i) EXPECT_FALSE(rates.take(Counted::messages, 1, {.stranger = false}, state, kStart));
    EXPECT_FALSE(rates.take(Counted::messages, 1, {.stranger = true}, state, kStart));
    EXPECT_TRUE(rates.take(Counted::messages, 1, {.stranger = true}, state, kStart));
}

TEST(Rate, AlarmsAreFew) {
    const auto rates = rates_of({{.name = "r", .limit = {1, 1h}, .alarm = true}});
    auto state = buckets();
    EXPECT_FALSE(rates.take(Counted::messages, 1, {}, state, kStart));
    EXPECT_TRUE(rates.take(Counted::messages, 1, {}, state, kStart)->alarm);
    EXPECT_FALSE(rates.take(Counted::messages, 1, {}, state, kStart + 1min)->alarm);
    EXPECT_TRUE(rates.take(Counted::messages, 1, {}, state, kStart + 12min)->alarm);
}

TEST(Rate, CodesComeWithTheAction) {
    const auto rates =
        rates_of({{.name = "a", .limit = {1, 1h}}, {.name = "b", .of = Counted::connections, .limit = {1, 1h}, .text = "go"}});
    auto state = buckets();
    EXPECT_FALSE(rates.take(Counted::messages, 1, {}, state, kStart));
    EXPECT_FALSE(rates.take(Counted::connections, 1, {}, state, kStart));
    const auto later = rates.take(Counted::messages, 1, {}, state, kStart)->decision();
    EXPECT_EQ(later.code, 450);
    EXPECT_EQ(later.text, "too much for now, try again later (a)");
    const auto closed = rates.take(Counted::connections, 1, {}, state, kStart)->decision();
    EXPECT_EQ(closed.code, 421);
    EXPECT_EQ(closed.text, "go");
}

TEST(Rate, LookingCountsNothing) {
    const auto rates = rates_of({{.name = "r", .per = {"login"}, .limit = {4, 1h}},
                                 {.name = "all", .limit = {3, 1h}, .when = "client.stranger", .action = Action::hold},
                                 {.name = "others", .limit = {1, 1h}, .when = "not client.stranger"}});
    auto state = buckets();
    const Situation now{.login = "anna@a.example"};
    for (int i = 0; i < 3; ++i) EXPECT_FALSE(rates.take(Counted::messages, 1, now, state, kStart));
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
