#include "inbound/login_failures.h"

#include <string>

#include <gtest/gtest.h>

namespace thurn::inbound {
namespace {

using namespace std::chrono_literals;
using Verdict = LoginFailures::Verdict;

constexpr LoginFailures::Rules kRules{.most = 6, .window = 60s, .delay = 1000ms};
constexpr LoginFailures::Time kStart{1000h};

void fail(LoginFailures& failures, std::string_view client, std::string_view login, int times, LoginFailures::Time at = kStart) {
    for (int count = 0; count < times; ++count) failures.add(client, login, kRules, at);
}

TEST(LoginFailures, DoTheClientsNextAttemptsMoreHarmTheMoreThereWere) {
    LoginFailures failures(1);
    const std::chrono::milliseconds expected[] = {0ms, 1000ms, 2000ms, 4000ms, 8000ms, 10000ms};
    for (const auto delay : expected) {
        EXPECT_EQ(failures.judge("192.0.2.1", "someone@else", kRules, kStart), (Verdict{.delay = delay, .locked_out = false}));
        fail(failures, "192.0.2.1", "anna@here", 1);
    }
    EXPECT_TRUE(failures.judge("192.0.2.1", "someone@else", kRules, kStart).locked_out);
}

TEST(LoginFailures, SlowANameForAllButLockNobodyOutOfIt) {
    LoginFailures failures(1);
    for (int client = 0; client < 100; ++client) fail(failures, "192.0.2." + std::to_string(client), "Anna@here", 1);
    EXPECT_EQ(failures.judge("198.51.100.1", "anna@HERE", kRules, kStart), (Verdict{.delay = 10000ms, .locked_out = false}));
    EXPECT_EQ(failures.judge("198.51.100.1", "bob@here", kRules, kStart), Verdict{});
}

TEST(LoginFailures, AreForgottenEvenlyWithinTheWindow) {
    LoginFailures failures(1);
    fail(failures, "192.0.2.1", "", 6);
    EXPECT_TRUE(failures.judge("192.0.2.1", "", kRules, kStart + 9s).locked_out);
    EXPECT_EQ(failures.judge("192.0.2.1", "", kRules, kStart + 10s), (Verdict{.delay = 10000ms, .locked_out = false}));
    EXPECT_EQ(failures.judge("192.0.2.1", "", kRules, kStart + 50s), (Verdict{.delay = 1000ms, .locked_out = false}));
    EXPECT_EQ(failures.judge("192.0.2.1", "", kRules, kStart + 60s), Verdict{});
}

TEST(LoginFailures, NeverLockOutWhoFailsSeldom) {
    LoginFailures failures(1);
    auto now = kStart;
    for (int count = 0; count < 200; ++count, now += 11s) {
        EXPECT_FALSE(failures.judge("192.0.2.1", "old@here", kRules, now).locked_out);
        fail(failures, "192.0.2.1", "old@here", 1, now);
    }
}

TEST(LoginFailures, OfOneWhoFailsMuchOutliveAFloodOfOthers) {
    LoginFailures failures(1);
    fail(failures, "192.0.2.1", "", 6);
    for (int client = 0; client < 200000; ++client) fail(failures, "flood " + std::to_string(client), "", 1);
    EXPECT_TRUE(failures.judge("192.0.2.1", "", kRules, kStart).locked_out);
}

TEST(LoginFailures, MayBeToldWithoutDelay) {
    LoginFailures failures(1);
    auto rules = kRules;
    rules.delay = 0ms;
    fail(failures, "192.0.2.1", "", 5);
    EXPECT_EQ(failures.judge("192.0.2.1", "", rules, kStart), Verdict{});
}

}  // namespace
}  // namespace thurn::inbound
