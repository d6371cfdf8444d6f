#include "policy/authentication_rule.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::policy {
namespace {

using mailauth::DmarcOverride;
using mailauth::DmarcPolicy;
using mailauth::DmarcResult;
using mailauth::Findings;
using mailauth::SpfResult;
using testing::ElementsAre;
using testing::HasSubstr;
using Rules = AuthenticationRules;

/// Mail from author@a.example by 192.0.2.1, about which nothing is known yet.
Findings some_findings() {
    Findings findings;
    findings.asked = {
        .client = dns::Ipv4{{192, 0, 2, 1}}, .helo = "client.example", .reverse_path = "x@a.example", .receiver = "mx.here.example"};
    findings.origin.mail_from.domain = "a.example";
    findings.signatures.author.domain = "a.example";
    findings.dmarc.author_domain = "a.example";
    return findings;
}

Findings failed(DmarcPolicy policy) {
    auto findings = some_findings();
    findings.dmarc.result = DmarcResult::fail;
    findings.dmarc.policy = policy;
    findings.dmarc.disposition = policy;
    findings.dmarc.record = mailauth::parse_dmarc_record(fmt::format("v=DMARC1; p={}", mailauth::dmarc_policy_name(policy)));
    findings.dmarc.policy_domain = "a.example";
    findings.origin.mail_from.result = SpfResult::softfail;
    return findings;
}

TEST(DecideContent, AcceptsWhatPasses) {
    auto findings = some_findings();
    findings.dmarc.result = DmarcResult::pass;
    findings.origin.mail_from.result = SpfResult::fail;  // forwarded, and signed
    const auto decided = decide_content(findings, {.spf_fail = Rules::OnSpfFail::reject});
    EXPECT_EQ(decided.decision.kind, Decision::Kind::accept);
    EXPECT_EQ(decided.filing, Filing::inbox);
    EXPECT_EQ(decided.disposition, DmarcPolicy::none);
}

TEST(DecideContent, RefusesAsTheAuthorsDomainAsksAndSaysWhy) {
    const auto decided = decide_content(failed(DmarcPolicy::reject), {});
    EXPECT_EQ(decided.decision.kind, Decision::Kind::reject);
    EXPECT_EQ(decided.decision.code, 550);
    EXPECT_EQ(decided.decision.status, (mail::EnhancedStatus{5, 7, 1}));
    EXPECT_EQ(decided.decision.rule, "authentication.dmarc");
    EXPECT_EQ(decided.decision.text,
              "mail from a.example must be authenticated (its DMARC policy is reject): SPF of a.example is softfail, DKIM is none, and "
              "neither vouches for a.example");
    EXPECT_EQ(decided.disposition, DmarcPolicy::reject);
    EXPECT_TRUE(decided.overrides.empty());
}

TEST(DecideContent, DeliversWhatADomainOnlyWatches) {
    const auto decided = decide_content(failed(DmarcPolicy::none), {});
    EXPECT_EQ(decided.decision.kind, Decision::Kind::accept);
    EXPECT_EQ(decided.filing, Filing::inbox);
    EXPECT_TRUE(decided.overrides.empty());
}

TEST(DecideContent, MarksOnlyWhereToldTo) {
    const auto decided = decide_content(failed(DmarcPolicy::reject), {.dmarc = Rules::OnDmarcFail::mark});
    EXPECT_EQ(decided.decision.kind, Decision::Kind::accept);
    EXPECT_EQ(decided.disposition, DmarcPolicy::none);
    ASSERT_EQ(decided.overrides.size(), 1U);
    EXPECT_EQ(decided.overrides.front().type, DmarcOverride::local_policy);
}

struct QuarantineCase {
    Rules::Quarantine how;
    Decision::Kind kind;
    Filing filing;
    DmarcPolicy disposition;
};

class QuarantineTest : public testing::TestWithParam<QuarantineCase> {};

TEST_P(QuarantineTest, IsWhatTheConfigurationSays) {
    const auto& row = GetParam();
    const auto decided = decide_content(failed(DmarcPolicy::quarantine), {.quarantine = row.how});
    EXPECT_EQ(decided.decision.kind, row.kind);
    EXPECT_EQ(decided.filing, row.filing);
    EXPECT_EQ(decided.disposition, row.disposition);
    EXPECT_EQ(decided.overrides.empty(), row.disposition != DmarcPolicy::none);
}

INSTANTIATE_TEST_SUITE_P(
    Ways, QuarantineTest,
    testing::Values(QuarantineCase{Rules::Quarantine::mark, Decision::Kind::accept, Filing::inbox, DmarcPolicy::none},
                    QuarantineCase{Rules::Quarantine::junk, Decision::Kind::accept, Filing::junk, DmarcPolicy::quarantine},
                    QuarantineCase{Rules::Quarantine::hold, Decision::Kind::accept, Filing::hold, DmarcPolicy::quarantine},
                    QuarantineCase{Rules::Quarantine::reject, Decision::Kind::reject, Filing::inbox, DmarcPolicy::reject}));

TEST(DecideContent, TellsThatADomainOnlyTests) {
    auto findings = failed(DmarcPolicy::quarantine);
    findings.dmarc.record->mode = mailauth::DmarcRecord::Mode::test;
    const auto decided = decide_content(findings, {});
    ASSERT_EQ(decided.overrides.size(), 1U);
    EXPECT_EQ(decided.overrides.front().type, DmarcOverride::policy_test_mode);
}

TEST(DecideContent, RefusesMailWithoutOneAuthorUnlessToldOtherwise) {
    auto findings = some_findings();
    findings.signatures.author = {.problem = mailauth::AuthorProblem::several_fields};
    findings.dmarc = {.result = DmarcResult::permerror};
    const auto decided = decide_content(findings, {});
    EXPECT_EQ(decided.decision.kind, Decision::Kind::reject);
    EXPECT_THAT(decided.decision.text, HasSubstr("several From fields"));
    EXPECT_EQ(decide_content(findings, {.no_author = Rules::OnNoAuthor::mark}).decision.kind, Decision::Kind::accept);
}

TEST(DecideContent, DefersForDnsOnlyWhereToldTo) {
    auto findings = some_findings();
    findings.dmarc.result = DmarcResult::temperror;
    EXPECT_EQ(decide_content(findings, {}).decision.kind, Decision::Kind::accept);
    const auto decided = decide_content(findings, {.temperror = Rules::OnTemperror::defer});
    EXPECT_EQ(decided.decision.kind, Decision::Kind::defer);
    EXPECT_EQ(decided.decision.code, 451);
    EXPECT_EQ(decided.decision.status, (mail::EnhancedStatus{4, 7, 5}));
}

TEST(DecideContent, RefusesForSpfOnlyWhereToldToAndDmarcDidNotPass) {
    auto findings = some_findings();
    findings.origin.mail_from.result = SpfResult::fail;
    findings.origin.mail_from.explanation = "Ask us.";
    EXPECT_EQ(decide_content(findings, {}).decision.kind, Decision::Kind::accept);
    const auto decided = decide_content(findings, {.spf_fail = Rules::OnSpfFail::reject});
    EXPECT_EQ(decided.decision.status, (mail::EnhancedStatus{5, 7, 23}));
    EXPECT_EQ(decided.decision.text, "a.example does not let 192.0.2.1 send its mail (SPF): Ask us.");
    findings.origin.mail_from.result = SpfResult::softfail;
    EXPECT_EQ(decide_content(findings, {.spf_fail = Rules::OnSpfFail::reject}).decision.kind, Decision::Kind::accept);
}

mailauth::ArcVerdict chain(std::vector<std::pair<std::string, std::string>> links, mailauth::ArcResult result = mailauth::ArcResult::pass) {
    mailauth::ArcVerdict verdict{.result = result};
    for (auto& [domain, saw] : links)
        verdict.links.push_back({.domain = domain, .selector = "s", .authentication_results = " mx." + domain + "; dmarc=" + saw});
    return verdict;
}

TEST(TrustedSealer, IsBelievedWhereAllAboveItAreTrusted) {
    const std::vector<std::string> trusted = {"list.example", "relay.example"};
    EXPECT_EQ(find_trusted_sealer(chain({{"list.example", "pass"}}), trusted), "list.example");
    EXPECT_EQ(find_trusted_sealer(chain({{"list.example", "pass"}, {"relay.example", "fail"}}), trusted), "list.example");
    EXPECT_EQ(find_trusted_sealer(chain({{"list.example", "pass"}, {"other.example", "pass"}}), trusted), "")
        << "the newest could have changed it";
    EXPECT_EQ(find_trusted_sealer(chain({{"other.example", "pass"}, {"list.example", "fail"}}), trusted), "");
    EXPECT_EQ(find_trusted_sealer(chain({{"list.example", "fail"}}), trusted), "");
    EXPECT_EQ(find_trusted_sealer(chain({{"list.example", "pass"}}, mailauth::ArcResult::fail), trusted), "");
    EXPECT_EQ(find_trusted_sealer(chain({}), trusted), "");
    EXPECT_EQ(find_trusted_sealer(chain({{"list.example", "pass"}}), {}), "");
}

TEST(TrustedSealer, SparesAMessageThatFails) {
    auto findings = failed(DmarcPolicy::reject);
    findings.signatures.arc = chain({{"list.example", "pass"}});
    const auto decided = decide_content(findings, {.trusted_sealers = {"list.example"}});
    EXPECT_EQ(decided.decision.kind, Decision::Kind::accept);
    EXPECT_EQ(decided.decision.rule, "authentication.trusted_sealers");
    ASSERT_EQ(decided.overrides.size(), 1U);
    EXPECT_EQ(decided.overrides.front().type, DmarcOverride::trusted_forwarder);
}

}  // namespace
}  // namespace thurn::policy
