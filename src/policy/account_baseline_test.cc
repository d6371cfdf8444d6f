#include "policy/account_baseline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::policy {
namespace {

using namespace std::chrono_literals;
using Deed = AccountRules::Deed;
using Of = Jump::Of;

constexpr base::Time kStart{std::chrono::days(20000) + 10h};

class AccountBaselineTest : public testing::Test {
protected:
    AccountBaselineTest() {
        rules_.learning = 0s;
        rules_.messages = 100;
        rules_.recipients = 60;
        rules_.new_recipients = 20;
    }
    static std::vector<spool::Recipient> people(int from, int count) {
        std::vector<spool::Recipient> all;
        for (int i = from; i < from + count; ++i) {
            spool::Recipient recipient;
            recipient.mailbox = *mail::parse_mailbox("p" + std::to_string(i) + "@there.example");
            all.push_back(std::move(recipient));
        }
        return all;
    }
    AccountBaseline::Verdict send(int from, int count, base::Time now, std::string_view login = "anna@here.example",
                                  std::string_view country = {}) {
        const auto to = people(from, count);
        return accounts_.add({.login = login, .recipients = to, .country = country}, rules_, now);
    }
    /// The messages to one new recipient each that are let through.
    int flood(int from, int count, base::Time now) {
        int through = 0;
        for (int i = 0; i < count; ++i) through += send(from + i, 1, now).deed == Deed::none ? 1 : 0;
        return through;
    }
    AccountRules rules_;
    AccountBaseline accounts_{{.capacity = 1000, .seed = 1}};
};

TEST_F(AccountBaselineTest, HoldsWhatAThiefSendsBeyondTheLimit) {
    EXPECT_EQ(flood(0, 500, kStart), 20);
    EXPECT_EQ(flood(500, 10, kStart + 5 * 24h), 0) << "until somebody releases it";
    EXPECT_EQ(send(0, 1, kStart, "bob@here.example").deed, Deed::none);
}

TEST_F(AccountBaselineTest, TellsOfAJumpOnce) {
    for (int i = 0; i < 20; ++i) EXPECT_FALSE(send(i, 1, kStart).jump);
    const auto verdict = send(20, 1, kStart);
    EXPECT_TRUE(verdict.first);
    EXPECT_EQ(verdict.jump, (Jump{.of = Of::new_recipients, .count = 21, .most = 20}));
    EXPECT_EQ(verdict.jump->reason(), "21 new recipients within an hour, over 20");
    const auto next = send(21, 1, kStart);
    EXPECT_TRUE(next.jump);
    EXPECT_FALSE(next.first);
}

TEST_F(AccountBaselineTest, OneMessageToManyCountsAsMany) { EXPECT_EQ(send(0, 21, kStart).deed, Deed::hold); }

TEST_F(AccountBaselineTest, WhomOneWroteToLatelyIsNotNew) {
    for (int day = 0; day < 4; ++day) EXPECT_FALSE(send(day * 15, 15, kStart + day * 24h).jump);
    EXPECT_FALSE(send(0, 60, kStart + 5 * 24h).jump);
    EXPECT_EQ(accounts_.find("anna@here.example", kStart + 5 * 24h)->new_recipients, 0);
    EXPECT_EQ(accounts_.find("anna@here.example", kStart + 5 * 24h)->recipients, 60);
}

TEST_F(AccountBaselineTest, TheSameRecipientIsOneHoweverOften) {
    for (int i = 0; i < 100; ++i) EXPECT_FALSE(send(1, 1, kStart).jump);
    EXPECT_EQ(accounts_.find("anna@here.example", kStart)->recipients, 1);
    EXPECT_EQ(send(1, 1, kStart).jump, (Jump{.of = Of::messages, .count = 101, .most = 100})) << "but it is a message each time";
}

TEST_F(AccountBaselineTest, AnHourIsNotOverWhenTheClockStrikes) {
    EXPECT_FALSE(send(0, 20, kStart + 59min).jump);
    EXPECT_EQ(send(20, 15, kStart + 61min).deed, Deed::hold);
    EXPECT_FALSE(send(0, 20, kStart + 59min, "bob@here.example").jump);
    EXPECT_FALSE(send(20, 15, kStart + 120min, "bob@here.example").jump);
}

TEST_F(AccountBaselineTest, WhoSendsMuchEveryDayMaySendMuch) {
    rules_.learning = std::chrono::days(2);
    const auto verdict = send(0, 50, kStart);
    EXPECT_EQ(verdict.deed, Deed::none) << "it learns still";
    EXPECT_TRUE(verdict.jump && verdict.first) << "but it tells";
    EXPECT_EQ(send(1000, 200, kStart + std::chrono::days(3)).deed, Deed::none) << "not five times as many";
    EXPECT_EQ(send(2000, 60, kStart + std::chrono::days(3)).deed, Deed::hold);
}

TEST_F(AccountBaselineTest, NobodyGetsItUsedToEverMore) {
    rules_.deed = Deed::throttle;
    for (int day = 0; day < 30; ++day) flood(day * 1000, 500, kStart + std::chrono::days(day));
    EXPECT_EQ(accounts_.find("anna@here.example", kStart + std::chrono::days(30))->usual_new_recipients, 0)
        << "days in which something was wrong are not learnt from";
}

TEST_F(AccountBaselineTest, WhatIsUsualFades) {
    EXPECT_FALSE(send(0, 20, kStart).jump);
    EXPECT_EQ(accounts_.find("anna@here.example", kStart + std::chrono::days(1))->usual_new_recipients, 20);
    const auto later = accounts_.find("anna@here.example", kStart + std::chrono::days(15))->usual_new_recipients;
    EXPECT_TRUE(later > 2 && later < 15) << later;
}

TEST_F(AccountBaselineTest, ThrottlingLetsThroughWhatFitsInTheHour) {
    rules_.deed = Deed::throttle;
    EXPECT_EQ(flood(0, 100, kStart), 20);
    EXPECT_EQ(send(200, 1, kStart).deed, Deed::throttle);
    EXPECT_EQ(flood(300, 100, kStart + 2h), 20);
}

TEST_F(AccountBaselineTest, ReleaseTakesItForUsual) {
    EXPECT_FALSE(accounts_.release("anna@here.example", kStart));
    EXPECT_EQ(send(0, 50, kStart).deed, Deed::hold);
    EXPECT_TRUE(accounts_.find("ANNA@here.example", kStart)->jump);
    EXPECT_TRUE(accounts_.release("Anna@here.example", kStart));
    EXPECT_FALSE(accounts_.find("anna@here.example", kStart)->jump);
    EXPECT_EQ(send(100, 50, kStart + 1min).deed, Deed::none);
    EXPECT_EQ(send(200, 250, kStart + 2min).deed, Deed::hold) << "five times as many are too many still";
    EXPECT_FALSE(accounts_.release("nobody@here.example", kStart));
}

TEST_F(AccountBaselineTest, ManyBouncesAreASign) {
    rules_.bounces = 5;
    rules_.bounce_percent = 50;
    send(0, 10, kStart);
    for (int i = 0; i < 4; ++i) accounts_.add_bounce("anna@here.example", kStart + 1min);
    EXPECT_FALSE(send(0, 1, kStart + 2min).jump);
    for (int i = 0; i < 2; ++i) accounts_.add_bounce("anna@here.example", kStart + 3min);
    EXPECT_EQ(send(0, 1, kStart + 4min).jump->reason(), "6 of 12 recipients of late could not be delivered to, today");
    send(0, 10, kStart, "bob@here.example");
    for (int i = 0; i < 6; ++i) accounts_.add_bounce("bob@here.example", kStart);
    EXPECT_FALSE(send(0, 3, kStart + 1min, "bob@here.example").jump) << "a small share";
}

TEST_F(AccountBaselineTest, BouncesOfANewsletterOfLastWeekAreNone) {
    rules_.bounces = 5;
    rules_.bounce_percent = 25;
    rules_.messages = rules_.recipients = rules_.new_recipients = 10'000;
    send(0, 1000, kStart);
    for (int i = 0; i < 10; ++i) accounts_.add_bounce("anna@here.example", kStart + 24h * 5);
    EXPECT_FALSE(send(0, 1, kStart + 24h * 5 + 1min).jump)
        << "one in a hundred is gone, and that shows when their time in the queue is over";
    for (int i = 0; i < 200; ++i) accounts_.add_bounce("anna@here.example", kStart + 24h * 5);
    EXPECT_TRUE(send(0, 1, kStart + 24h * 5 + 2min).jump);
}

TEST_F(AccountBaselineTest, HalfIsTooMuchAtHoursAtWhichItNeverSends) {
    for (int day = 0; day < 20; ++day) EXPECT_FALSE(send(1, 1, kStart + std::chrono::days(day)).jump);
    const auto night = kStart + std::chrono::days(20) + 16h;
    EXPECT_FALSE(send(100, 10, night).jump);
    EXPECT_EQ(send(200, 1, night).jump->most, 10);
    EXPECT_FALSE(send(100, 15, night, "new@here.example").jump) << "nothing is odd for one of whom nothing is known";
}

TEST_F(AccountBaselineTest, TellsOfANewCountry) {
    EXPECT_FALSE(send(0, 1, kStart, "anna@here.example", "DE").new_country) << "the first is its own";
    EXPECT_FALSE(send(0, 1, kStart, "anna@here.example").new_country);
    const auto verdict = send(0, 1, kStart, "anna@here.example", "NG");
    EXPECT_EQ(verdict.new_country->reason(), "sends from NG, from where it never sent");
    EXPECT_EQ(verdict.deed, Deed::none);
    EXPECT_FALSE(send(0, 1, kStart, "anna@here.example", "NG").new_country);
    rules_.new_country = AccountRules::NewCountry::jump;
    EXPECT_EQ(send(0, 1, kStart, "anna@here.example", "BR").deed, Deed::hold);
    rules_.new_country = AccountRules::NewCountry::ignore;
    EXPECT_FALSE(send(0, 1, kStart, "bob@here.example", "DE").new_country || send(0, 1, kStart, "bob@here.example", "BR").new_country);
}

TEST_F(AccountBaselineTest, ExemptLoginsAreNotWatched) {
    rules_.exempt = {"shop@here.example"};
    EXPECT_FALSE(send(0, 5000, kStart, "Shop@here.example").jump);
}

TEST_F(AccountBaselineTest, RemembersOverARestart) {
    EXPECT_EQ(flood(0, 30, kStart), 20);
    AccountBaseline other({.capacity = 1000, .seed = 2});
    ASSERT_TRUE(other.restore(accounts_.snapshot(kStart)));
    EXPECT_TRUE(other.find("anna@here.example", kStart)->jump);
    const auto to = people(1000, 1);
    EXPECT_EQ(other.add({.login = "anna@here.example", .recipients = to}, rules_, kStart).deed, Deed::hold);
    EXPECT_FALSE(other.restore("nonsense"));
    EXPECT_TRUE(other.find("anna@here.example", kStart)->jump);
}

TEST_F(AccountBaselineTest, AClockThatWasWrongMakesNobodySuspicious) {
    send(0, 20, kStart + std::chrono::days(400));
    EXPECT_FALSE(send(100, 20, kStart).jump);
}

}  // namespace
}  // namespace thurn::policy
