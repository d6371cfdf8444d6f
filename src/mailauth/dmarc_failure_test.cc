#include "mailauth/dmarc_failure.h"

#include "support/dns_zone.h"

#include <gtest/gtest.h>

namespace thurn::mailauth {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kHeader = "Received: from x by y\r\nFrom: anna@example.com\r\nTo: bob@example.net\r\nSubject: hello\r\n\r\n";

/// What was found of a message of anna@example.com, whose domain has that record.
Findings findings(const std::string& record, DmarcRequest request = {.author_domain = "example.com"}) {
    DmarcCheck check(std::move(request));
    support::DnsZone({"_dmarc.example.com TXT " + record}).drive(check);
    Findings found{.asked = {.client = *dns::parse_ip("192.0.2.1"),
                             .helo = "mx.example.org",
                             .reverse_path = "anna@example.com",
                             .receiver = "mx.example.net",
                             .now = base::Time(1764000000s)},
                   .origin = {},
                   .signatures = {},
                   .dmarc = check.take(),
                   .dmarc_lookups = {}};
    found.origin.mail_from.result = SpfResult::fail;
    found.origin.mail_from.domain = "example.com";
    found.origin.lookups = {{{"example.com", dns::Type::txt}, "\"v=spf1 -all\""}};
    found.signatures.author.domain = "example.com";
    return found;
}

std::optional<DmarcFailure> describe(const Findings& found, std::string_view header = kHeader) {
    const MessageHeader parsed{std::string(header)};
    return describe_failure({.findings = found,
                             .header = parsed,
                             .message_id = "0123456789ABC",
                             .authserv_id = "mx.example.net",
                             .became = DeliveryResult::reject});
}

TEST(DmarcFailure, TellsResultsAndHeader) {
    auto found = findings("v=DMARC1; p=reject; ruf=mailto:ruf@example.com,https://example.com/ruf");
    found.signatures.dkim = {{.result = DkimResult::fail, .domain = "example.com", .selector = "s1", .identity = "@example.com"}};
    const auto failure = describe(found);
    ASSERT_TRUE(failure);
    EXPECT_EQ(failure->author_domain, "example.com");
    EXPECT_EQ(failure->policy_domain, "example.com");
    EXPECT_EQ(failure->destinations.size(), 1U);
    EXPECT_EQ(failure->header, kHeader);
    const auto& report = failure->report;
    EXPECT_EQ(report.feedback_type, "auth-failure");
    EXPECT_EQ(report.auth_failure, "dmarc");
    EXPECT_EQ(report.identity_alignment, "dkim, spf");
    EXPECT_EQ(report.delivery_result, "reject");
    EXPECT_EQ(report.original_mail_from, "<anna@example.com>");
    EXPECT_EQ(report.original_envelope_id, "0123456789ABC");
    EXPECT_EQ(report.reporting_mta, "dns; mx.example.net");
    EXPECT_EQ(report.source_ip, "192.0.2.1");
    EXPECT_EQ(report.reported_domains, std::vector<std::string>{"example.com"});
    EXPECT_EQ(report.dkim_domain, "example.com");
    EXPECT_EQ(report.dkim_selector, "s1");
    EXPECT_EQ(report.dkim_identity, "@example.com");
    EXPECT_EQ(report.spf_dns, "txt : example.com : \"v=spf1 -all\"");
    ASSERT_EQ(report.authentication_results.size(), 1U);
    EXPECT_TRUE(report.authentication_results.front().starts_with("mx.example.net; iprev=")) << report.authentication_results.front();
    EXPECT_EQ(report::parse_feedback_report(report::render_feedback_report(report)), report);
}

struct OptionCase {
    const char* name;
    const char* fo;
    bool spf_aligned;
    bool dkim_aligned;
    SpfResult spf;
    DkimResult dkim;
    const char* kind;  // of the report; empty: none
};
class FailureOptionTest : public testing::TestWithParam<OptionCase> {};
TEST_P(FailureOptionTest, DecidesWhetherThereIsAReport) {
    const auto& row = GetParam();
    DmarcRequest request{.author_domain = "example.com"};
    if (row.spf_aligned) request.spf.push_back({"example.com"});
    if (row.dkim_aligned) request.dkim.push_back({"example.com"});
    auto found = findings(std::string("v=DMARC1; p=none; ruf=mailto:ruf@example.com") + row.fo, std::move(request));
    found.origin.mail_from.result = row.spf;
    found.signatures.dkim = {{.result = row.dkim, .domain = "list.example", .body_changed = row.dkim == DkimResult::fail}};
    const auto failure = describe(found);
    EXPECT_EQ(failure ? failure->report.auth_failure : "", row.kind);
}
INSTANTIATE_TEST_SUITE_P(Rfc9989Section47, FailureOptionTest,
                         testing::Values(OptionCase{"DefaultAllFailed", "", false, false, SpfResult::fail, DkimResult::fail, "dmarc"},
                                         OptionCase{"DefaultOnePassed", "", true, false, SpfResult::pass, DkimResult::fail, ""},
                                         OptionCase{"OneOfTwoFailed", "; fo=1", true, false, SpfResult::pass, DkimResult::fail, "dmarc"},
                                         OptionCase{"NoneOfTwoFailed", "; fo=1", true, true, SpfResult::pass, DkimResult::pass, ""},
                                         OptionCase{"SignatureFailed", "; fo=d", true, true, SpfResult::pass, DkimResult::fail, "bodyhash"},
                                         OptionCase{"SignatureMalformed", "; fo=d", true, true, SpfResult::pass, DkimResult::permerror,
                                                    "signature"},
                                         OptionCase{"NoSignatureFailed", "; fo=d", false, false, SpfResult::fail, DkimResult::none, ""},
                                         OptionCase{"SpfFailed", "; fo=s", false, true, SpfResult::softfail, DkimResult::pass, "spf"},
                                         OptionCase{"SpfNeutral", "; fo=s", false, false, SpfResult::neutral, DkimResult::pass, ""},
                                         OptionCase{"Several", "; fo=d:s", true, true, SpfResult::fail, DkimResult::pass, "spf"}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(DmarcFailure, IsNotToldOfWhatCouldLoop) {
    auto found = findings("v=DMARC1; p=none; ruf=mailto:ruf@example.com");
    ASSERT_TRUE(describe(found));
    EXPECT_FALSE(describe(found, "From: anna@example.com\r\nContent-Type:\r\n Multipart/Report; report-type=feedback-report\r\n\r\n"));
    found.asked.reverse_path.clear();
    EXPECT_FALSE(describe(found));
}

TEST(DmarcFailure, IsNotToldWhereNobodyAsked) {
    EXPECT_FALSE(describe(findings("v=DMARC1; p=reject; fo=1; rua=mailto:a@example.com")));
    EXPECT_FALSE(describe(findings("v=DMARC1; p=reject; ruf=https://example.com/")));
    EXPECT_FALSE(describe(findings("v=spf1 -all")));
    auto unknown = findings("v=DMARC1; p=reject; ruf=mailto:a@example.com",
                            {.author_domain = "example.com", .spf = {{"example.com", AuthenticatedDomain::Standing::temperror}}});
    EXPECT_FALSE(describe(unknown));
}

DmarcFailure failure_of(const std::string& domain, const std::string& address) {
    return {.author_domain = domain,
            .policy_domain = domain,
            .destinations = {},
            .report = {.source_ip = address, .auth_failure = "dmarc"},
            .header = {}};
}

TEST(FailureQuota, MakesOneReportOfTheSameFailureInAnHour) {
    FailureQuota quota({});
    const auto now = base::Time(1764000000s);
    EXPECT_EQ(quota.count(failure_of("a.example", "192.0.2.1"), now), 1U);
    for (int i = 0; i < 7; ++i) EXPECT_EQ(quota.count(failure_of("a.example", "192.0.2.1"), now + 59min), 0U);
    EXPECT_EQ(quota.count(failure_of("a.example", "192.0.2.2"), now), 1U);
    EXPECT_EQ(quota.count(failure_of("a.example", "192.0.2.1"), now + 60min), 8U);
    EXPECT_EQ(quota.count(failure_of("a.example", "192.0.2.1"), now + 121min), 1U);
}

TEST(FailureQuota, BoundsTheReportsOfADomainAndOfAll) {
    FailureQuota quota({.per_domain = 2, .in_all = 3});
    const auto now = base::Time(1764000000s);
    EXPECT_EQ(quota.count(failure_of("a.example", "192.0.2.1"), now), 1U);
    EXPECT_EQ(quota.count(failure_of("a.example", "192.0.2.2"), now), 1U);
    EXPECT_EQ(quota.count(failure_of("a.example", "192.0.2.3"), now), 0U);
    EXPECT_EQ(quota.count(failure_of("b.example", "192.0.2.1"), now), 1U);
    EXPECT_EQ(quota.count(failure_of("c.example", "192.0.2.1"), now), 0U);
    EXPECT_EQ(quota.count(failure_of("c.example", "192.0.2.1"), now + 60min), 2U);
}

TEST(FailureQuota, StaysBounded) {
    FailureQuota quota({.per_domain = 100'000, .in_all = 100'000});
    const auto now = base::Time(1764000000s);
    std::uint64_t sent = 0;
    for (int i = 0; i < 10'500; ++i) sent += quota.count(failure_of(std::to_string(i) + ".example", "192.0.2.1"), now);
    EXPECT_EQ(sent, 10'000U);
    EXPECT_EQ(quota.count(failure_of("new.example", "192.0.2.1"), now + 2h), 1U);
}

}  // namespace
}  // namespace thurn::mailauth
