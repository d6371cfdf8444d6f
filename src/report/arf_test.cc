#include "report/arf.h"

#include "report/find_report.h"

#include <gtest/gtest.h>

namespace thurn::report {
namespace {

/// RFC 5965 Appendix B.2, and a field of RFC 6591.
constexpr std::string_view kFields =
    "Feedback-Type: Abuse\n"
    "User-Agent: SomeGenerator/1.0\n"
    "Version: 1\n"
    "Original-Mail-From: <somespammer@example.net>\n"
    "Original-Rcpt-To: <user@example.com>\n"
    "Original-Rcpt-To: <other@example.com>\n"
    "Received-Date: Thu, 8 Mar 2005 14:00:00 EDT\n"
    "Source-IP: 192.0.2.1\n"
    "Authentication-Results: mail.example.com\n"
    "               smtp.mail=somespammer@example.com;\n"
    "               spf=fail\n"
    "Reported-Domain: example.net\n"
    "Reported-URI: mailto:user@example.com\n"
    "Auth-Failure: dmarc\n"
    "Incidents: 7\n"
    "Removal-Recipient: user@example.com\n";

TEST(FeedbackReport, IsReadFromItsFields) {
    const auto report = parse_feedback_report(kFields);
    ASSERT_TRUE(report) << report.error().detail;
    EXPECT_EQ(report->feedback_type, "abuse");
    EXPECT_EQ(report->original_rcpt_to, (std::vector<std::string>{"<user@example.com>", "<other@example.com>"}));
    EXPECT_EQ(report->arrival_date, "Thu, 8 Mar 2005 14:00:00 EDT");
    EXPECT_EQ(report->authentication_results, std::vector<std::string>{"mail.example.com smtp.mail=somespammer@example.com; spf=fail"});
    EXPECT_EQ(report->auth_failure, "dmarc");
    EXPECT_EQ(report->incidents, 7U);
}

TEST(FeedbackReport, ComesBackAsItWasWritten) {
    const auto report = parse_feedback_report(kFields);
    EXPECT_EQ(parse_feedback_report(render_feedback_report(*report)), report);
}

TEST(FeedbackReport, IsNoneWithoutAType) {
    EXPECT_FALSE(parse_feedback_report(""));
    EXPECT_FALSE(parse_feedback_report("User-Agent: x\r\n"));
}

TEST(FeedbackReport, IsFoundInItsMail) {
    const FeedbackReport report{.feedback_type = "auth-failure",
                                .user_agent = "thurn",
                                .version = "1",
                                .source_ip = "192.0.2.1",
                                .reported_domains = {"example.com"},
                                .auth_failure = "dmarc"};
    const auto mail = render_feedback_mail({.report = report,
                                            .from = "postmaster@example.net",
                                            .to = "ruf@example.com",
                                            .subject = "FW: hello\r\nBcc: evil@example.org",
                                            .message_id = "x@example.net",
                                            .explanation = "A message failed.\r\n",
                                            .original_header = "From: a@example.com\r\n--=_thurn_feedback--\r\nSubject: \xff\r\n"});
    EXPECT_FALSE(mail.contains("\r\nBcc")) << mail;
    const auto found = find_report(mail);
    ASSERT_TRUE(found) << found.error().detail;
    EXPECT_EQ(std::get<FeedbackReport>(*found), report);
}

}  // namespace
}  // namespace thurn::report
