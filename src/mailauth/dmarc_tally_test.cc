#include "mailauth/dmarc_tally.h"

#include "support/dns_zone.h"

#include <gtest/gtest.h>

namespace thurn::mailauth {
namespace {

DmarcObservation observe(const std::string& record, DmarcRequest request) {
    DmarcCheck check(std::move(request));
    support::DnsZone({"_dmarc.example.com TXT " + record}).drive(check);
    return {.client = *dns::parse_ip("192.0.2.1"), .verdict = check.take()};
}

TEST(DmarcTally, TellsWhatTheDomainPublished) {
    const auto seen = observe("v=DMARC1; p=reject; sp=none; adkim=s; fo=1:d; rua=mailto:a@example.com", {.author_domain = "Example.COM"});
    EXPECT_TRUE(is_reportable(seen));
    const report::DmarcPolicyPublished expected{.domain = "example.com",
                                                .discovery_method = "treewalk",
                                                .p = "reject",
                                                .sp = "none",
                                                .fo = "1:d",
                                                .adkim = "s",
                                                .aspf = "r",
                                                .testing = "n"};
    EXPECT_EQ(describe_policy(seen), expected);
}

TEST(DmarcTally, TellsOfAMessageThatPassed) {
    auto seen = observe("v=DMARC1; p=reject; rua=mailto:a@example.com", {.author_domain = "example.com", .dkim = {{"example.com"}}});
    seen.envelope_from_domain = "Bounce.Example.net";
    seen.dkim = {{.result = DkimResult::pass, .reason = "l= covers all", .domain = "example.com", .selector = "S1"},
                 {.result = DkimResult::fail, .reason = "body hash did not verify", .domain = "list.example", .selector = "x"},
                 {.result = DkimResult::permerror, .reason = "no domain"}};
    seen.spf.emplace();
    seen.spf->result = SpfResult::softfail;
    seen.spf->domain = "bounce.example.net";
    const report::DmarcReportRecord expected{
        .source_ip = "192.0.2.1",
        .count = 1,
        .disposition = "pass",
        .dkim = "pass",
        .spf = "fail",
        .header_from = "example.com",
        .envelope_from = "bounce.example.net",
        .dkim_results = {{.domain = "example.com", .selector = "s1", .result = "pass"},
                         {.domain = "list.example", .selector = "x", .result = "fail", .human_result = "body hash did not verify"}},
        .spf_results = {{.domain = "bounce.example.net", .scope = "mfrom", .result = "softfail"}}};
    EXPECT_EQ(describe_message(seen), expected);
}

TEST(DmarcTally, TellsWhyLessWasDoneThanAsked) {
    auto seen = observe("v=DMARC1; p=reject; rua=mailto:a@example.com", {.author_domain = "example.com"});
    seen.done = DmarcPolicy::none;
    seen.overrides = {{.type = DmarcOverride::trusted_forwarder, .comment = "arc=pass"}};
    const auto record = describe_message(seen);
    EXPECT_EQ(record.disposition, "none");
    EXPECT_EQ(record.reasons, (std::vector<report::DmarcOverrideReason>{{.type = "trusted_forwarder", .comment = "arc=pass"}}));
}

TEST(DmarcTally, TellsOfAPolicyThatIsTriedOut) {
    const auto reasons = [](const std::string& record, std::vector<AuthenticatedDomain> dkim) {
        return describe_message(observe(record, {.author_domain = "example.com", .dkim = std::move(dkim)})).reasons;
    };
    const std::vector<report::DmarcOverrideReason> tried{{.type = "policy_test_mode"}};
    EXPECT_EQ(reasons("v=DMARC1; p=reject; t=y; rua=mailto:a@example.com", {}), tried);
    EXPECT_TRUE(reasons("v=DMARC1; p=reject; rua=mailto:a@example.com", {}).empty());
    EXPECT_TRUE(reasons("v=DMARC1; p=none; t=y; rua=mailto:a@example.com", {}).empty()) << "there is nothing milder";
    EXPECT_TRUE(reasons("v=DMARC1; p=reject; t=y; rua=mailto:a@example.com", {{"example.com"}}).empty()) << "it passed";
}

TEST(DmarcTally, LeavesOutWhatNobodyAskedFor) {
    EXPECT_FALSE(is_reportable(observe("v=DMARC1; p=reject", {.author_domain = "example.com"})));
    EXPECT_FALSE(is_reportable(observe("v=spf1", {.author_domain = "example.com"})));
    EXPECT_FALSE(
        is_reportable(observe("v=DMARC1; p=reject; rua=mailto:a@example.com",
                              {.author_domain = "example.com", .dkim = {{"example.com", AuthenticatedDomain::Standing::temperror}}})));
}

}  // namespace
}  // namespace thurn::mailauth
