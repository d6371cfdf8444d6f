#include "report/dmarc_mail.h"

#include "report/find_report.h"

#include <gtest/gtest.h>

namespace thurn::report {
namespace {

TEST(DmarcMail, BringsTheReport) {
    const DmarcMailOptions options{.report = {.version = "1.0",
                                              .metadata = {.org_name = "Receiver",
                                                           .report_id = "20261122.7@mx.receiver.example",
                                                           .date_range = {1795305600, 1795391999}},
                                              .policy = {.domain = "example.com"},
                                              .records = {{.source_ip = "192.0.2.1", .count = 2}}},
                                   .submitter = "receiver.example",
                                   .unique = "7",
                                   .from = "postmaster@receiver.example",
                                   .to = "dmarc@example.com",
                                   .message_id = "x@mx.receiver.example"};
    const auto mail = render_dmarc_mail(options);
    EXPECT_TRUE(mail.contains(
        "Subject: Report Domain: example.com Submitter: receiver.example Report-ID:\r\n <20261122.7@mx.receiver.example>\r\n"))
        << mail;
    EXPECT_TRUE(mail.contains("filename=\"receiver.example!example.com!1795305600!1795391999!7.xml.gz\"\r\n"));
    for (std::size_t at = 0; at < mail.size();) {
        const auto end = mail.find("\r\n", at);
        ASSERT_NE(end, std::string::npos);
        EXPECT_LE(end - at, 200U);
        at = end + 2;
    }
    const auto found = find_report(mail);
    ASSERT_TRUE(found) << found.error().detail;
    EXPECT_EQ(std::get<DmarcAggregate>(*found), options.report);
}

}  // namespace
}  // namespace thurn::report
