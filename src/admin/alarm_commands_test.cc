#include "admin/alarm_commands.h"

#include <boost/json/array.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::admin {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using policy::AlarmKind;

constexpr base::Time kNow{std::chrono::days(20000)};
constexpr std::int64_t kNowSeconds = 1728000000;

TEST(AlarmCommands, ListsByTimeAndKind) {
    policy::AlarmBook book;
    book.add({.kind = AlarmKind::relay, .subject = "192.0.2.1", .client = "192.0.2.1", .detail = "x"}, kNow);
    book.add({.kind = AlarmKind::relay, .subject = "192.0.2.1"}, kNow + 1min);
    book.add({.kind = AlarmKind::account, .subject = "anna@here.example", .login = "anna@here.example"}, kNow - 24h);
    const auto all = list_alarms(book, {}).value().as_array();
    ASSERT_EQ(all.size(), 2);
    EXPECT_EQ(all[0].at("kind").as_string(), "relay");
    EXPECT_EQ(all[0].at("count").to_number<int>(), 2);
    EXPECT_EQ(all[0].at("first").as_string(), "2024-10-04T00:00:00.000Z");
    EXPECT_EQ(all[0].at("last").as_string(), "2024-10-04T00:01:00.000Z");
    EXPECT_EQ(list_alarms(book, {{"since", kNowSeconds}}).value().as_array().size(), 1);
    EXPECT_EQ(list_alarms(book, {{"kind", "account"}}).value().at(0).at("login").as_string(), "anna@here.example");
    EXPECT_EQ(list_alarms(book, {{"kind", "nothing"}}).error().kind, base::ErrorKind::invalid);
    EXPECT_EQ(list_alarms(book, {{"kind", ""}, {"since", "x"}}).value().as_array().size(), 2);
    EXPECT_EQ(count_alarms(book).at("relay").to_number<int>(), 2);
    EXPECT_EQ(count_alarms(book).at("spoofing").to_number<int>(), 0);
}

TEST(AlarmCommands, ShowsAndReleasesAccounts) {
    policy::AccountBaseline accounts({.capacity = 100, .seed = 1});
    const policy::AccountRules rules{.new_recipients = 1, .learning = 0s};
    std::vector<spool::Recipient> to(2);
    to[0].mailbox = *mail::parse_mailbox("a@there.example");
    to[1].mailbox = *mail::parse_mailbox("b@there.example");
    accounts.add({.login = "anna@here.example", .recipients = to}, rules, kNow);
    const json::object request{{"logins", {"anna@here.example", "bob@here.example", 5}}};
    const auto shown = show_accounts(accounts, request, kNow).value().as_object();
    ASSERT_EQ(shown.size(), 1);
    EXPECT_EQ(shown.at("anna@here.example").at("held_because").as_string(), "2 new recipients within an hour, over 1");
    EXPECT_EQ(shown.at("anna@here.example").at("held_since").as_string(), "2024-10-04T00:00:00.000Z");
    EXPECT_EQ(shown.at("anna@here.example").at("last_hour").at("recipients").to_number<int>(), 2);
    base::NullLog log;
    EXPECT_TRUE(release_account(accounts, {{"login", "anna@here.example"}}, kNow, log).value().as_bool());
    EXPECT_FALSE(release_account(accounts, {{"login", "anna@here.example"}}, kNow, log).value().as_bool());
    EXPECT_EQ(release_account(accounts, {}, kNow, log).error().kind, base::ErrorKind::invalid);
    EXPECT_TRUE(show_accounts(accounts, request, kNow).value().at("anna@here.example").at("held_because").is_null());
    EXPECT_TRUE(show_accounts(accounts, {}, kNow).value().as_object().empty());
}

}  // namespace
}  // namespace thurn::admin
