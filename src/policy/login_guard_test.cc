#include "policy/login_guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::policy {
namespace {

using namespace std::chrono_literals;
using Answer = LoginGuard::Verdict::Answer;
using Verdict = LoginGuard::Verdict;
using Admission = LoginGuard::Admission;

constexpr base::Time kStart{std::chrono::days(20000)};
constexpr std::string_view kHome = "192.0.2.1", kElsewhere = "198.51.100.7", kAnna = "anna@here.example", kBob = "bob@here.example";

class LoginGuardTest : public testing::Test {
protected:
    static LoginAttempt attempt(std::string_view client, std::string_view login) {
        return {.address = client, .network = client, .login = login};
    }
    Verdict judge(std::string_view client, std::string_view login, base::Time at = kStart) {
        return guard_.judge(attempt(client, login), rules_, at);
    }
    void fail(std::string_view client, std::string_view login, int times, base::Time at = kStart) {
        for (int count = 0; count < times; ++count) last_ = guard_.add_failure(attempt(client, login), rules_, at);
    }
    void succeed(std::string_view client, std::string_view login, base::Time at = kStart) {
        guard_.add_success(attempt(client, login), rules_, at);
    }
    void attack_from_everywhere(std::string_view login, int times, base::Time at = kStart) {
        for (int i = 0; i < times; ++i) fail("10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250), login, 1, at);
    }
    Admission admit(std::string_view client, base::Time at = kStart) { return guard_.admit(std::string(client), client, rules_, at); }

    LoginRules rules_{.failures = 6, .account_failures = 20, .window = 60s, .delay = 1000ms};
    LoginGuard guard_{{.capacity = 1000, .seed = 1}};
    LoginGuard::Lockouts last_;
};

TEST_F(LoginGuardTest, SlowsAClientTheMoreItFails) {
    for (const auto delay : {0ms, 1000ms, 2000ms, 4000ms, 8000ms, 10000ms}) {
        EXPECT_EQ(judge(kHome, "someone@else"), (Verdict{.answer = Answer::check, .delay = delay}));
        fail(kHome, kAnna, 1);
    }
    EXPECT_EQ(judge(kHome, "someone@else").answer, Answer::client_locked);
    EXPECT_EQ(judge(kElsewhere, "someone@else"), Verdict{});
}

TEST_F(LoginGuardTest, LocksAClientOutForAGrowingTime) {
    auto now = kStart;
    const std::chrono::seconds lengths[] = {10min, 20min, 40min, 80min, 160min, 320min, 640min, 1280min, 24h, 24h};
    for (const auto length : lengths) {
        while (!last_.client) fail(kHome, "", 1, now);
        EXPECT_EQ(last_.client->until, now + length);
        EXPECT_EQ(judge(kHome, "", now + length - 1s), (Verdict{.answer = Answer::client_locked, .until = now + length}));
        EXPECT_EQ(judge(kHome, "", now + length).answer, Answer::check);
        now += length;
        last_ = {};
    }
}

TEST_F(LoginGuardTest, HasLessPatienceEachTime) {
    auto now = kStart;
    for (const unsigned allowed : {6U, 3U, 1U, 1U}) {
        unsigned failures = 0;
        for (last_ = {}; !last_.client; ++failures) fail(kHome, "", 1, now);
        EXPECT_EQ(failures, allowed);
        EXPECT_EQ(last_.client->failures, allowed);
        now = *last_.client->until;
    }
}

TEST_F(LoginGuardTest, ForgivesALockoutADay) {
    fail(kHome, "", 6);
    const auto over = *last_.client->until;
    fail(kHome, "", 3, over + 23h);
    EXPECT_EQ(last_.client->until, over + 23h + 20min);
    const auto again = *last_.client->until;
    fail(kHome, "", 5, again + 48h);
    EXPECT_FALSE(last_.client);
    fail(kHome, "", 1, again + 48h);
    EXPECT_EQ(last_.client->until, again + 48h + 10min);
}

TEST_F(LoginGuardTest, NeverLocksOutWhoFailsSeldom) {
    auto now = kStart;
    for (int count = 0; count < 500; ++count, now += 11s) {
        fail(kHome, "old@here", 1, now);
        ASSERT_FALSE(last_.client || last_.account);
    }
}

TEST_F(LoginGuardTest, LocksAnAccountThatIsGuessedFromEverywhereButNotForThoseItKnows) {
    succeed(kHome, kAnna);
    attack_from_everywhere(kAnna, 19);
    EXPECT_EQ(judge(kElsewhere, kAnna), (Verdict{.answer = Answer::check, .delay = 10000ms}));
    EXPECT_EQ(judge(kHome, kAnna), Verdict{}) << "nor is its owner slowed down";
    fail(kElsewhere, kAnna, 1);
    ASSERT_TRUE(last_.account);
    EXPECT_EQ(last_.account->subject.text, kAnna);
    EXPECT_EQ(last_.account->failures, 20);
    EXPECT_EQ(judge("203.0.113.9", kAnna), (Verdict{.answer = Answer::account_locked, .until = kStart + 10min}));
    EXPECT_EQ(judge(kHome, kAnna), Verdict{});
    EXPECT_EQ(judge(kHome, kBob), Verdict{});
    succeed(kHome, kAnna);
    EXPECT_EQ(judge("203.0.113.9", kAnna).answer, Answer::account_locked) << "the attack is not forgiven for a right login";
}

TEST_F(LoginGuardTest, LocksNamesThatNobodyHasAlike) {
    attack_from_everywhere("Nobody@here.example", 20);
    EXPECT_EQ(judge(kElsewhere, "nobody@HERE.example").answer, Answer::account_locked);
    attack_from_everywhere("admin", 20);
    EXPECT_EQ(judge(kElsewhere, "Admin").answer, Answer::account_locked);
}

TEST_F(LoginGuardTest, LetsPeopleOfOneOfficeInThoughAColleagueFails) {
    succeed(kHome, kAnna);
    succeed(kHome, kBob);
    fail(kHome, kBob, 6);
    EXPECT_EQ(admit(kHome), Admission::welcome);
    EXPECT_EQ(judge(kHome, kAnna), Verdict{});
    EXPECT_EQ(judge(kHome, kBob).answer, Answer::client_locked) << "a known client that fails too often itself is as any other";
    EXPECT_EQ(judge(kHome, "carl@here.example").answer, Answer::client_locked);
}

TEST_F(LoginGuardTest, SlowsAKnownClientForItsOwnFailuresOnly) {
    succeed(kHome, kAnna);
    fail(kHome, kAnna, 2);
    EXPECT_EQ(judge(kHome, kAnna).delay, 2000ms);
    succeed(kHome, kAnna);
    EXPECT_EQ(judge(kHome, kAnna).delay, 0ms);
    EXPECT_EQ(judge(kHome, kBob).delay, 2000ms) << "of the address, they still count";
}

TEST_F(LoginGuardTest, KnowsAClientForATime) {
    succeed(kHome, kAnna);
    const auto later = kStart + std::chrono::days(30);
    attack_from_everywhere(kAnna, 20, later - 1min);
    EXPECT_EQ(judge(kHome, kAnna, later - 1s).answer, Answer::check);
    EXPECT_EQ(judge(kHome, kAnna, later).answer, Answer::account_locked);
}

TEST_F(LoginGuardTest, LeavesAllowedNetworksAlone) {
    rules_.allow.push_back(*parse_network("192.0.2.0/24"));
    fail(kHome, kAnna, 100);
    EXPECT_EQ(judge(kHome, kAnna), Verdict{});
    EXPECT_EQ(judge(kElsewhere, kAnna), Verdict{}) << "what fails there counts for nobody";
    attack_from_everywhere(kAnna, 20);
    EXPECT_EQ(judge(kHome, kAnna), Verdict{});
    ASSERT_TRUE(guard_.ban({.subject = *parse_ban_subject(kHome)}, kStart));
    EXPECT_EQ(judge(kHome, kAnna).answer, Answer::banned) << "a ban by hand is meant";
}

TEST_F(LoginGuardTest, TurnsClientsAwayBeforeTheySayAWord) {
    EXPECT_EQ(admit(kHome), Admission::welcome);
    fail(kHome, "", 6);
    EXPECT_EQ(admit(kHome), Admission::locked_out);
    EXPECT_EQ(admit(kHome, kStart + 10min), Admission::welcome);
    ASSERT_TRUE(guard_.ban({.subject = *parse_ban_subject("198.51.100.0/24")}, kStart));
    EXPECT_EQ(admit(kElsewhere), Admission::banned);
    succeed(kElsewhere, kAnna);
    EXPECT_EQ(admit(kElsewhere), Admission::banned);
}

TEST_F(LoginGuardTest, LocksIpv6ClientsByTheirNetwork) {
    const LoginAttempt first{.address = "2001:db8::1", .network = "2001:db8::", .login = kAnna};
    const LoginAttempt second{.address = "2001:db8::2", .network = "2001:db8::", .login = kBob};
    for (int i = 0; i < 6; ++i) last_ = guard_.add_failure(first, rules_, kStart);
    ASSERT_TRUE(last_.client);
    EXPECT_EQ(last_.client->subject.text, "2001:db8::/64");
    EXPECT_EQ(guard_.judge(second, rules_, kStart).answer, Answer::client_locked);
}

TEST_F(LoginGuardTest, BansAccountsByHand) {
    succeed(kHome, kAnna);
    ASSERT_TRUE(guard_.ban({.subject = *parse_ban_subject(kAnna), .until = kStart + 1h}, kStart));
    EXPECT_EQ(judge(kHome, kAnna).answer, Answer::banned);
    EXPECT_EQ(judge(kHome, kAnna, kStart + 1h).answer, Answer::check);
}

TEST_F(LoginGuardTest, ForgetsWhatLedToABanThatIsLifted) {
    fail(kHome, kAnna, 6);
    const auto subject = last_.client->subject;
    EXPECT_TRUE(guard_.lift(subject, kStart));
    EXPECT_EQ(judge(kHome, ""), Verdict{});
    fail(kHome, "", 5);
    EXPECT_FALSE(last_.client) << "nor is it impatient";
    EXPECT_FALSE(guard_.lift(subject, kStart));
}

TEST_F(LoginGuardTest, CannotBeMadeToForgetWhoFailsMuch) {
    fail(kHome, "", 5);
    for (int client = 0; client < 200'000; ++client) fail("flood" + std::to_string(client), "nobody" + std::to_string(client) + "@here", 1);
    EXPECT_EQ(judge(kHome, "").delay, 10000ms);
}

TEST_F(LoginGuardTest, IsTheSameAfterARestart) {
    succeed(kHome, kAnna);
    attack_from_everywhere(kAnna, 20);
    fail(kElsewhere, kBob, 6);
    fail("203.0.113.1", kBob, 2);
    ASSERT_TRUE(guard_.ban({.subject = *parse_ban_subject("203.0.113.0/25"), .reason = "spam", .since = kStart}, kStart));
    LoginGuard after({.capacity = 1000, .seed = 2});
    ASSERT_TRUE(after.restore(guard_.snapshot(kStart)));
    EXPECT_EQ(after.list(kStart), guard_.list(kStart));
    for (const auto client : {kHome, kElsewhere, std::string_view("203.0.113.1"), std::string_view("203.0.113.129")})
        for (const auto login : {kAnna, kBob, std::string_view()})
            EXPECT_EQ(after.judge(attempt(client, login), rules_, kStart), judge(client, login)) << client << " " << login;
    const auto lockouts = [&](LoginGuard& guard) {
        LoginGuard::Lockouts last;
        for (int i = 0; i < 3; ++i) last = guard.add_failure(attempt(kElsewhere, ""), rules_, kStart + 10min);
        return last.client ? last.client->until : std::nullopt;
    };
    EXPECT_EQ(lockouts(after), kStart + 30min) << "the second lockout, after half as many";
}

TEST_F(LoginGuardTest, RestoresWhateverNameWasTried) {
    for (const std::string login : {"admin", "\xff\xfe", "a\nb", "1.2.3.4", "::1", "/", "@", "12", "x..."})
        attack_from_everywhere(login, 25);
    attack_from_everywhere(std::string(4000, 'x'), 25);
    LoginGuard after({.capacity = 1000, .seed = 2});
    ASSERT_TRUE(after.restore(guard_.snapshot(kStart)));
    EXPECT_EQ(after.list(kStart), guard_.list(kStart));
}

TEST_F(LoginGuardTest, RefusesADamagedSnapshot) {
    fail(kHome, kAnna, 6);
    const auto octets = guard_.snapshot(kStart);
    for (std::size_t size = 0; size < octets.size(); size += 3) ASSERT_FALSE(guard_.restore(octets.substr(0, size)));
    for (std::size_t at = 0; at < octets.size(); ++at) {
        auto changed = octets;
        changed[at] = static_cast<char>(changed[at] ^ 4);
        ASSERT_FALSE(guard_.restore(changed)) << at;
    }
    EXPECT_EQ(judge(kHome, "").answer, Answer::client_locked);
}

}  // namespace
}  // namespace thurn::policy
