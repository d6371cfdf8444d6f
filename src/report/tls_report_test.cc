#include "report/tls_report.h"

#include "mail/date.h"

#include <gtest/gtest.h>

namespace thurn::report {
namespace {

/// RFC 8460 Appendix B.
constexpr std::string_view kExample = R"({
  "organization-name": "Company-X",
  "date-range": {"start-datetime": "2016-04-01T00:00:00Z", "end-datetime": "2016-04-01T23:59:59Z"},
  "contact-info": "sts-reporting@company-x.example",
  "report-id": "5065427c-23d3-47ca-b6e0-946ea0e8c4be",
  "policies": [{
    "policy": {
      "policy-type": "sts",
      "policy-string": ["version: STSv1","mode: testing","mx: *.mail.company-y.example","max_age: 86400"],
      "policy-domain": "company-y.example",
      "mx-host": "*.mail.company-y.example"
    },
    "summary": {"total-successful-session-count": 5326, "total-failure-session-count": 303},
    "failure-details": [{
      "result-type": "certificate-expired",
      "sending-mta-ip": "2001:db8:abcd:0012::1",
      "receiving-mx-hostname": "mx1.mail.company-y.example",
      "failed-session-count": 100
    }, {
      "result-type": "starttls-not-supported",
      "sending-mta-ip": "2001:db8:abcd:0013::1",
      "receiving-mx-hostname": "mx2.mail.company-y.example",
      "receiving-ip": "203.0.113.56",
      "failed-session-count": 200,
      "additional-information": "https://reports.company-x.example/report_info ? id = 5065427 c - 23 d3# StarttlsNotSupported"
    }]
  }]
})";

TEST(TlsReport, ReadsTheExampleOfTheRfc) {
    const auto report = parse_tls_report(kExample);
    ASSERT_TRUE(report) << report.error().detail;
    EXPECT_EQ(report->organization_name, "Company-X");
    EXPECT_EQ(mail::render_timestamp(report->end), "2016-04-01T23:59:59.000Z");
    ASSERT_EQ(report->policies.size(), 1U);
    const auto& policy = report->policies[0];
    EXPECT_EQ(policy.mx_hosts, std::vector<std::string>{"*.mail.company-y.example"});
    EXPECT_EQ(policy.policy_string.size(), 4U);
    EXPECT_EQ(policy.successful_sessions, 5326U);
    EXPECT_EQ(policy.failed_sessions, 303U);
    ASSERT_EQ(policy.failures.size(), 2U);
    EXPECT_EQ(policy.failures[1].result_type, "starttls-not-supported");
    EXPECT_EQ(policy.failures[1].receiving_ip, "203.0.113.56");
    EXPECT_EQ(policy.failures[1].failed_session_count, 200U);
}

TEST(TlsReport, ComesBackAsItWasWritten) {
    const auto report = parse_tls_report(kExample);
    EXPECT_EQ(parse_tls_report(render_tls_report(*report)), report);
}

TEST(TlsReport, PassesOverWhatItDoesNotKnow) {
    const auto report = parse_tls_report(R"({"report-id": 5, "date-range": [], "x": {}, "policies": [7, {"policy": "sts", "summary": {
        "total-successful-session-count": -1, "total-failure-session-count": "3"}, "failure-details": [null]}]})");
    ASSERT_TRUE(report) << report.error().detail;
    EXPECT_EQ(report->report_id, "");
    ASSERT_EQ(report->policies.size(), 2U);
    EXPECT_EQ(report->policies[1].successful_sessions, 0U);
    EXPECT_EQ(report->policies[1].failures.size(), 1U);
}

TEST(TlsReport, RefusesWhatIsNone) {
    EXPECT_EQ(parse_tls_report("").error().kind, base::ErrorKind::syntax);
    EXPECT_EQ(parse_tls_report("[]").error().kind, base::ErrorKind::syntax);
    EXPECT_EQ(parse_tls_report("{\"a\":1}").error().kind, base::ErrorKind::syntax);
    EXPECT_EQ(parse_tls_report(kExample.substr(0, 400)).error().kind, base::ErrorKind::syntax);
    EXPECT_EQ(parse_tls_report(std::string(100, '[')).error().kind, base::ErrorKind::too_long);
    EXPECT_EQ(parse_tls_report(kExample, {.size = {100}}).error().kind, base::ErrorKind::too_long);
}

TEST(TlsReport, CutsAValueAtACharacter) {
    const auto report = parse_tls_report(R"({"report-id":"aöö"})", {.text = 4});
    EXPECT_EQ(report->report_id, "aö");
}

TEST(TlsReport, WritesOnlyUtf8) {
    const auto report = parse_tls_report(render_tls_report({.organization_name = "\xff\"\n", .report_id = "ü"}));
    ASSERT_TRUE(report) << report.error().detail;
    EXPECT_EQ(report->organization_name, "?\"\n");
    EXPECT_EQ(report->report_id, "ü");
}

}  // namespace
}  // namespace thurn::report
