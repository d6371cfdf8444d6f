#include "mailauth/dmarc_reporting.h"

#include "support/dns_zone.h"

#include <set>

#include <gtest/gtest.h>

namespace thurn::mailauth {
namespace {

using Kind = ReportConsent::Kind;

std::vector<std::string> addresses(const std::vector<mail::Mailbox>& mailboxes) {
    std::vector<std::string> texts;
    for (const auto& mailbox : mailboxes) texts.push_back(mail::render_mailbox(mailbox));
    return texts;
}

TEST(ReportDestinations, AreThoseOfMailtoUris) {
    EXPECT_EQ(
        addresses(find_report_destinations({"mailto:a@example.com", "https://example.com/x", "MAILTO:b%2Bx@example.net?subject=x",
                                            "mailto:a@example.com", "mailto:broken", "mailto:c@[192.0.2.1]", "mailto:50%@example.com"})),
        (std::vector<std::string>{"a@example.com", "b+x@example.net", "50%@example.com"}));
    EXPECT_EQ(find_report_destinations(std::vector<std::string>{"mailto:1@x.example", "mailto:2@x.example", "mailto:3@x.example",
                                                                "mailto:4@x.example", "mailto:5@x.example", "mailto:6@x.example"})
                  .size(),
              5U);
}

TEST(ReportConsent, NamesAnotherAddressForEachKindOfReport) {
    for (const auto& [kind, to] :
         {std::pair(ReportKind::aggregate, "a@reports.example"), std::pair(ReportKind::failure, "f@reports.example")}) {
        ReportConsentCheck check("a.example", "reports.example", nullptr, kind);
        support::DnsZone(
            {"a.example._report._dmarc.reports.example TXT v=DMARC1; rua=mailto:a@reports.example; ruf=mailto:f@reports.example"})
            .drive(check);
        EXPECT_EQ(addresses(check.take().instead), std::vector<std::string>{to});
    }
}

TEST(ReportDue, IsSpreadOverTheFirstHoursOfTheNextDay) {
    constexpr std::chrono::sys_days kDay = std::chrono::year(2026) / 11 / 22;
    std::set<base::Time> times;
    for (int i = 0; i < 100; ++i) {
        const auto due = report_due(kDay, std::to_string(i) + ".example");
        EXPECT_GE(due, base::Time(kDay) + std::chrono::hours(24) + std::chrono::minutes(15));
        EXPECT_LT(due, base::Time(kDay) + std::chrono::hours(28) + std::chrono::minutes(15));
        EXPECT_EQ(due, report_due(kDay, std::to_string(i) + ".example"));
        times.insert(due);
    }
    EXPECT_GT(times.size(), 95U);
}

struct ConsentCase {
    const char* name;
    const char* domain;
    const char* host;
    std::vector<std::string> zone;
    Kind kind;
    std::vector<std::string> instead = {};
};
class ReportConsentTest : public testing::TestWithParam<ConsentCase> {};
TEST_P(ReportConsentTest, IsFound) {
    ReportConsentCheck check(GetParam().domain, GetParam().host);
    support::DnsZone(GetParam().zone).drive(check);
    ASSERT_TRUE(check.done());
    const auto consent = check.take();
    EXPECT_EQ(consent.kind, GetParam().kind) << consent.reason;
    EXPECT_EQ(addresses(consent.instead), GetParam().instead);
    EXPECT_FALSE(consent.reason.empty());
}

const std::string kOurs = "_dmarc.example.com TXT v=DMARC1; p=none";
const std::string kTheirs = "_dmarc.reports.example TXT v=DMARC1; p=none";
INSTANTIATE_TEST_SUITE_P(
    Zones, ReportConsentTest,
    testing::Values(
        ConsentCase{"TheSame", "Example.com", "example.COM", {}, Kind::own},
        ConsentCase{"TheSameOrganization", "news.example.com", "dmarc.example.com", {kOurs}, Kind::own},
        ConsentCase{"NobodyAsked", "example.com", "reports.example", {kOurs, kTheirs}, Kind::refused},
        ConsentCase{
            "Given", "example.com", "reports.example", {kOurs, "example.com._report._dmarc.reports.example TXT v=DMARC1"}, Kind::given},
        ConsentCase{
            "GivenAmongOthers",
            "example.com",
            "reports.example",
            {kOurs, "example.com._report._dmarc.reports.example TXT hello", "example.com._report._dmarc.reports.example TXT v=DMARC1;"},
            Kind::given},
        ConsentCase{
            "Elsewhere",
            "example.com",
            "reports.example",
            {kOurs, "example.com._report._dmarc.reports.example TXT v=DMARC1; rua=mailto:new@reports.example,mailto:victim@bank.example"},
            Kind::given,
            {"new@reports.example"}},
        ConsentCase{
            "NoRecord", "example.com", "reports.example", {kOurs, "example.com._report._dmarc.reports.example TXT yes"}, Kind::refused},
        ConsentCase{
            "Silent", "example.com", "reports.example", {kOurs, "example.com._report._dmarc.reports.example TXT !failed"}, Kind::unknown}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(ReportConsent, IsNotAskedAtNamesThatCannotBe) {
    const std::string label(60, 'a');
    const auto domain = label + "." + label + ".example";
    ReportConsentCheck check(domain, label + "." + label + ".example.net");
    support::DnsZone({}).drive(check);
    EXPECT_EQ(check.take().kind, Kind::refused);
}

}  // namespace
}  // namespace thurn::mailauth
