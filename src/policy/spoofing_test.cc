#include "policy/spoofing.h"

#include <gtest/gtest.h>

namespace thurn::policy {
namespace {

using mailauth::DkimResult;
using mailauth::DmarcResult;
using mailauth::SpfResult;

struct SpoofingCase {
    const char* name;
    DmarcResult dmarc;
    std::string author;
    std::string sender;
    SpfResult spf;
    std::string signer;  // whose signature holds; empty: nobody's
    std::vector<std::string> unproven;
};
class UnprovenNames : public testing::TestWithParam<SpoofingCase> {};

TEST_P(UnprovenNames, AreThoseThatNobodyVouchesFor) {
    const auto& row = GetParam();
    mailauth::Findings findings;
    findings.asked.reverse_path = row.sender.empty() ? "" : "someone@" + row.sender;
    findings.origin.mail_from.result = row.spf;
    findings.origin.mail_from.domain = row.sender;
    findings.signatures.author.domain = row.author;
    if (!row.signer.empty()) {
        auto& verdict = findings.signatures.dkim.emplace_back();
        verdict.result = DkimResult::pass;
        verdict.domain = row.signer;
    }
    findings.dmarc.result = row.dmarc;
    findings.dmarc.organizational_domain = "group.example";
    std::vector<std::string> domains;
    for (const auto& name : unproven_names(findings)) domains.push_back(name.domain);
    EXPECT_EQ(domains, row.unproven);
}

using enum DmarcResult;
INSTANTIATE_TEST_SUITE_P(
    Spoofing, UnprovenNames,
    testing::Values(SpoofingCase{"DmarcFails", fail, "a.example", "x.example", SpfResult::pass, "", {"a.example"}},
                    SpoofingCase{"DmarcPasses", pass, "a.example", "x.example", SpfResult::pass, "a.example", {}},
                    SpoofingCase{"DmarcIsInDoubt", temperror, "a.example", "x.example", SpfResult::pass, "", {}},
                    SpoofingCase{"NoRecordNoProof", none, "a.example", "x.example", SpfResult::pass, "x.example", {"a.example"}},
                    SpoofingCase{"AnInvalidRecordIsNone", permerror, "a.example", "x.example", SpfResult::pass, "", {"a.example"}},
                    SpoofingCase{"NoRecordSpf", none, "a.example", "a.example", SpfResult::pass, "", {}},
                    SpoofingCase{"NoRecordSpfBelow", none, "a.example", "bounces.A.example", SpfResult::pass, "", {}},
                    SpoofingCase{"NoRecordDkim", none, "a.example", "x.example", SpfResult::pass, "A.example", {}},
                    SpoofingCase{"OfOneOrganization", none, "news.group.example", "bounces.group.example", SpfResult::pass, "", {}},
                    SpoofingCase{"SpfIsInDoubt", none, "a.example", "a.example", SpfResult::temperror, "", {}},
                    SpoofingCase{"BothOfOneDomain", none, "a.example", "A.example", SpfResult::fail, "", {"a.example"}},
                    SpoofingCase{"OnlyTheSender", none, "x.example", "a.example", SpfResult::softfail, "x.example", {"a.example"}},
                    SpoofingCase{"OnlyTheSenderWithDmarc", pass, "x.example", "a.example", SpfResult::none, "x.example", {"a.example"}},
                    SpoofingCase{"ForwardedWithItsSignature", none, "a.example", "a.example", SpfResult::fail, "a.example", {}},
                    SpoofingCase{"ABounce", none, "x.example", "", SpfResult::none, "x.example", {}}),
    [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace thurn::policy
