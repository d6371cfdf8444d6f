#include "policy/login_rule.h"

#include <gtest/gtest.h>

namespace thurn::policy {
namespace {

using Admission = LoginGuard::Admission;
using Verdict = LoginGuard::Verdict;

TEST(LoginRule, TurnsAwayWhoIsBannedAndWhereOneLogsInWhoIsLockedOut) {
    EXPECT_FALSE(refuse_admission(Admission::welcome, Role::submission));
    EXPECT_EQ(refuse_admission(Admission::banned, Role::mx)->code, 554);
    EXPECT_EQ(refuse_admission(Admission::locked_out, Role::submission)->code, 421);
    EXPECT_FALSE(refuse_admission(Admission::locked_out, Role::mx)) << "mail to us is another matter";
}

TEST(LoginRule, RefusesALoginByWhatTheGuardSays) {
    EXPECT_FALSE(refuse_login({.delay = std::chrono::seconds(4)})) << "who waits is no refusal";
    const auto locked = refuse_login({.answer = Verdict::Answer::account_locked, .until = base::Time(std::chrono::hours(24))});
    EXPECT_EQ(locked->code, 454);
    EXPECT_EQ(locked->rule, "login_protection");
    EXPECT_EQ(locked->reason, "too many failed logins with the name, until 1970-01-02T00:00:00.000Z");
    EXPECT_EQ(refuse_login({.answer = Verdict::Answer::client_locked})->code, 421);
    const auto banned = refuse_login({.answer = Verdict::Answer::banned});
    EXPECT_EQ(banned->code, 525);
    EXPECT_EQ(banned->kind, Decision::Kind::reject);
    EXPECT_EQ(banned->rule, "bans");
}

}  // namespace
}  // namespace thurn::policy
