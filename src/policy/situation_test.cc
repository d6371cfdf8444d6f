#include "policy/situation.h"

#include <gtest/gtest.h>

namespace thurn::policy {
namespace {

FactValue get(const std::string& name, const Situation& now) { return fact_of({find_fact_kind(name), name}, now); }

TEST(Situation, KnowsEveryFactThatNeedsNobodyElse) {
    const Situation now;
    for (const auto& kind : fact_kinds()) {
        if (kind.looked_up || kind.name == "score" || kind.name == "tags") continue;
        EXPECT_NE(fact_of({&kind, std::string(kind.name)}, now), FactValue(Unavailable{"nobody knows how to find it out"})) << kind.name;
    }
}

struct Neighbours {
    const char* address;
    const char* network;
    const char* subnet;
};

TEST(Situation, KnowsAClientsNeighbours) {
    for (const auto& [address, network, subnet] : {Neighbours{"192.0.2.77", "192.0.2.77", "192.0.2.0/24"},
                                                   {"::ffff:192.0.2.77", "192.0.2.77", "192.0.2.0/24"},
                                                   {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::", "2001:db8:1:2::/64"},
                                                   {"local", "local", "local"}}) {
        EXPECT_EQ(client_network(address), network);
        EXPECT_EQ(get("client.subnet", {.client_address = address}), FactValue(std::string(subnet)));
    }
}

TEST(Situation, AFailedLoginIsNotLoggedIn) {
    EXPECT_EQ(get("authenticated", {.login = "anna@a.example", .login_failed = true}), FactValue(false));
    EXPECT_EQ(get("login", {.login = "anna@a.example", .login_failed = true}), FactValue(std::string("anna@a.example")));
}

TEST(Situation, TellsOfThePort) {
    EXPECT_EQ(get("listener.port", {.listener_port = 587}), FactValue(587.0));
    EXPECT_TRUE(std::holds_alternative<Unavailable>(get("listener.port", {})));
}

TEST(Situation, TellsOfTheEnvelope) {
    const auto anna = *mail::parse_mailbox("anna@Example.com");
    const auto ben = *mail::parse_mailbox("ben@b.example");
    const Situation now{.listener = "mx",
                        .hostname = "mx.example.com",
                        .client_address = "192.0.2.1",
                        .login = "anna@example.com",
                        .helo = "MX.example.com",
                        .sender = &anna,
                        .recipient = &ben,
                        .recipient_count = 1,
                        .recipients = [] { return Texts{"a@b.example"}; },
                        .size = 77};
    EXPECT_EQ(get("authenticated", now), FactValue(true));
    EXPECT_EQ(get("helo.ours", now), FactValue(true));
    EXPECT_EQ(get("helo.is_name", now), FactValue(true));
    EXPECT_EQ(get("helo.is_literal", now), FactValue(false));
    EXPECT_EQ(get("sender.domain", now), FactValue(std::string("example.com")));
    EXPECT_EQ(get("spf.domain", now), FactValue(std::string("example.com")));
    EXPECT_EQ(get("spf.domain", {.helo = "mx.b.example"}), FactValue(std::string("mx.b.example")));
    EXPECT_EQ(get("recipient", now), FactValue(std::string("ben@b.example")));
    EXPECT_EQ(get("recipient_count", now), FactValue(1.0));
    EXPECT_EQ(get("recipients", now), FactValue(Texts{"a@b.example"}));
    EXPECT_EQ(get("size", now), FactValue(77.0));
    EXPECT_EQ(now.subject().sender_domain, "example.com");
    EXPECT_EQ(get("helo.is_literal", {.helo = "[IPv6:2001:db8::1]"}), FactValue(true));
    EXPECT_EQ(get("sender", {}), FactValue(std::string()));
}

TEST(Situation, ReadsTheHeader) {
    const Situation now{.header = "From: Anna <anna@Example.com>\r\nX-A: one\r\n two\r\nx-a: three\r\n\r\n"};
    EXPECT_EQ(get("header.X-A", now), FactValue(Texts{"one two", "three"}));
    EXPECT_EQ(get("header.Subject", now), FactValue(Texts{}));
    EXPECT_EQ(get("header.Subject", {.header = "Subject: =?utf-8?B?d2lu?=\r\n =?utf-8?Q?ner?=\r\n\r\n"}), FactValue(Texts{"winner"}));
    EXPECT_EQ(get("author", now), FactValue(std::string("anna@example.com")));
    EXPECT_EQ(get("author.domain", now), FactValue(std::string("example.com")));
    EXPECT_EQ(get("author", {.header = "From: a@b.example, root\r\n\r\n"}), FactValue(std::string())) << "as DMARC has it";
    EXPECT_EQ(get("author", {.header = "From: a@b.example, c@d.example\r\n\r\n"}), FactValue(std::string()));
    EXPECT_EQ(get("author", {.header = "From: a@b.example\r\nFrom: c@d.example\r\n\r\n"}), FactValue(std::string()));
}

class Germany final : public Countries {
public:
    [[nodiscard]] std::string country_of(std::string_view address) const override { return address.starts_with("192.0.2.") ? "DE" : ""; }
};

TEST(Situation, TellsTheCountryIfSomebodyKnowsCountries) {
    const Germany countries;
    EXPECT_EQ(get("client.country", {.client_address = "192.0.2.1", .countries = &countries}), FactValue(std::string("DE")));
    EXPECT_EQ(get("client.country", {.client_address = "198.51.100.1", .countries = &countries}), FactValue(std::string()));
    EXPECT_EQ(get("client.country", {.client_address = "192.0.2.1"}), FactValue(Unavailable{"there is no geoip.file"}));
}

TEST(Situation, TellsHourAndDayAsTheClockOnTheWallHasThem) {
    using namespace std::chrono_literals;
    const auto at = [](base::LocalTime time) { return Situation{.local_time = [time] { return time; }}; };
    const auto sunday = base::LocalTime(std::chrono::local_days(2026y / 11 / 22).time_since_epoch());
    EXPECT_EQ(get("time.hour", at(sunday)), FactValue(0.0));
    EXPECT_EQ(get("time.weekday", at(sunday)), FactValue(std::string("sunday")));
    EXPECT_EQ(get("time.hour", at(sunday - 1ms)), FactValue(23.0));
    EXPECT_EQ(get("time.weekday", at(sunday - 1ms)), FactValue(std::string("saturday")));
    EXPECT_EQ(get("time.hour", at(sunday + 37h + 59min)), FactValue(13.0));
    EXPECT_EQ(get("time.weekday", at(sunday + 37h + 59min)), FactValue(std::string("monday")));
    EXPECT_EQ(get("time.hour", {}), FactValue(Unavailable{"nobody knows what time it was"}));
}

TEST(Situation, TellsWhatTheChecksFound) {
    EXPECT_TRUE(std::holds_alternative<Unavailable>(get("dmarc", {})));
    mailauth::Findings findings{};
    findings.dmarc.result = mailauth::DmarcResult::fail;
    findings.origin.mail_from.result = mailauth::SpfResult::softfail;
    findings.signatures.dkim.resize(2);
    findings.signatures.dkim[0].result = mailauth::DkimResult::pass;
    findings.signatures.dkim[0].domain = "a.example";
    const Situation now{.findings = &findings};
    EXPECT_EQ(get("dmarc", now), FactValue(std::string("fail")));
    EXPECT_EQ(now.subject().spf, mailauth::SpfResult::softfail);
    EXPECT_EQ(get("dkim", now), FactValue(Texts{"a.example"}));
    EXPECT_EQ(get("arc", now), FactValue(std::string("none")));
}

}  // namespace
}  // namespace thurn::policy
