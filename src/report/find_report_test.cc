#include "report/find_report.h"

#include "base/base64.h"
#include "report/dsn.h"

#include <gtest/gtest.h>

namespace thurn::report {
namespace {

constexpr std::string_view kXml =
    "<?xml version=\"1.0\"?>\n<feedback><report_metadata><report_id>7</report_id></report_metadata>"
    "<policy_published><domain>example.com</domain></policy_published></feedback>\n";
constexpr std::string_view kJson = R"({"report-id":"7","policies":[]})";

std::string base64_lines(std::string_view octets) {
    const auto text = base::encode_base64(octets);
    std::string lines;
    for (std::size_t at = 0; at < text.size(); at += 76) lines += text.substr(at, 76) + "\r\n";
    return lines;
}

std::string mail_with(std::string_view type, std::string_view octets) {
    return "From: a@example.net\r\nSubject: Report domain: example.com\r\nMIME-Version: 1.0\r\n"
           "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
           "--b\r\nContent-Type: text/plain\r\n\r\n<feedback> is attached\r\n"
           "--b\r\nContent-Type: image/png\r\n\r\nx\r\n"
           "--b\r\nContent-Type: " +
           std::string(type) + "\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64_lines(octets) + "--b--\r\n";
}

struct FindCase {
    const char* name;
    std::string mail;
};
class FindDmarcReportTest : public testing::TestWithParam<FindCase> {};
TEST_P(FindDmarcReportTest, FindsIt) {
    const auto found = find_report(GetParam().mail);
    ASSERT_TRUE(found) << found.error().detail;
    EXPECT_EQ(std::get<DmarcAggregate>(*found).metadata.report_id, "7");
}
INSTANTIATE_TEST_SUITE_P(
    Mails, FindDmarcReportTest,
    testing::Values(FindCase{"Gzip", mail_with("application/gzip; name=\"x!y!1!2.xml.gz\"", pack_gzip(kXml))},
                    FindCase{"GzipCalledZip", mail_with("application/zip", pack_gzip(kXml))},
                    FindCase{"OctetStream", mail_with("application/octet-stream", pack_gzip(kXml))},
                    FindCase{"Plain", mail_with("text/xml", kXml)},
                    FindCase{"WithByteOrderMark", mail_with("application/xml", "\xEF\xBB\xBF" + std::string(kXml))},
                    FindCase{"TheMessageItself",
                             "Content-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64_lines(pack_gzip(kXml))},
                    FindCase{"Forwarded", "Content-Type: message/rfc822\r\n\r\n" + mail_with("application/gzip", pack_gzip(kXml))}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(FindReport, FindsTlsReports) {
    for (const auto& mail : {mail_with("application/tlsrpt+gzip", pack_gzip(kJson)), mail_with("application/tlsrpt+json", kJson)}) {
        const auto found = find_report(mail);
        ASSERT_TRUE(found) << found.error().detail;
        EXPECT_EQ(std::get<TlsReport>(*found).report_id, "7");
    }
}

TEST(FindReport, FindsOurOwnDeliveryStatus) {
    const auto dsn = render_dsn({.reporting_host = "mx.example.net",
                                 .message_id = "1",
                                 .queue_id = "2",
                                 .envelope_id = "QQ314159",
                                 .to = *mail::parse_mailbox("anna@example.com"),
                                 .from = "postmaster@mx.example.net",
                                 .recipients = {{.final_recipient = "nobody@example.org",
                                                 .original_recipient = "alias@example.org",
                                                 .action = DsnAction::failed,
                                                 .status = "5.1.1",
                                                 .remote_host = "mx.example.org [192.0.2.9]:25",
                                                 .diagnostic = "550 5.1.1 no such user",
                                                 .explanation = ""},
                                                {.final_recipient = "later@example.org",
                                                 .original_recipient = "",
                                                 .action = DsnAction::delayed,
                                                 .status = "4.4.1",
                                                 .remote_host = "",
                                                 .diagnostic = "",
                                                 .explanation = ""}},
                                 .original_header = "Subject: hello\r\n\r\n"});
    const auto found = find_report(dsn);
    ASSERT_TRUE(found) << found.error().detail;
    const auto& status = std::get<DeliveryStatus>(*found);
    EXPECT_EQ(status.original_envelope_id, "QQ314159");
    EXPECT_EQ(status.reporting_mta, "dns; mx.example.net");
    ASSERT_EQ(status.recipients.size(), 2U);
    EXPECT_EQ(status.recipients[0].original_recipient, "rfc822; alias@example.org");
    EXPECT_EQ(status.recipients[0].final_recipient, "rfc822; nobody@example.org");
    EXPECT_EQ(status.recipients[0].action, "failed");
    EXPECT_EQ(status.recipients[0].remote_mta, "dns; mx.example.org ([192.0.2.9]:25)");
    EXPECT_EQ(status.recipients[0].diagnostic_code, "smtp; 550 5.1.1 no such user");
    EXPECT_EQ(status.recipients[1].action, "delayed");
}

TEST(FindReport, SaysWhatIsWrong) {
    EXPECT_EQ(find_report("Subject: x\r\n\r\nhello\r\n").error().kind, base::ErrorKind::not_found);
    EXPECT_EQ(find_report(mail_with("application/pdf", "%PDF")).error().kind, base::ErrorKind::not_found);
    EXPECT_EQ(find_report(mail_with("application/gzip", pack_gzip(kXml).substr(0, 50))).error().kind, base::ErrorKind::corrupt);
    EXPECT_EQ(find_report(mail_with("text/xml", "<html/>")).error().kind, base::ErrorKind::syntax);
    const auto bomb = mail_with("application/gzip", pack_gzip(std::string(1U << 20, ' ')));
    EXPECT_EQ(find_report(bomb, {.unpack = {.size = base::kibibytes(64)}}).error().kind, base::ErrorKind::too_long);
}

TEST(DeliveryStatus, ReadsTheExampleOfTheRfc) {
    // RFC 3464 Appendix A.2, with LF line ends.
    const auto status = parse_delivery_status(
        "Reporting-MTA: dns; cs.utk.edu\n\n"
        "Original-Recipient: rfc822;arathib@vnet.ibm.com\nFinal-Recipient: rfc822;arathib@vnet.ibm.com\nAction: failed\n"
        "Status: 5.0.0 (permanent failure)\nDiagnostic-Code: smtp;\n 550 'arathib@vnet.IBM.COM' is not a registered gateway user\n"
        "Remote-MTA: dns; vnet.ibm.com\n\n"
        "Final-Recipient: rfc822;wsnell@sdcc13.ucsd.edu\nAction: Delayed\nStatus: 4.0.0\n\n");
    ASSERT_TRUE(status) << status.error().detail;
    ASSERT_EQ(status->recipients.size(), 2U);
    EXPECT_EQ(status->recipients[0].diagnostic_code, "smtp; 550 'arathib@vnet.IBM.COM' is not a registered gateway user");
    EXPECT_EQ(status->recipients[1].action, "delayed");
    EXPECT_FALSE(parse_delivery_status("Reporting-MTA: dns; x\r\n\r\n"));
}

}  // namespace
}  // namespace thurn::report
