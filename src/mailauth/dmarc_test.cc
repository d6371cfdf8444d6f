#include "mailauth/dmarc.h"

#include "mailauth/dmarc_author.h"
#include "mailauth/dmarc_tree.h"
#include "support/dns_zone.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace thurn::mailauth {
namespace {

using support::DnsZone;

struct Case {
    const char* name;
    std::vector<std::string> zone;
    const char* expected;  // result policy source@policy-domain spf=aligned dkim=aligned
    std::string author = "example.com";
    std::vector<std::string> spf = {};
    std::vector<std::string> dkim = {};
    std::vector<std::string> doubtful_dkim = {};
};

std::vector<AuthenticatedDomain> standing(const std::vector<std::string>& domains, AuthenticatedDomain::Standing standing) {
    std::vector<AuthenticatedDomain> all;
    for (const auto& domain : domains) all.push_back({domain, standing});
    return all;
}

DmarcRequest request_of(const Case& given) {
    DmarcRequest request{.author_domain = given.author,
                         .spf = standing(given.spf, AuthenticatedDomain::Standing::passed),
                         .dkim = standing(given.dkim, AuthenticatedDomain::Standing::passed)};
    for (auto& doubtful : standing(given.doubtful_dkim, AuthenticatedDomain::Standing::temperror)) request.dkim.push_back(doubtful);
    return request;
}

std::string told(const DmarcVerdict& verdict) {
    std::string text(dmarc_result_name(verdict.result));
    if (!verdict.record) return text;
    constexpr const char* kSources[] = {"p", "sp", "np"};
    text += " " + std::string(dmarc_policy_name(verdict.policy)) + " " + kSources[static_cast<int>(verdict.source)] + "@" +
            verdict.policy_domain;
    if (!verdict.spf.domain.empty()) text += " spf=" + verdict.spf.domain;
    if (!verdict.dkim.domain.empty()) text += " dkim=" + verdict.dkim.domain;
    return text;
}

class DmarcTest : public testing::TestWithParam<Case> {};
TEST_P(DmarcTest, GivesTheVerdict) {
    DmarcCheck dmarc(request_of(GetParam()));
    DnsZone(GetParam().zone).drive(dmarc);
    ASSERT_TRUE(dmarc.done());
    const auto verdict = dmarc.take();
    EXPECT_EQ(told(verdict), GetParam().expected) << verdict.reason;
    EXPECT_EQ(verdict.disposition, verdict.result == DmarcResult::fail ? verdict.policy : DmarcPolicy::none);
    EXPECT_FALSE(verdict.reason.empty());
}
const auto kName = [](const auto& row) { return std::string(row.param.name); };

INSTANTIATE_TEST_SUITE_P(
    PolicyDiscovery, DmarcTest,
    testing::Values(
        Case{"None", {}, "none"}, Case{"NoDomain", {}, "none", ""}, Case{"Literal", {}, "none", "[192.0.2.1]"},
        Case{"Own", {"_dmarc.example.com TXT v=DMARC1; p=reject"}, "fail reject p@example.com"},
        Case{"OfTheOrganization", {"_dmarc.example.com TXT v=DMARC1; p=reject"}, "fail reject p@example.com", "a.b.example.com"},
        Case{"SubdomainPolicy",
             {"_dmarc.example.com TXT v=DMARC1; p=reject; sp=quarantine"},
             "fail quarantine sp@example.com",
             "a.example.com"},
        Case{"SubdomainPolicyNotForItself", {"_dmarc.example.com TXT v=DMARC1; p=reject; sp=none"}, "fail reject p@example.com"},
        Case{"NonexistentSubdomain",
             {"_dmarc.example.com TXT v=DMARC1; p=none; sp=quarantine; np=reject"},
             "fail reject np@example.com",
             "gone.example.com"},
        Case{"ExistingSubdomain",
             {"_dmarc.example.com TXT v=DMARC1; p=none; sp=quarantine; np=reject", "a.example.com"},
             "fail quarantine sp@example.com",
             "a.example.com"},
        Case{"NonexistentWithoutNp",
             {"_dmarc.example.com TXT v=DMARC1; p=none; sp=quarantine"},
             "fail quarantine sp@example.com",
             "gone.example.com"},
        Case{"OwnOfTheSubdomainFirst",
             {"_dmarc.a.example.com TXT v=DMARC1; p=none", "_dmarc.example.com TXT v=DMARC1; p=reject"},
             "fail none p@a.example.com",
             "a.example.com"},
        Case{"NotThatOfADomainBetween",
             {"_dmarc.b.example.com TXT v=DMARC1; p=none", "_dmarc.example.com TXT v=DMARC1; p=reject"},
             "fail reject p@example.com",
             "a.b.example.com"},
        Case{"PsdNMakesAnOrganization",
             {"_dmarc.b.example.com TXT v=DMARC1; p=none; psd=n", "_dmarc.example.com TXT v=DMARC1; p=reject"},
             "fail none p@b.example.com",
             "a.b.example.com"},
        Case{"PublicSuffixPolicy", {"_dmarc.bank TXT v=DMARC1; p=reject; psd=y"}, "fail reject p@bank", "example.bank"},
        Case{"PublicSuffixSubdomainPolicy",
             {"_dmarc.bank TXT v=DMARC1; p=none; sp=quarantine; np=reject; psd=y", "example.bank"},
             "fail quarantine sp@bank",
             "example.bank"},
        Case{"PublicSuffixNonexistent",
             {"_dmarc.bank TXT v=DMARC1; p=none; sp=quarantine; np=reject; psd=y"},
             "fail reject np@bank",
             "gone.bank"},
        Case{"OrganizationBelowPublicSuffix",
             {"_dmarc.bank TXT v=DMARC1; p=reject; psd=y", "_dmarc.example.bank TXT v=DMARC1; p=quarantine"},
             "fail quarantine p@example.bank",
             "www.example.bank"},
        Case{"TopLevelDomainMayPublish", {"_dmarc.corp TXT v=DMARC1; p=quarantine"}, "fail quarantine p@corp", "a.corp"},
        Case{"SeveralRecordsAreNone", {"_dmarc.example.com TXT v=DMARC1; p=reject", "_dmarc.example.com TXT v=DMARC1; p=none"}, "none"},
        Case{"SeveralBelowOneAbove",
             {"_dmarc.a.example.com TXT v=DMARC1; p=reject", "_dmarc.a.example.com TXT v=DMARC1; p=none",
              "_dmarc.example.com TXT v=DMARC1; p=quarantine"},
             "fail quarantine p@example.com",
             "a.example.com"},
        Case{"OtherTextsDoNotCount",
             {"_dmarc.example.com TXT v=spf1 -all", "_dmarc.example.com TXT v=DMARC1; p=reject"},
             "fail reject p@example.com"},
        Case{"TestMode", {"_dmarc.example.com TXT v=DMARC1; p=reject; t=y"}, "fail quarantine p@example.com"},
        Case{"TestModeOfQuarantine", {"_dmarc.example.com TXT v=DMARC1; p=quarantine; t=y"}, "fail none p@example.com"},
        Case{"WithoutPolicyWithReports", {"_dmarc.example.com TXT v=DMARC1; rua=mailto:a@b.example"}, "fail none p@example.com"},
        Case{"WithoutPolicyAndReports", {"_dmarc.example.com TXT v=DMARC1; sp=reject"}, "permerror"},
        Case{"Failing", {"_dmarc.example.com TXT !failed"}, "temperror"}, Case{"Forged", {"_dmarc.example.com TXT !bogus"}, "temperror"},
        Case{"FailingAbove", {"_dmarc.example.com TXT !failed"}, "temperror", "a.example.com"},
        Case{"FailingTopLevelDomainDoesNotMatter",
             {"_dmarc.example.com TXT v=DMARC1; p=reject", "_dmarc.com TXT !failed"},
             "fail reject p@example.com",
             "a.example.com"},
        Case{"UpperCaseAndFinalDot", {"_dmarc.example.com TXT v=DMARC1; p=reject"}, "fail reject p@example.com", "EXAMPLE.com."},
        Case{"ULabels", {"_dmarc.xn--4ca.example TXT v=DMARC1; p=reject"}, "fail reject p@xn--4ca.example", "\u00e4.example"}),
    kName);

INSTANTIATE_TEST_SUITE_P(Alignment, DmarcTest,
                         testing::Values(Case{"DkimExact",
                                              {"_dmarc.example.com TXT v=DMARC1; p=reject; adkim=s"},
                                              "pass reject p@example.com dkim=example.com",
                                              "example.com",
                                              {},
                                              {"other.example", "Example.COM"}},
                                         Case{"SpfExact",
                                              {"_dmarc.example.com TXT v=DMARC1; p=reject; aspf=s"},
                                              "pass reject p@example.com spf=example.com",
                                              "example.com",
                                              {"example.com"}},
                                         Case{"StrictIsNotRelaxed",
                                              {"_dmarc.example.com TXT v=DMARC1; p=reject; adkim=s; aspf=s"},
                                              "fail reject p@example.com",
                                              "example.com",
                                              {"a.example.com"},
                                              {"b.example.com"}},
                                         Case{"RelaxedDown",
                                              {"_dmarc.example.com TXT v=DMARC1; p=reject"},
                                              "pass reject p@example.com dkim=mail.example.com",
                                              "example.com",
                                              {},
                                              {"mail.example.com"}},
                                         Case{"RelaxedUp",
                                              {"_dmarc.example.com TXT v=DMARC1; p=reject"},
                                              "pass reject p@example.com dkim=example.com",
                                              "a.example.com",
                                              {},
                                              {"example.com"}},
                                         Case{"RelaxedSiblings",
                                              {"_dmarc.example.com TXT v=DMARC1; p=reject"},
                                              "pass reject p@example.com spf=b.example.com",
                                              "a.example.com",
                                              {"b.example.com"}},
                                         Case{"BothAligned",
                                              {"_dmarc.example.com TXT v=DMARC1; p=reject"},
                                              "pass reject p@example.com spf=a.example.com dkim=example.com",
                                              "example.com",
                                              {"a.example.com"},
                                              {"example.com"}},
                                         Case{"ForeignDomain",
                                              {"_dmarc.example.com TXT v=DMARC1; p=reject", "_dmarc.example.net TXT v=DMARC1; p=none"},
                                              "fail reject p@example.com",
                                              "example.com",
                                              {"example.net"},
                                              {"badexample.com"}},
                                         Case{"PsdNOfTheIdentifierParts",
                                              {"_dmarc.example.com TXT v=DMARC1; p=reject",
                                               "_dmarc.b.example.com TXT v=DMARC1; p=none; psd=n"},
                                              "fail reject p@example.com",
                                              "example.com",
                                              {},
                                              {"b.example.com"}},
                                         Case{"PsdYParts",
                                              {"_dmarc.com TXT v=DMARC1; p=none; psd=y", "_dmarc.example.com TXT v=DMARC1; p=reject"},
                                              "fail reject p@example.com",
                                              "a.example.com",
                                              {},
                                              {"other.com"}},
                                         Case{"WithoutPsdATopLevelRecordJoins",
                                              {"_dmarc.corp TXT v=DMARC1; p=reject"},
                                              "pass reject p@corp dkim=b.corp",
                                              "a.corp",
                                              {},
                                              {"b.corp"}},
                                         Case{"DoubtIsNoFailure",
                                              {"_dmarc.example.com TXT v=DMARC1; p=reject"},
                                              "temperror reject p@example.com",
                                              "example.com",
                                              {},
                                              {},
                                              {"example.com"}},
                                         Case{"DoubtOfAForeignDomainIsNone",
                                              {"_dmarc.example.com TXT v=DMARC1; p=reject"},
                                              "fail reject p@example.com",
                                              "example.com",
                                              {},
                                              {},
                                              {"example.net"}},
                                         Case{"DoubtBesideAPass",
                                              {"_dmarc.example.com TXT v=DMARC1; p=reject"},
                                              "pass reject p@example.com spf=example.com",
                                              "example.com",
                                              {"example.com"},
                                              {},
                                              {"example.com"}},
                                         Case{"IdentifierWhoseWalkFails",
                                              {"_dmarc.example.com TXT v=DMARC1; p=reject", "_dmarc.b.example.com TXT !failed"},
                                              "temperror reject p@example.com",
                                              "example.com",
                                              {},
                                              {"b.example.com"}},
                                         Case{"IdentifierThatIsNone",
                                              {"_dmarc.example.com TXT v=DMARC1; p=reject"},
                                              "fail reject p@example.com",
                                              "example.com",
                                              {""},
                                              {"..", "[1.2.3.4]"}}),
                         kName);

std::vector<std::string> walk(std::string_view domain) {
    std::vector<std::string> names;
    for (std::optional<std::string_view> at = domain; at; at = next_of_dmarc_walk(*at)) names.emplace_back(*at);
    return names;
}

TEST(DmarcWalk, TakesAtMostEightSteps) {
    EXPECT_EQ(walk("a.b.example.com"), (std::vector<std::string>{"a.b.example.com", "b.example.com", "example.com", "com"}));
    EXPECT_EQ(walk("com"), std::vector<std::string>{"com"});
    const auto eight = walk("a.b.c.d.e.f.example.com");
    EXPECT_EQ(eight.size(), 8u);
    EXPECT_EQ(eight[1], "b.c.d.e.f.example.com");
    const auto many = walk("z.y.x.w.v.u.a.b.c.d.e.example.com");
    EXPECT_EQ(many.size(), 8u);
    EXPECT_EQ(many[1], "a.b.c.d.e.example.com") << "seven labels";
}

TEST(Dmarc, AsksNoMoreThanItMust) {
    const DnsZone zone({"_dmarc.example.com TXT v=DMARC1; p=reject", "_dmarc.mail.example.com"});
    const auto asked = [&](DmarcRequest request) {
        DmarcCheck dmarc(std::move(request));
        return zone.drive(dmarc);
    };
    EXPECT_EQ(asked({.author_domain = "example.com"}), 1u);
    EXPECT_EQ(asked({.author_domain = "example.com", .dkim = {{.domain = "example.com"}}}), 1u) << "equal: no walk";
    EXPECT_EQ(asked({.author_domain = "example.com", .dkim = {{.domain = "example.net"}}}), 2u) << "foreign: only the author's walk";
    EXPECT_EQ(asked({.author_domain = "example.com", .dkim = {{.domain = "mail.example.com"}}}), 3u) << "nothing is asked twice";
    EXPECT_EQ(asked({.author_domain = "a.b.c.d.e.f.g.h.i.j.k.example.org", .dkim = {{.domain = "example.org"}}}), 8u);
}

TEST(Dmarc, AsksForNoNameThatCannotBe) {
    std::string longest = "example.com";  // 253 octets, so `_dmarc.` has no room
    while (longest.size() + 2 <= 253) longest.insert(0, "a.");
    const DnsZone zone({"_dmarc.example.com TXT v=DMARC1; p=reject"});
    DmarcCheck dmarc({.author_domain = longest});
    zone.drive(dmarc);
    EXPECT_EQ(dmarc.take().policy_domain, "example.com");
}

TEST(Dmarc, TellsTheOrganization) {
    DmarcCheck dmarc({.author_domain = "a.example.com"});
    DnsZone({"_dmarc.example.com TXT v=DMARC1; p=reject; t=y"}).drive(dmarc);
    const auto verdict = dmarc.take();
    EXPECT_EQ(verdict.organizational_domain, "example.com");
    EXPECT_EQ(
        verdict.reason,
        "neither SPF nor DKIM passed for a domain aligned with a.example.com; p of example.com asks for quarantine, as t=y makes it one "
        "step milder");
}

TEST(DmarcByPublicSuffixList, GoesToTheRegistrableDomain) {
    const auto list = PublicSuffixList::parse("com\nuk\nco.uk\n").value();
    const DnsZone zone({"_dmarc.co.uk TXT v=DMARC1; p=none", "_dmarc.example.co.uk TXT v=DMARC1; p=reject",
                        "_dmarc.b.example.co.uk TXT v=DMARC1; p=none; psd=n"});
    DmarcCheck dmarc({.author_domain = "a.x.example.co.uk", .dkim = {{.domain = "b.example.co.uk"}}}, &list);
    EXPECT_EQ(zone.drive(dmarc), 3u);
    EXPECT_EQ(told(dmarc.take()), "pass reject p@example.co.uk dkim=b.example.co.uk") << "psd means nothing there";
    DmarcCheck foreign({.author_domain = "example.co.uk", .dkim = {{.domain = "other.co.uk"}}}, &list);
    zone.drive(foreign);
    EXPECT_EQ(told(foreign.take()), "fail reject p@example.co.uk");
}

struct AuthorCase {
    const char* name;
    const char* header;
    const char* domain;
    std::optional<AuthorProblem> problem = std::nullopt;
};
class AuthorTest : public testing::TestWithParam<AuthorCase> {};
TEST_P(AuthorTest, IsTheOneDomainOfTheOneFrom) {
    const auto author = find_author(mail::parse_header(GetParam().header));
    EXPECT_EQ(author.domain, GetParam().domain);
    EXPECT_EQ(author.problem, GetParam().problem);
}
INSTANTIATE_TEST_SUITE_P(
    Rfc9989Section531, AuthorTest,
    testing::Values(AuthorCase{"Plain", "From: a@Example.com\r\n\r\n", "example.com"},
                    AuthorCase{"DisplayNameWithAnotherAddress", "from: \"x@evil.example\" <a@example.com>\r\n\r\n", "example.com"},
                    AuthorCase{"TwoOfOneDomain", "From: a@example.com, b@EXAMPLE.com\r\n\r\n", "example.com"},
                    AuthorCase{"ULabels", "From: a@\u00e4.example\r\n\r\n", "xn--4ca.example"},
                    AuthorCase{"None", "To: a@example.com\r\n\r\n", "", AuthorProblem::no_field},
                    AuthorCase{"TwoFields", "From: a@example.com\r\nFrom: a@example.com\r\n\r\n", "", AuthorProblem::several_fields},
                    AuthorCase{"TwoDomains", "From: a@example.com, b@example.net\r\n\r\n", "", AuthorProblem::several_domains},
                    AuthorCase{"Empty", "From: \r\n\r\n", "", AuthorProblem::unreadable},
                    AuthorCase{"EmptyGroup", "From: nobody:;\r\n\r\n", "", AuthorProblem::unreadable},
                    AuthorCase{"NoDomain", "From: root\r\n\r\n", "", AuthorProblem::unreadable},
                    AuthorCase{"OneGoodOneNot", "From: a@example.com, <b@@example.com>\r\n\r\n", "", AuthorProblem::unreadable}),
    [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace thurn::mailauth
