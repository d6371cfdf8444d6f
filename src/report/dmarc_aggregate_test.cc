#include "report/dmarc_aggregate.h"

#include <random>
#include <string>

#include <gtest/gtest.h>

namespace thurn::report {
namespace {

DmarcAggregate example() {
    return {.version = "1.0",
            .metadata = {.org_name = "Example <Org> & Söhne",
                         .email = "reports@receiver.example",
                         .extra_contact_info = "https://receiver.example/dmarc",
                         .report_id = "2026.11.22@receiver.example",
                         .date_range = {.begin = 1795305600, .end = 1795391999},
                         .errors = {"some rows were dropped"},
                         .generator = "thurn"},
            .policy = {.domain = "example.com",
                       .discovery_method = "treewalk",
                       .p = "reject",
                       .sp = "quarantine",
                       .np = "reject",
                       .fo = "1",
                       .adkim = "s",
                       .aspf = "r",
                       .testing = "n"},
            .records = {{.source_ip = "2001:db8::1",
                         .count = 3,
                         .disposition = "quarantine",
                         .dkim = "fail",
                         .spf = "fail",
                         .reasons = {{.type = "policy_test_mode", .comment = "t=y"}, {.type = "local_policy"}},
                         .header_from = "example.com",
                         .envelope_from = "bounce.example.net",
                         .envelope_to = "receiver.example",
                         .dkim_results = {{.domain = "example.net", .selector = "s1", .result = "fail", .human_result = "body hash"}},
                         .spf_results = {{.domain = "bounce.example.net", .scope = "mfrom", .result = "softfail"}}},
                        {.source_ip = "192.0.2.1",
                         .count = 120,
                         .disposition = "pass",
                         .dkim = "pass",
                         .spf = "pass",
                         .header_from = "news.example.com"}}};
}

TEST(DmarcAggregate, ComesBackAsItWasWritten) {
    const auto report = example();
    const auto read = parse_dmarc_aggregate(render_dmarc_aggregate(report));
    ASSERT_TRUE(read) << read.error().detail;
    EXPECT_EQ(*read, report);
}

/// The example of RFC 9990 Appendix B, in short: its elements stand in another order than ours.
constexpr std::string_view kNewFormat = R"(<?xml version="1.0" encoding="UTF-8"?>
<feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0">
  <version>1.0</version>
  <report_metadata>
    <report_id>3v98abbp8ya9n3va8yr8oa3ya</report_id>
    <org_name>Sample Reporter</org_name>
    <email>report_sender@example-reporter.com</email>
    <date_range><begin>302832000</begin><end>302918399</end></date_range>
  </report_metadata>
  <policy_published>
    <domain>example.com</domain><p>quarantine</p><sp>none</sp><np>none</np><testing>n</testing>
    <discovery_method>treewalk</discovery_method>
  </policy_published>
  <extension><x xmlns="urn:example:x"><domain>elsewhere.example</domain></x></extension>
  <record>
    <row>
      <source_ip>192.0.2.123</source_ip><count>123</count>
      <policy_evaluated><disposition>pass</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated>
    </row>
    <identifiers><envelope_from>example.com</envelope_from><header_from>example.com</header_from></identifiers>
    <auth_results>
      <dkim><domain>example.com</domain><result>pass</result><selector>abc123</selector></dkim>
      <spf><domain>example.com</domain><result>fail</result></spf>
    </auth_results>
  </record>
</feedback>)";

/// As RFC 7489 Appendix C had it, and as it is seen: no namespace, `pct`, `sampled_out`, `identities`, white space inside.
constexpr std::string_view kOldFormat = R"(
<?xml version="1.0"?>
<feedback>
  <report_metadata>
    <org_name>old.example</org_name><email>noreply@old.example</email><report_id> 17 </report_id>
    <date_range><begin>1700000000</begin><end>1700086399</end></date_range>
  </report_metadata>
  <policy_published><domain>example.com</domain><adkim>r</adkim><aspf>r</aspf><p>none</p><sp>none</sp><pct>100</pct></policy_published>
  <record>
    <row><source_ip>198.51.100.7</source_ip><count>
      2
    </count><policy_evaluated><disposition>none</disposition><dkim>fail</dkim><spf>pass</spf>
      <reason><type>sampled_out</type><comment></comment></reason></policy_evaluated></row>
    <identities><header_from>example.com</header_from></identities>
    <auth_results><spf><domain>example.com</domain><scope>helo</scope><result>pass</result></spf></auth_results>
  </record>
</feedback>)";

TEST(DmarcAggregate, ReadsTheFormatOfRfc9990) {
    const auto read = parse_dmarc_aggregate(kNewFormat);
    ASSERT_TRUE(read) << read.error().detail;
    EXPECT_EQ(read->metadata.org_name, "Sample Reporter");
    EXPECT_EQ(read->metadata.date_range, (DmarcDateRange{302832000, 302918399}));
    EXPECT_EQ(read->policy.domain, "example.com");
    EXPECT_EQ(read->policy.discovery_method, "treewalk");
    ASSERT_EQ(read->records.size(), 1U);
    EXPECT_EQ(read->records[0].count, 123U);
    EXPECT_EQ(read->records[0].disposition, "pass");
    EXPECT_EQ(read->records[0].dkim_results,
              (std::vector<DmarcDkimResult>{{.domain = "example.com", .selector = "abc123", .result = "pass"}}));
    EXPECT_EQ(read->records[0].spf_results, (std::vector<DmarcSpfResult>{{.domain = "example.com", .result = "fail"}}));
}

TEST(DmarcAggregate, ReadsTheFormatOfRfc7489) {
    const auto read = parse_dmarc_aggregate(kOldFormat);
    ASSERT_TRUE(read) << read.error().detail;
    EXPECT_EQ(read->metadata.report_id, "17");
    ASSERT_EQ(read->records.size(), 1U);
    EXPECT_EQ(read->records[0].count, 2U);
    EXPECT_EQ(read->records[0].header_from, "example.com");
    EXPECT_EQ(read->records[0].reasons, (std::vector<DmarcOverrideReason>{{.type = "sampled_out"}}));
    EXPECT_EQ(read->records[0].spf_results[0].scope, "helo");
}

TEST(DmarcAggregate, MayHaveAPrefixOrAnotherNamespace) {
    const auto read = parse_dmarc_aggregate(
        "<d:feedback xmlns:d='http://dmarc.org/dmarc-xml/0.1'><d:policy_published><d:domain>example.com</d:domain></d:policy_published>"
        "</d:feedback>");
    ASSERT_TRUE(read) << read.error().detail;
    EXPECT_EQ(read->policy.domain, "example.com");
}

struct BadCase {
    const char* name;
    std::string octets;
    base::ErrorKind kind;
};
class BadDmarcAggregateTest : public testing::TestWithParam<BadCase> {};
TEST_P(BadDmarcAggregateTest, IsRefused) {
    const auto read = parse_dmarc_aggregate(GetParam().octets, {.size = {20'000}, .depth = 8, .records = 5});
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().kind, GetParam().kind) << read.error().detail;
}

std::string repeated(std::string_view text, std::size_t times) {
    std::string all;
    for (std::size_t i = 0; i < times; ++i) all += text;
    return all;
}
constexpr auto kPolicy = "<policy_published><domain>example.com</domain></policy_published>";

INSTANTIATE_TEST_SUITE_P(
    Inputs, BadDmarcAggregateTest,
    testing::Values(
        BadCase{"Empty", "", base::ErrorKind::syntax}, BadCase{"NoXml", "hello", base::ErrorKind::syntax},
        BadCase{"CutShort", std::string(kNewFormat.substr(0, 700)), base::ErrorKind::syntax},
        BadCase{"AnotherRoot", "<html/>", base::ErrorKind::syntax}, BadCase{"NoDomain", "<feedback/>", base::ErrorKind::invalid},
        BadCase{"Entities", "<!DOCTYPE feedback [<!ENTITY a 'aaaaaaaa'><!ENTITY b '&a;&a;&a;&a;'>]><feedback>&b;</feedback>",
                base::ErrorKind::syntax},
        BadCase{"OutsideEntity", "<!DOCTYPE feedback [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><feedback>&a;</feedback>",
                base::ErrorKind::syntax},
        BadCase{"OutsideDtd", "<!DOCTYPE feedback SYSTEM 'http://example.com/x.dtd'><feedback/>", base::ErrorKind::syntax},
        BadCase{"TooDeep", "<feedback>" + repeated("<a>", 10) + repeated("</a>", 10) + "</feedback>", base::ErrorKind::too_long},
        BadCase{"TooManyRecords", "<feedback>" + std::string(kPolicy) + repeated("<record/>", 6) + "</feedback>",
                base::ErrorKind::too_long},
        BadCase{"TooManyErrors", "<feedback><report_metadata>" + repeated("<error/>", 51) + "</report_metadata>" + kPolicy + "</feedback>",
                base::ErrorKind::too_long},
        BadCase{"TooLarge", "<feedback>" + std::string(kPolicy) + std::string(20'000, ' ') + "</feedback>", base::ErrorKind::too_long}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(DmarcAggregate, CutsAValueAtACharacter) {
    const auto read = parse_dmarc_aggregate(
        "<feedback><report_metadata><org_name>" + repeated("ö", 100) + "</org_name></report_metadata>" + kPolicy + "</feedback>",
        {.text = 15});
    ASSERT_TRUE(read) << read.error().detail;
    EXPECT_EQ(read->metadata.org_name, repeated("ö", 7));
}

TEST(DmarcAggregate, HoldsNoOctetsThatXmlCannot) {
    DmarcAggregate report{.policy = {.domain = std::string("a\0b\x1f\xff]]>\r\n&amp;", 15)}};
    const auto read = parse_dmarc_aggregate(render_dmarc_aggregate(report));
    ASSERT_TRUE(read) << read.error().detail;
    EXPECT_EQ(read->policy.domain, "a?b??]]>\r\n&amp;");
}

/// Whatever the texts are, what was read is written and read again as the same.
TEST(DmarcAggregate, IsStableForAnyText) {
    std::mt19937 random(9990);
    const auto text = [&] {
        static constexpr std::string_view kPieces[] = {"<",  "&", "]]>",          "ü",    " ",    "\r", "\n", "x",
                                                       "\"", "'", "\xEF\xBF\xBF", "\x01", "\xC3", "😀"};
        std::string result;
        for (auto left = random() % 6; left > 0; --left) result += kPieces[random() % std::size(kPieces)];
        return result;
    };
    for (int i = 0; i < 500; ++i) {
        auto report = example();
        report.policy.domain = "d" + text();
        report.metadata.errors = {text(), text()};
        for (auto& record : report.records) {
            record.count = random();
            record.header_from = text();
            record.reasons.push_back({.type = text(), .comment = text()});
            record.dkim_results.push_back({.domain = text(), .selector = text(), .result = text(), .human_result = text()});
            record.spf_results.push_back({.domain = text(), .scope = text(), .result = text(), .human_result = text()});
        }
        const auto once = parse_dmarc_aggregate(render_dmarc_aggregate(report));
        ASSERT_TRUE(once) << once.error().detail;
        ASSERT_EQ(once->records.size(), report.records.size());
        const auto twice = parse_dmarc_aggregate(render_dmarc_aggregate(*once));
        ASSERT_TRUE(twice) << twice.error().detail;
        EXPECT_EQ(*once, *twice);
    }
}

}  // namespace
}  // namespace thurn::report
