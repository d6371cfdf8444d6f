#include "app/alarm_text.h"

#include "mail/header.h"

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::app {
namespace {

using policy::AlarmKind;
using testing::HasSubstr;
using testing::Not;

constexpr base::Time kNow{std::chrono::days(20000)};

policy::AlarmBook::Entry stolen() {
    return {.alarm = {.kind = AlarmKind::account,
                      .subject = "anna@here.example",
                      .client = "192.0.2.1",
                      .login = "anna@here.example",
                      .message = "ABC",
                      .detail = "201 new recipients within an hour, over 200"},
            .first = kNow,
            .last = kNow};
}

AlarmMail mail_of(std::vector<policy::AlarmBook::Entry> entries) {
    return {.hostname = "mx.here.example",
            .from = "postmaster@here.example",
            .to = "admin@here.example",
            .message_id = "XYZ",
            .now = kNow,
            .entries = std::move(entries)};
}

TEST(AlarmMail, SaysWhatHappenedAndWhatCanBeDone) {
    const auto text = render_alarm_mail(mail_of({stolen()}));
    const auto header = mail::parse_header(text);
    EXPECT_EQ(header.find("Subject")->value, " Alarm on mx.here.example: account anna@here.example");
    EXPECT_EQ(header.find("From")->value, " thurn on mx.here.example <postmaster@here.example>");
    EXPECT_EQ(header.find("Auto-Submitted")->value, " auto-generated");
    EXPECT_THAT(text, HasSubstr("201 new recipients within an hour, over 200\r\n"));
    EXPECT_THAT(text, HasSubstr("thurn account suspend anna@here.example\r\n"));
    EXPECT_THAT(text, HasSubstr("thurn quarantine release --login anna@here.example\r\n"));
}

TEST(AlarmMail, HoldsSeveral) {
    auto relay = stolen();
    relay.alarm = {.kind = AlarmKind::relay, .subject = "192.0.2.9", .detail = "x"};
    const auto text = render_alarm_mail(mail_of({stolen(), relay}));
    EXPECT_THAT(text, HasSubstr("account anna@here.example, and 1 more\r\n"));
    EXPECT_THAT(text, HasSubstr("relay: 192.0.2.9\r\n"));
}

TEST(AlarmMail, WhatAClientChoseMakesNoHeaderFields) {
    auto entry = stolen();
    entry.alarm.subject = "x\r\nBcc: everybody@there.example\r\n\r\nbody \xff";
    entry.alarm.login = entry.alarm.detail = entry.alarm.subject;
    const auto text = render_alarm_mail(mail_of({entry}));
    EXPECT_FALSE(mail::parse_header(text).find("Bcc"));
    EXPECT_THAT(text, Not(HasSubstr("\nBcc")));
    EXPECT_THAT(text, Not(HasSubstr("\xff")));
}

TEST(AlarmJson, HoldsAll) {
    auto entry = stolen();
    entry.alarm.detail = "a \"quote\" and \xff";
    const auto json = boost::json::parse(render_alarm_json(entry, "mx.here.example"));
    EXPECT_EQ(json.at("host").as_string(), "mx.here.example");
    EXPECT_EQ(json.at("kind").as_string(), "account");
    EXPECT_EQ(json.at("login").as_string(), "anna@here.example");
    EXPECT_EQ(json.at("detail").as_string(), "a \"quote\" and ?");
    EXPECT_EQ(json.at("time").as_string(), "2024-10-04T00:00:00.000Z");
}

TEST(MetricsFile, HasEachKindAndTheQueue) {
    Metrics metrics{.spool = {.messages = 7, .free_octets = 1000}, .now = kNow};
    metrics.alarms[static_cast<std::size_t>(AlarmKind::relay)] = 12;
    const auto text = render_metrics(metrics);
    EXPECT_THAT(text, HasSubstr("thurn_alarms_total{kind=\"relay\"} 12\n"));
    EXPECT_THAT(text, HasSubstr("thurn_alarms_total{kind=\"account\"} 0\n"));
    EXPECT_THAT(text, HasSubstr("# TYPE thurn_queue_messages gauge\nthurn_queue_messages 7\n"));
    EXPECT_THAT(text, HasSubstr("thurn_written_seconds 1728000000\n"));
}

}  // namespace
}  // namespace thurn::app
