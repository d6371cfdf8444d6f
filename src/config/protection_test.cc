#include "config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::config {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

base::Result<Loaded> read(std::string_view text) { return parse_config(text, "test.toml", {.system_hostname = "mx.here.example"}); }

TEST(LoginProtection, IsRead) {
    const auto loaded = read(R"(
[login_protection]
failures = 5
account_failures = 50
window = "1h"
delay = "0s"
lockout = "5m"
longest_lockout = "2d"
known_for = "7d"
allow = ["10.0.0.0/8", "2001:db8::/64"]
)");
    ASSERT_TRUE(loaded) << loaded.error().detail;
    const auto& rules = loaded->config.logins;
    EXPECT_EQ(rules.failures, 5);
    EXPECT_EQ(rules.account_failures, 50);
    EXPECT_EQ(rules.window, 1h);
    EXPECT_EQ(rules.delay, 0ms);
    EXPECT_EQ(rules.lockout, 5min);
    EXPECT_EQ(rules.longest_lockout, 48h);
    EXPECT_EQ(rules.known_for, 168h);
    ASSERT_EQ(rules.allow.size(), 2);
    EXPECT_TRUE(rules.allow[0].contains("10.1.2.3"));
}

TEST(LoginProtection, TellsWhereOldKeysWent) {
    EXPECT_THAT(read("[limits]\nauth_failures = 5").error().detail,
                HasSubstr("test.toml:2:17: limits.auth_failures: is called login_protection.failures now"));
    EXPECT_THAT(read("[limits]\nauth_window = \"1m\"").error().detail, HasSubstr("login_protection.window now"));
    EXPECT_THAT(read("[limits]\nauth_delay = \"1s\"").error().detail, HasSubstr("login_protection.delay now"));
}

TEST(LoginProtection, IsRefusedWhenItWouldProtectNobody) {
    EXPECT_THAT(read("[login_protection]\nallow = [\"0.0.0.0/0\"]").error().detail, HasSubstr("the whole internet"));
    EXPECT_THAT(read("[login_protection]\nlockout = \"2d\"").error().detail, HasSubstr("longest_lockout: must be at least"));
    EXPECT_FALSE(read("[login_protection]\nwindow = \"0s\""));
    EXPECT_FALSE(read("[login_protection]\nfailures = 0"));
    EXPECT_FALSE(read("[login_protection]\nknown_for = \"0s\""));
}

}  // namespace
}  // namespace thurn::config
