// Cases section by section as RFC 7208 has them, each with the whole DNS it needs. What matched is told as `domain term` steps.
#include "mailauth/spf.h"

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
    const char* expected;  // result; behind " | " what led to it; behind a further " | " the explanation
    std::string mail_from = "foo@e.example";
    std::string client = "1.2.3.4";
    std::string helo = "mail.e.example";
};

SpfVerdict check(const Case& given) {
    auto request = spf_mail_from(dns::parse_ip(given.client).value(), given.helo, given.mail_from);
    request.receiver = "mx.us.example";
    request.now = base::Time(std::chrono::seconds(1'795'311'442));
    SpfCheck spf(std::move(request));
    DnsZone(given.zone).drive(spf);
    return spf.done() ? spf.take() : SpfVerdict{};
}

std::string told(const SpfVerdict& verdict) {
    std::string text(spf_result_name(verdict.result));
    text += " |";
    for (const auto& step : verdict.path) text += " " + step.domain + (step.term.empty() ? "" : " " + step.term);
    if (!verdict.explanation.empty()) text += " | " + verdict.explanation;
    return text;
}

class SpfTest : public testing::TestWithParam<Case> {};
TEST_P(SpfTest, GivesTheVerdict) {
    const auto verdict = check(GetParam());
    const std::string expected = GetParam().expected;
    EXPECT_EQ(expected.contains('|') ? told(verdict) : std::string(spf_result_name(verdict.result)), expected) << verdict.detail;
}
const auto kName = [](const auto& row) { return std::string(row.param.name); };

std::string label(std::size_t size) { return std::string(size, 'a'); }

INSTANTIATE_TEST_SUITE_P(
    InitialProcessing, SpfTest,
    testing::Values(Case{"LabelTooLong", {}, "none |", "foo@" + label(64) + ".example"},
                    Case{"LongestLabel", {label(63) + ".example TXT v=spf1 -all"}, "fail", "foo@" + label(63) + ".example"},
                    Case{"EmptyLabel", {"a.example TXT v=spf1 -all"}, "none |", "foo@A...example"},
                    Case{"SingleLabel", {"localhost TXT v=spf1 -all"}, "none |", "foo@localhost"},
                    Case{"HeloSingleLabel", {"a2345678 TXT v=spf1 -all"}, "none |", "", "1.2.3.4", "A2345678"},
                    Case{"HeloLiteral", {}, "none |", "", "1.2.3.4", "[1.2.3.4]"}, Case{"DomainLiteral", {}, "none |", "foo@[1.2.3.4]"},
                    Case{"NoDomain", {}, "none |", "foo@"},
                    Case{"NullPathIsPostmasterOfHelo",
                         {"mail.e.example TXT v=spf1 -all exp=x.e.example", "x.e.example TXT %{s}"},
                         "fail | mail.e.example -all | postmaster@mail.e.example",
                         ""},
                    Case{"NoLocalPart",
                         {"e.example TXT v=spf1 -all exp=x.e.example", "x.e.example TXT %{l}"},
                         "fail | e.example -all | postmaster",
                         "@e.example"},
                    Case{"AtInQuotedLocalPart", {"e.example TXT v=spf1 -all"}, "fail | e.example -all", "\"a@b\"@e.example"},
                    Case{"UpperCase", {"e.example TXT v=spf1 -all"}, "fail | e.example -all", "foo@E.EXAMPLE"},
                    Case{"FinalDot", {"e.example TXT v=spf1 -all"}, "fail | e.example -all", "foo@e.example."},
                    Case{"ULabel", {"xn--4ca.example TXT v=spf1 -all"}, "fail | xn--4ca.example -all", "foo@\u00e4.example"},
                    Case{"NotUtf8", {}, "none |", "foo@\xff.example"}, Case{"SpaceInDomain", {}, "none |", "foo@a b.example"}),
    kName);

INSTANTIATE_TEST_SUITE_P(RecordLookup, SpfTest,
                         testing::Values(Case{"NoDomain", {}, "none |"}, Case{"NoTxt", {"e.example A 1.2.3.4"}, "none |"},
                                         Case{"Failed", {"e.example TXT !failed"}, "temperror |"},
                                         Case{"Forged", {"e.example TXT !bogus"}, "temperror |"},
                                         Case{"OtherTexts",
                                              {"e.example TXT \x80\x81", "e.example TXT v=spf10", "e.example TXT v=spf1 +all"},
                                              "pass | e.example +all"}),
                         kName);

INSTANTIATE_TEST_SUITE_P(SelectingRecords, SpfTest,
                         testing::Values(Case{"LongerVersion", {"e.example TXT v=spf10"}, "none |"},
                                         Case{"NoSpace", {"e.example TXT v=spf1mx"}, "none |"},
                                         Case{"Empty", {"e.example TXT v=spf1"}, "neutral | e.example"},
                                         Case{"Several", {"e.example TXT v=spf1", "e.example TXT V=spf1 +all"}, "permerror | e.example"},
                                         Case{"AnyCase", {"e.example TXT V=sPf1 ~ALL"}, "softfail | e.example ~ALL"}),
                         kName);

INSTANTIATE_TEST_SUITE_P(
    RecordEvaluation, SpfTest,
    testing::Values(
        Case{"ErrorBehindTheMatch", {"e.example TXT v=spf1 ip4:1.2.3.4 -all moo"}, "permerror | e.example"},
        Case{"FirstMatch", {"e.example TXT v=spf1 ?ip4:1.2.3.4 -all"}, "neutral | e.example ?ip4:1.2.3.4"},
        Case{"RedirectBehindMechanisms", {"e.example TXT v=spf1 redirect=f.example ~all"}, "softfail | e.example ~all"},
        Case{"RedirectIgnoredWithAllThatIsNotReached",
             {"e.example TXT v=spf1 redirect=f.example ip4:1.2.3.4 all"},
             "pass | e.example ip4:1.2.3.4"},
        Case{"RedirectWhenNothingMatches",
             {"e.example TXT v=spf1 ip4:5.6.7.8 redirect=f.example", "f.example TXT v=spf1 -all"},
             "fail | e.example redirect=f.example f.example -all"},
        Case{"Default", {"e.example TXT v=spf1 ip4:5.6.7.8"}, "neutral | e.example"},
        Case{"EmptyLabelInTarget", {"e.example TXT v=spf1 a:mail.example...com -all"}, "fail | e.example -all"},
        Case{"LongLabelInTarget", {"e.example TXT v=spf1 a:" + label(64) + ".example.com -all"}, "fail | e.example -all"},
        Case{"LongLabelByMacro", {"e.example TXT v=spf1 a:%{H}.bar -all"}, "fail | e.example -all", "foo@e.example", "1.2.3.4", label(64)}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    Ptr, SpfTest,
    testing::Values(Case{"Implicit",
                         {"e.example TXT v=spf1 ptr -all", "4.3.2.1.in-addr.arpa PTR mail.e.example", "mail.e.example A 1.2.3.4"},
                         "pass | e.example ptr"},
                    Case{"DomainItself",
                         {"e.example TXT v=spf1 ptr:F.example -all", "4.3.2.1.in-addr.arpa PTR f.example", "f.example A 1.2.3.4"},
                         "pass | e.example ptr:F.example"},
                    Case{"NotByEndOfLabel",
                         {"e.example TXT v=spf1 ptr -all", "4.3.2.1.in-addr.arpa PTR the.example", "the.example A 1.2.3.4"},
                         "fail | e.example -all"},
                    Case{"NotValidated",
                         {"e.example TXT v=spf1 ptr -all", "4.3.2.1.in-addr.arpa PTR mail.e.example", "mail.e.example A 1.2.3.5"},
                         "fail | e.example -all"},
                    Case{"Ipv6",
                         {"e.example TXT v=spf1 ptr -all",
                          "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.e.b.a.b.e.f.a.c.ip6.arpa PTR mail.e.example",
                          "mail.e.example AAAA cafe:babe::1"},
                         "pass | e.example ptr",
                         "foo@e.example",
                         "cafe:babe::1"},
                    Case{"FailedIsNoMatch", {"e.example TXT v=spf1 ptr -all", "4.3.2.1.in-addr.arpa PTR !failed"}, "fail | e.example -all"},
                    Case{"AFailingNameIsSkipped",
                         {"e.example TXT v=spf1 ptr -all", "4.3.2.1.in-addr.arpa PTR sick.e.example", "sick.e.example A !failed",
                          "4.3.2.1.in-addr.arpa PTR mail.e.example", "mail.e.example A 1.2.3.4"},
                         "pass | e.example ptr"}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    A, SpfTest,
    testing::Values(
        Case{"Implicit", {"e.example TXT v=spf1 a -all", "e.example A 1.2.3.5", "e.example A 1.2.3.4"}, "pass | e.example a"},
        Case{"LengthOfTheOtherFamily", {"e.example TXT v=spf1 a//0 -all", "e.example A 1.1.1.1"}, "fail | e.example -all"},
        Case{"Ipv4Length", {"e.example TXT v=spf1 a/24//64 -all", "e.example A 1.2.3.77"}, "pass | e.example a/24//64"},
        Case{"Ipv4Length0", {"e.example TXT v=spf1 a/0 -all", "e.example A 9.9.9.9"}, "pass | e.example a/0"},
        Case{"Ipv4Length0Nothing", {"e.example TXT v=spf1 a:f.example/0 -all"}, "fail | e.example -all"},
        Case{"Ipv4Length0ForIpv6",
             {"e.example TXT v=spf1 a/0 -all", "e.example A 9.9.9.9"},
             "fail | e.example -all",
             "foo@e.example",
             "1234::1"},
        Case{"Ipv6Length0", {"e.example TXT v=spf1 a//0 -all", "e.example AAAA 9::9"}, "pass | e.example a//0", "foo@e.example", "1234::1"},
        Case{"MappedIsIpv4",
             {"e.example TXT v=spf1 a//0 -all", "e.example A 9.9.9.9", "e.example AAAA 9::9"},
             "fail | e.example -all",
             "foo@e.example",
             "::FFFF:1.2.3.4"},
        Case{"MappedMatchesIpv4",
             {"e.example TXT v=spf1 a -all", "e.example A 1.2.3.4"},
             "pass | e.example a",
             "foo@e.example",
             "::FFFF:1.2.3.4"},
        Case{"DualStack",
             {"e.example TXT v=spf1 a -all", "e.example A 1.2.3.4", "e.example AAAA 1234::1"},
             "pass | e.example a",
             "foo@e.example",
             "1234::1"},
        Case{"ColonAndSlash",
             {"e.example TXT v=spf1 a:foo:bar/baz.e.example -all", "foo\\058bar/baz.e.example A 1.2.3.4"},
             "pass | e.example a:foo:bar/baz.e.example"},
        Case{"Nxdomain", {"e.example TXT v=spf1 a:nx.example -all"}, "fail | e.example -all"},
        Case{"Failed", {"e.example TXT v=spf1 a:sick.example -all", "sick.example A !failed"}, "temperror | e.example a:sick.example"}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    Include, SpfTest,
    testing::Values(Case{"Pass",
                         {"e.example TXT v=spf1 ~include:f.example -all", "f.example TXT v=spf1 ip4:1.2.3.4 -all"},
                         "softfail | e.example ~include:f.example f.example ip4:1.2.3.4"},
                    Case{"Fail", {"e.example TXT v=spf1 include:f.example ~all", "f.example TXT v=spf1 -all"}, "softfail | e.example ~all"},
                    Case{"Softfail", {"e.example TXT v=spf1 include:f.example -all", "f.example TXT v=spf1 ~all"}, "fail | e.example -all"},
                    Case{"Neutral", {"e.example TXT v=spf1 include:f.example -all", "f.example TXT v=spf1 ?all"}, "fail | e.example -all"},
                    Case{"Temperror",
                         {"e.example TXT v=spf1 include:f.example -all", "f.example TXT !failed"},
                         "temperror | e.example include:f.example"},
                    Case{"Permerror",
                         {"e.example TXT v=spf1 include:f.example -all", "f.example TXT v=spf1 foo"},
                         "permerror | e.example include:f.example f.example"},
                    Case{"None", {"e.example TXT v=spf1 include:f.example +all"}, "permerror | e.example include:f.example"},
                    Case{"NoDomain", {"e.example TXT v=spf1 include:f..example +all"}, "permerror | e.example include:f..example"},
                    Case{"DomainMacroIsTheIncludedOne",
                         {"e.example TXT v=spf1 include:f.example -all", "f.example TXT v=spf1 exists:%{d}.%{o}.x.example -all",
                          "f.example.e.example.x.example A 127.0.0.2"},
                         "pass | e.example include:f.example f.example exists:%{d}.%{o}.x.example"}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    Mx, SpfTest,
    testing::Values(
        Case{"Implicit",
             {"e.example TXT v=spf1 mx -all", "e.example MX 10 a.example", "e.example MX 0 b.example", "a.example A 1.2.3.4"},
             "pass | e.example mx"},
        Case{"NoImplicitAddress", {"e.example TXT v=spf1 mx -all", "e.example A 1.2.3.4"}, "fail | e.example -all"},
        Case{"NullMx", {"e.example TXT v=spf1 mx ?all", "e.example MX 0 "}, "neutral | e.example ?all"},
        Case{"Length",
             {"e.example TXT v=spf1 mx:f.example/24 -all", "f.example MX 0 a.example", "a.example A 1.2.3.99"},
             "pass | e.example mx:f.example/24"},
        Case{"Ipv6",
             {"e.example TXT v=spf1 mx//64 -all", "e.example MX 0 a.example", "a.example AAAA 1234::99"},
             "pass | e.example mx//64",
             "foo@e.example",
             "1234::1"},
        Case{"Failed", {"e.example TXT v=spf1 mx -all", "e.example MX !failed"}, "temperror | e.example mx"},
        Case{"HostFailed", {"e.example TXT v=spf1 mx -all", "e.example MX 0 a.example", "a.example A !failed"}, "temperror | e.example mx"},
        Case{"HostFailedBehindTheMatch",
             {"e.example TXT v=spf1 mx -all", "e.example MX 0 a.example", "e.example MX 9 b.example", "a.example A 1.2.3.4",
              "b.example A !failed"},
             "pass | e.example mx"},
        Case{"HostsOfTheOtherFamilyAreNotVoid",
             {"e.example TXT v=spf1 mx mx mx mx +all", "e.example MX 0 a.example", "a.example A 1.2.3.4"},
             "pass | e.example +all",
             "foo@e.example",
             "1234::1"}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    Exists, SpfTest,
    testing::Values(
        Case{"Address", {"e.example TXT v=spf1 exists:f.example -all", "f.example A 127.0.0.1"}, "pass | e.example exists:f.example"},
        Case{"AddressForIpv6Client",
             {"e.example TXT v=spf1 exists:f.example -all", "f.example A 127.0.0.1"},
             "pass | e.example exists:f.example",
             "foo@e.example",
             "1234::1"},
        Case{"OnlyIpv6Address",
             {"e.example TXT v=spf1 exists:f.example -all", "f.example AAAA 1234::1"},
             "fail | e.example -all",
             "foo@e.example",
             "1234::1"},
        Case{"Failed", {"e.example TXT v=spf1 exists:f.example -all", "f.example A !failed"}, "temperror | e.example exists:f.example"}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    Networks, SpfTest,
    testing::Values(
        Case{"Ipv4Length0", {"e.example TXT v=spf1 ip4:9.9.9.9/0 -all"}, "pass | e.example ip4:9.9.9.9/0"},
        Case{"Ipv4Length32", {"e.example TXT v=spf1 ip4:1.2.3.4/32 -all"}, "pass | e.example ip4:1.2.3.4/32"},
        Case{"Ipv4Mapped",
             {"e.example TXT v=spf1 -ip4:1.2.3.4 ip6:::FFFF:1.2.3.4"},
             "fail | e.example -ip4:1.2.3.4",
             "foo@e.example",
             "::FFFF:1.2.3.4"},
        Case{"Ipv6Length0ForIpv4", {"e.example TXT v=spf1 ip6:::1.1.1.1/0"}, "neutral | e.example"},
        Case{"Ipv6Length0ForMapped", {"e.example TXT v=spf1 ip6:::1.1.1.1/0"}, "neutral | e.example", "foo@e.example", "::FFFF:1.2.3.4"},
        Case{"Ipv6Length0",
             {"e.example TXT v=spf1 ip6:::1.1.1.1/0"},
             "pass | e.example ip6:::1.1.1.1/0",
             "foo@e.example",
             "DEAF:BABE::CAB:FEE"},
        Case{"Ipv6Length33",
             {"e.example TXT v=spf1 ip6:CAFE:BABE:8000::/33"},
             "pass | e.example ip6:CAFE:BABE:8000::/33",
             "foo@e.example",
             "CAFE:BABE:8000::1"},
        Case{"Ipv6Outside", {"e.example TXT v=spf1 ip6:CAFE:BABE:8000::/33"}, "neutral | e.example", "foo@e.example", "CAFE:BABE:7000::1"}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    Modifiers, SpfTest,
    testing::Values(
        Case{"RedirectToNone", {"e.example TXT v=spf1 redirect=f.example"}, "permerror | e.example redirect=f.example"},
        Case{"RedirectFails",
             {"e.example TXT v=spf1 redirect=f.example", "f.example TXT !failed"},
             "temperror | e.example redirect=f.example"},
        Case{"RedirectIsWhereImplicitDomainsAre",
             {"e.example TXT v=spf1 redirect=f.example", "f.example TXT v=spf1 a -all", "f.example A 1.2.3.4"},
             "pass | e.example redirect=f.example f.example a"},
        Case{"RedirectCancelsExp",
             {"e.example TXT v=spf1 exp=x.example redirect=f.example", "x.example TXT mine", "f.example TXT v=spf1 -all"},
             "fail | e.example redirect=f.example f.example -all"},
        Case{"RedirectBringsItsExp",
             {"e.example TXT v=spf1 exp=x.example redirect=f.example", "x.example TXT mine", "f.example TXT v=spf1 -all exp=y.example",
              "y.example TXT See me: %{d}"},
             "fail | e.example redirect=f.example f.example -all | See me: f.example"},
        Case{"IncludeIgnoresExp",
             {"e.example TXT v=spf1 include:f.example -all exp=x.example", "x.example TXT Correct!",
              "f.example TXT v=spf1 -all exp=y.example", "y.example TXT oops"},
             "fail | e.example -all | Correct!"},
        Case{"ExpOnlyForAFail", {"e.example TXT v=spf1 ~all exp=x.example", "x.example TXT words"}, "softfail | e.example ~all"},
        Case{"ExpOfSeveralTexts",
             {"e.example TXT v=spf1 -all exp=x.example", "x.example TXT one", "x.example TXT two"},
             "fail | e.example -all"},
        Case{"ExpOfNone", {"e.example TXT v=spf1 -all exp=x.example"}, "fail | e.example -all"},
        Case{"ExpFails", {"e.example TXT v=spf1 -all exp=x.example", "x.example TXT !failed"}, "fail | e.example -all"},
        Case{"ExpWithAWrongText", {"e.example TXT v=spf1 -all exp=x.example", "x.example TXT foo%(bar)"}, "fail | e.example -all"},
        Case{"ExpNotAscii", {"e.example TXT v=spf1 -all exp=x.example", "x.example TXT caf\u00e9"}, "fail | e.example -all"},
        Case{"ExpOfNoDomain", {"e.example TXT v=spf1 -all exp=%{l}.x..example"}, "fail | e.example -all"},
        Case{"ExpIsNoVoidLookup", {"e.example TXT v=spf1 a:b.example a:c.example -all exp=x.example"}, "fail | e.example -all"},
        Case{"ObsoleteDefault", {"e.example TXT v=spf1 default=pass"}, "neutral | e.example"},
        Case{"UnknownModifier", {"e.example TXT v=spf1 foo=%{c} ~all"}, "softfail | e.example ~all"}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    Macros, SpfTest,
    testing::Values(
        Case{"FinalDotInRedirect",
             {"e.example TXT v=spf1 redirect=%{d}.d.spf.example.", "e.example.d.spf.example TXT v=spf1 -all"},
             "fail | e.example redirect=e.example.d.spf.example e.example.d.spf.example -all"},
        Case{"ClientInExplanation",
             {"e.example TXT v=spf1 -all exp=x.example", "x.example TXT Connections from %{c} not authorized by %{r} at %{t}."},
             "fail | e.example -all | Connections from 1.2.3.4 not authorized by mx.us.example at 1795311442."},
        Case{"ReverseQueryIpv4",
             {"e.example TXT v=spf1 -all exp=x.example", "x.example TXT %{c} is queried as %{ir}.%{v}.arpa"},
             "fail | e.example -all | 1.2.3.4 is queried as 4.3.2.1.in-addr.arpa"},
        Case{"ReverseQueryIpv6",
             {"e.example TXT v=spf1 -all exp=x.example", "x.example TXT %{c} is queried as %{ir}.%{v}.arpa"},
             "fail | e.example -all | cafe:babe::1 is queried as "
             "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.E.B.A.B.E.F.A.C.ip6.arpa",
             "foo@e.example",
             "CAFE:BABE::1"},
        Case{"UrlEscapes",
             {"e.example TXT v=spf1 -all exp=x.example", "x.example TXT http://%{d}/why.html?l=%{L}"},
             "fail | e.example -all | http://e.example/why.html?l=jack%26jill%3Dup",
             "jack&jill=up@e.example"},
        Case{"OddLocalPartInAName",
             {"e.example TXT v=spf1 exists:%{l}.x.example -all", "jack\\038jill\\061up.x.example A 127.0.0.2"},
             "pass | e.example exists:%{l}.x.example",
             "jack&jill=up@e.example"},
        Case{"SplitOnDash",
             {"e.example TXT v=spf1 exists:%{i}.%{l2r-}.user.%{d2} -all", "1.2.3.4.gladstone.philip.user.e.example A 127.0.0.2"},
             "pass | e.example exists:%{i}.%{l2r-}.user.%{d2}",
             "philip-gladstone@e.example"},
        Case{"SplitOnSeveral",
             {"e.example TXT v=spf1 exists:%{l2r+-}.user.%{d2} -all", "quux.zip.user.e.example A 127.0.0.2"},
             "pass | e.example exists:%{l2r+-}.user.%{d2}",
             "zip+quux-bar.baz-foo@e.example"},
        Case{"SenderInAName",
             {"e.example TXT v=spf1 exists:%{s}.x.example -all", "foo\\064e.example.x.example A 127.0.0.2"},
             "pass | e.example exists:%{s}.x.example"},
        Case{"Helo", {"e.example TXT v=spf1 a:%{h} -all", "mail.e.example A 1.2.3.4"}, "pass | e.example a:%{h}"},
        Case{"HeloSingleLabel", {"e.example TXT v=spf1 a:%{H} -all"}, "fail | e.example -all", "foo@e.example", "1.2.3.4", "JUMBO"},
        Case{"HeloLiteral", {"e.example TXT v=spf1 a:%{H} -all"}, "fail | e.example -all", "foo@e.example", "1.2.3.4", "[1.2.3.4]"},
        Case{"HeloEmpty", {"e.example TXT v=spf1 a:%{h} -all"}, "fail | e.example -all", "foo@e.example", "1.2.3.4", ""},
        Case{"NameUnknown",
             {"e.example TXT v=spf1 -all exp=x.example", "x.example TXT connect from %{p}", "4.3.2.1.in-addr.arpa PTR mx.example",
              "mx.example A 1.2.3.5"},
             "fail | e.example -all | connect from unknown"},
        Case{"NameNotFound",
             {"e.example TXT v=spf1 -all exp=x.example", "x.example TXT connect from %{p}", "4.3.2.1.in-addr.arpa PTR !failed"},
             "fail | e.example -all | connect from unknown"},
        Case{"NameAny",
             {"e.example TXT v=spf1 -all exp=x.example", "x.example TXT connect from %{p}", "4.3.2.1.in-addr.arpa PTR mx.example",
              "mx.example A 1.2.3.4"},
             "fail | e.example -all | connect from mx.example"},
        Case{"NameBelowTheDomain",
             {"e.example TXT v=spf1 -all exp=x.example", "x.example TXT %{p}", "4.3.2.1.in-addr.arpa PTR mx.example",
              "4.3.2.1.in-addr.arpa PTR mx.e.example", "mx.example A 1.2.3.4", "mx.e.example A 1.2.3.4"},
             "fail | e.example -all | mx.e.example"},
        Case{"NameOfTheDomain",
             {"e.example TXT v=spf1 -all exp=x.example", "x.example TXT %{p}", "4.3.2.1.in-addr.arpa PTR mx.e.example",
              "4.3.2.1.in-addr.arpa PTR e.example", "e.example A 1.2.3.4", "mx.e.example A 1.2.3.4"},
             "fail | e.example -all | e.example"},
        Case{"NameInAMechanism",
             {"e.example TXT v=spf1 exists:%{p}.x.example -all", "4.3.2.1.in-addr.arpa PTR mx.example", "mx.example A 1.2.3.4",
              "mx.example.x.example A 127.0.0.2"},
             "pass | e.example exists:%{p}.x.example"},
        Case{"ControlsInTheExplanation",
             {"e.example TXT v=spf1 -all exp=x.example", "x.example TXT %{h}!"},
             "fail | e.example -all | a?b?c!",
             "foo@e.example",
             "1.2.3.4",
             "a\nb\x80"
             "c"},
        Case{"TruncationFromTheLeft",
             {"e.example TXT v=spf1 exists:%{h}.%{h}.%{h}.%{h}.%{h}.x.example -all",
              label(50) + "." + label(50) + "." + label(50) + "." + label(50) + ".x.example A 127.0.0.2"},
             "pass | e.example exists:%{h}.%{h}.%{h}.%{h}.%{h}.x.example",
             "foo@e.example",
             "1.2.3.4",
             label(50)}),
    kName);

std::string times(int count, const std::string& text) {
    std::string all;
    for (int i = 1; i <= count; ++i) {
        std::string one = text;
        for (auto at = one.find('#'); at != std::string::npos; at = one.find('#')) one.replace(at, 1, std::to_string(i));
        all += one;
    }
    return all;
}
std::vector<std::string> lines(std::vector<std::string> zone, int count, const std::string& line) {
    for (int i = 1; i <= count; ++i) zone.push_back(line + std::to_string(i) + ".f.example");
    return zone;
}
/// `count` addresses before the one that matters.
std::vector<std::string> addresses(std::vector<std::string> zone, int count) {
    for (int i = 1; i <= count; ++i) zone.push_back("e.example A 10.0.0." + std::to_string(i));
    zone.emplace_back("e.example A 1.2.3.4");
    return zone;
}

INSTANTIATE_TEST_SUITE_P(
    Limits, SpfTest,
    testing::Values(
        Case{"RedirectLoop", {"e.example TXT v=spf1 redirect=e.example"}, "permerror"},
        Case{"IncludeLoop", {"e.example TXT v=spf1 include:f.example", "f.example TXT v=spf1 include:e.example"}, "permerror"},
        Case{"TenTerms",
             {"e.example TXT v=spf1" + times(10, " a") + " ip4:1.2.3.4 -all", "e.example A 9.9.9.9"},
             "pass | e.example ip4:1.2.3.4"},
        Case{"ElevenTerms",
             {"e.example TXT v=spf1" + times(11, " a") + " ip4:1.2.3.4 -all", "e.example A 9.9.9.9"},
             "permerror | e.example a"},
        Case{"AMatchBeforeTheEleventh",
             {"e.example TXT v=spf1" + times(10, " a") + " ip4:1.2.3.4 a -all", "e.example A 9.9.9.9"},
             "pass | e.example ip4:1.2.3.4"},
        Case{"TenWithinIncludes",
             {"e.example TXT v=spf1 include:f.example a a a a a ip4:1.2.3.4", "e.example A 9.9.9.9", "f.example TXT v=spf1 a a a a -all",
              "f.example A 9.9.9.9"},
             "pass | e.example ip4:1.2.3.4"},
        Case{"ElevenWithinIncludes",
             {"e.example TXT v=spf1 include:f.example a a a a a ip4:1.2.3.4", "e.example A 9.9.9.9", "f.example TXT v=spf1 a a a a a -all",
              "f.example A 9.9.9.9"},
             "permerror | e.example a"},
        Case{"RedirectIsATerm",
             {"e.example TXT v=spf1" + times(10, " a") + " redirect=f.example", "e.example A 9.9.9.9", "f.example TXT v=spf1 +all"},
             "permerror | e.example redirect="},
        Case{"NetworksAreNotCounted", {"e.example TXT v=spf1" + times(200, " ip4:10.0.0.#") + " +all"}, "pass | e.example +all"},
        Case{"TwoVoidLookups", {"e.example TXT v=spf1 a:n1.example a:n2.example ?all"}, "neutral | e.example ?all"},
        Case{"ThreeVoidLookups",
             {"e.example TXT v=spf1 a:n1.example mx:n2.example exists:n3.example ?all"},
             "permerror | e.example exists:n3.example"},
        Case{"NoDataIsVoid", {"e.example TXT v=spf1 a a a ?all"}, "permerror | e.example a"},
        Case{"VoidPtr", {"e.example TXT v=spf1 ptr ptr ptr ?all"}, "permerror | e.example ptr"},
        Case{"TenMx", lines({"e.example TXT v=spf1 mx ?all", "m10.f.example A 1.2.3.4"}, 10, "e.example MX 10 m"), "pass | e.example mx"},
        Case{"ElevenMx", lines({"e.example TXT v=spf1 mx ?all", "m1.f.example A 1.2.3.4"}, 11, "e.example MX 10 m"),
             "permerror | e.example mx"},
        Case{"TenPtr", lines({"e.example TXT v=spf1 ptr:f.example ?all", "m10.f.example A 1.2.3.4"}, 10, "4.3.2.1.in-addr.arpa PTR m"),
             "pass | e.example ptr:f.example"},
        Case{"TheEleventhPtrIsIgnored",
             lines({"e.example TXT v=spf1 ptr:f.example ?all", "m11.f.example A 1.2.3.4"}, 11, "4.3.2.1.in-addr.arpa PTR m"),
             "neutral | e.example ?all"},
        Case{"AnyNumberOfAddresses", addresses({"e.example TXT v=spf1 a ?all"}, 20), "pass | e.example a"}),
    kName);

TEST(SpfHelo, IsAnIdentityOfItsOwn) {
    SpfCheck spf(spf_helo(dns::parse_ip("1.2.3.4").value(), "mail.e.example"));
    DnsZone({"mail.e.example TXT v=spf1 a -all", "mail.e.example A 1.2.3.4"}).drive(spf);
    const auto verdict = spf.take();
    EXPECT_EQ(told(verdict), "pass | mail.e.example a");
    EXPECT_EQ(verdict.domain, "mail.e.example");
    EXPECT_EQ(verdict.lookups, 1u);
}

TEST(Spf, IgnoresAnswersNobodyAskedFor) {
    const DnsZone zone({"e.example TXT v=spf1 mx -all", "e.example MX 0 a.example", "a.example A 1.2.3.4"});
    SpfCheck spf(spf_mail_from(dns::parse_ip("1.2.3.4").value(), "h.example", "foo@e.example"));
    spf.answer({"e.example", dns::Type::mx}, zone.answer({"e.example", dns::Type::mx}));
    EXPECT_FALSE(spf.done());
    EXPECT_EQ(spf.questions(), (std::vector<dns::Question>{{"e.example", dns::Type::txt}}));
    zone.drive(spf);
    spf.answer({"e.example", dns::Type::txt}, zone.answer({"e.example", dns::Type::txt}));
    EXPECT_EQ(spf.take().result, SpfResult::pass);
}

TEST(Spf, MayBeGivenUpAtAnyTime) {
    SpfCheck spf(spf_mail_from(dns::parse_ip("1.2.3.4").value(), "h.example", "foo@e.example"));
    spf.answer({"e.example", dns::Type::txt},
               DnsZone({"e.example TXT v=spf1 include:e.example -all"}).answer({"e.example", dns::Type::txt}));
    EXPECT_FALSE(spf.done());
    SpfCheck moved = std::move(spf);
    EXPECT_EQ(moved.questions().size(), 1u);
}

}  // namespace
}  // namespace thurn::mailauth
