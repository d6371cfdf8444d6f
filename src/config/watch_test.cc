#include "config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::config {
namespace {

using namespace std::chrono_literals;
using policy::AccountRules;
using policy::AlarmKind;
using testing::ElementsAre;
using testing::HasSubstr;

base::Result<Loaded> read(std::string_view text) { return parse_config(text, "test.toml", {.system_hostname = "mx.here.example"}); }

TEST(Watching, IsRead) {
    const auto loaded = read(R"(
[account_watch]
messages = 10
recipients = 20
new_recipients = 5
factor = 3
bounces = 7
bounce_percent = 50
learning = "1d"
action = "throttle"
alarm = false
new_country = "jump"
exempt = ["Shop@here.example"]
[alarms]
mail = ["anna@here.example"]
mail_kinds = ["relay", "account"]
mail_per_hour = 3
webhook = "http://127.0.0.1:8080/hook"
[metrics]
textfile = "/var/lib/metrics/thurn.prom"
interval = "1m"
)");
    ASSERT_TRUE(loaded) << loaded.error().detail;
    const auto& [config, settings, warnings] = *loaded;
    EXPECT_EQ(config.accounts.messages, 10);
    EXPECT_EQ(config.accounts.recipients, 20);
    EXPECT_EQ(config.accounts.new_recipients, 5);
    EXPECT_EQ(config.accounts.factor, 3);
    EXPECT_EQ(config.accounts.bounces, 7);
    EXPECT_EQ(config.accounts.bounce_percent, 50);
    EXPECT_EQ(config.accounts.learning, 24h);
    EXPECT_EQ(config.accounts.deed, AccountRules::Deed::throttle);
    EXPECT_FALSE(config.accounts.alarm);
    EXPECT_EQ(config.accounts.new_country, AccountRules::NewCountry::jump);
    EXPECT_THAT(config.accounts.exempt, ElementsAre("shop@here.example"));
    EXPECT_THAT(config.alarms.mail, ElementsAre("anna@here.example"));
    EXPECT_THAT(config.alarms.mail_kinds, ElementsAre(AlarmKind::relay, AlarmKind::account));
    EXPECT_EQ(config.alarms.mail_per_hour, 3);
    EXPECT_EQ(config.alarms.webhook, "http://127.0.0.1:8080/hook");
    EXPECT_EQ(config.metrics_file, "/var/lib/metrics/thurn.prom");
    EXPECT_EQ(config.metrics_every, 1min);
}

TEST(Watching, ThePostmasterIsToldOfAccountsUnlessSaidOtherwise) {
    const auto loaded = read("postmaster = \"p@here.example\"").value();
    EXPECT_EQ(loaded.config.accounts.deed, AccountRules::Deed::hold);
    EXPECT_THAT(loaded.config.alarms.mail, ElementsAre("p@here.example"));
    EXPECT_THAT(loaded.config.alarms.mail_kinds, testing::Contains(AlarmKind::account));
    EXPECT_TRUE(read("[alarms]\nmail = []").value().config.alarms.mail.empty());
}

TEST(Watching, TellsMistakes) {
    EXPECT_THAT(read("[alarms]\nmail = [\"anna\"]").error().detail, HasSubstr("no address"));
    EXPECT_THAT(read("[alarms]\nmail_kinds = [\"relais\"]").error().detail, HasSubstr("\"relais\" is none of rule, rate"));
    EXPECT_THAT(read("[alarms]\nwebhook = \"ftp://x\"").error().detail, HasSubstr("must be a URL"));
    EXPECT_THAT(read("[account_watch]\naction = \"reject\"").error().detail, HasSubstr("throttle"));
}

}  // namespace
}  // namespace thurn::config
