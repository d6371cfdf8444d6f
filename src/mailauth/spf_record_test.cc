#include "mailauth/spf_record.h"

#include <string>

#include <gtest/gtest.h>

namespace thurn::mailauth {
namespace {

TEST(SpfRecord, IsKnownByItsVersion) {
    for (const char* text : {"v=spf1", "v=spf1 -all", "V=sPf1 ~ALL", "v=spf1 "}) EXPECT_TRUE(is_spf_record(text)) << text;
    for (const char* text : {"", "v=spf", "v=spf10 -all", "v=spf1-all", " v=spf1 -all", "spf1", "v=spf2.0/pra -all", "v=spf1\t-all"})
        EXPECT_FALSE(is_spf_record(text)) << text;
}

struct Case {
    const char* name;
    std::string_view record;
};

class WrongSpfRecord : public testing::TestWithParam<Case> {};
TEST_P(WrongSpfRecord, IsASyntaxError) {
    const auto record = parse_spf_record(GetParam().record);
    ASSERT_FALSE(record);
    EXPECT_EQ(record.error().kind, base::ErrorKind::syntax);
    EXPECT_FALSE(record.error().detail.empty());
}

using namespace std::string_view_literals;

INSTANTIATE_TEST_SUITE_P(
    Rfc7208Section5And12, WrongSpfRecord,
    testing::Values(
        // --- the record as a whole
        Case{"ErrorBehindAMatch", "v=spf1 ip4:1.2.3.4 -all moo"}, Case{"TabAsSpace", "v=spf1 ip4:1.2.3.4\t-all"},
        Case{"Control", "v=spf1 a:ctrl.example.com\rptr -all"}, Case{"ByteOrderMark", "v=spf1 a:\xEF\xBB\xBFgarden.example.net -all"},
        Case{"Latin1",
             "v=spf1 \x80"
             "a:example.net -all"},
        Case{"Nul", "v=spf1 a:example.net\0 -all"sv}, Case{"TwoQualifiers", "v=spf1 --all"}, Case{"QualifierAlone", "v=spf1 - all"},
        Case{"UnknownMechanism", "v=spf1 ipv4:1.2.3.4"}, Case{"DigitFirst", "v=spf1 4ip:1.2.3.4"},
        // --- modifiers
        Case{"ModifierNameWithSlash", "v=spf1 moo.cow/far_out=man:dog/cat ip4:1.2.3.4 -all"},
        Case{"ModifierNameWithColon", "v=spf1 moo.cow:far_out=man:dog/cat ip4:1.2.3.4 -all"}, Case{"NoModifierName", "v=spf1 =all"},
        Case{"QualifiedModifier", "v=spf1 -redirect=a.example"}, Case{"RedirectAsMechanism", "v=spf1 redirect:t2.example.com"},
        Case{"EmptyRedirect", "v=spf1 redirect="}, Case{"RedirectTwice", "v=spf1 redirect=a.example redirect=a.example"},
        Case{"RedirectWithLength", "v=spf1 redirect=a.example/24"}, Case{"EmptyExp", "v=spf1 exp= -all"},
        Case{"ExpTwice", "v=spf1 exp=a.example EXP=b.example -all"}, Case{"ExpTopLabel", "v=spf1 exp=a.-com -all"},
        Case{"BadMacroInUnknownModifier", "v=spf1 -all foo=%abc"},
        // --- all
        Case{"AllDot", "v=spf1 -all."}, Case{"AllArgument", "v=spf1 -all:foobar"}, Case{"AllLength", "v=spf1 -all/8"},
        // --- include, exists
        Case{"BareInclude", "v=spf1 include"}, Case{"EmptyInclude", "v=spf1 include:"},
        Case{"IncludeLength", "v=spf1 include:ip5.example.com/24 -all"}, Case{"BareExists", "v=spf1 exists"},
        Case{"EmptyExists", "v=spf1 exists:"}, Case{"ExistsLength", "v=spf1 exists:mail.example.com/24"},
        // --- a, mx, ptr
        Case{"ALength33", "v=spf1 a/33 -all"}, Case{"ALength129", "v=spf1 a//129 -all"}, Case{"AThreeSlashes", "v=spf1 a///0 -all"},
        Case{"ALengthNoNumber", "v=spf1 a/ -all"}, Case{"ALengthLeadingZero", "v=spf1 a/024 -all"},
        Case{"ALengthHuge", "v=spf1 a/4294967296 -all"}, Case{"ALengthsSwapped", "v=spf1 a//64/24 -all"},
        Case{"APort", "v=spf1 a:example.com:8080"}, Case{"AEmpty", "v=spf1 a:"}, Case{"AEmptyWithLength", "v=spf1 a:/24"},
        Case{"ANumeric", "v=spf1 a:111.222.33.44"}, Case{"ANumericTopLabel", "v=spf1 a:foo.123"}, Case{"AOnlyTopLabel", "v=spf1 a:museum"},
        Case{"AOnlyTopLabelDot", "v=spf1 a:museum."}, Case{"AHyphenFirst", "v=spf1 a:example.-com"},
        Case{"AHyphenLast", "v=spf1 a:example.com-"}, Case{"ATwoDots", "v=spf1 a:example.com.."},
        Case{"ANoTopLabelBehindMacro", "v=spf1 a:%{d}com"}, Case{"ABraceIsNoMacro", "v=spf1 a:com}"},
        Case{"APercentIsNoMacro", "v=spf1 a:%%_"}, Case{"MxLength33", "v=spf1 mx/33"}, Case{"MxEmpty", "v=spf1 mx:"},
        Case{"MxTopLabel", "v=spf1 mx:museum"}, Case{"PtrLength", "v=spf1 ptr/0 -all"}, Case{"PtrEmpty", "v=spf1 ptr:"},
        // --- ip4, ip6
        Case{"Ip4Bare", "v=spf1 ip4"}, Case{"Ip4Empty", "v=spf1 ip4:"}, Case{"Ip4Short", "v=spf1 ip4:1.2.3 -all"},
        Case{"Ip4Port", "v=spf1 ip4:1.2.3.4:8080"}, Case{"Ip4Length33", "v=spf1 ip4:1.2.3.4/33"},
        Case{"Ip4LengthLeadingZero", "v=spf1 ip4:1.2.3.4/032"}, Case{"Ip4LengthNone", "v=spf1 ip4:1.2.3.4/"},
        Case{"Ip4DualLength", "v=spf1 ip4:1.2.3.4//32"}, Case{"Ip4LengthSign", "v=spf1 ip4:1.2.3.4/+3"},
        Case{"Ip4OfIp6", "v=spf1 ip4:2001:db8::1"}, Case{"Ip4Octal", "v=spf1 ip4:01.2.3.4"}, Case{"Ip6Bare", "v=spf1 ip6"},
        Case{"Ip6Length129", "v=spf1 ip6:::1.1.1.1/129"}, Case{"Ip6DualLength", "v=spf1 ip6:::1.1.1.1//33"},
        Case{"Ip6Garbage", "v=spf1 ip6:CAFE:BABE::8000::1"}, Case{"Ip6OfIp4", "v=spf1 ip6:1.2.3.4"},
        // --- macros
        Case{"MacroParenthesis", "v=spf1 a:%(.example.com"}, Case{"MacroLetter", "v=spf1 a:%{e}.example.com"},
        Case{"MacroEmbedded", "v=spf1 a:foo%abc.example.com"}, Case{"MacroAtTheEnd", "v=spf1 a:foo.example.com%"},
        Case{"MacroOpen", "v=spf1 a:%{d"}, Case{"MacroEmpty", "v=spf1 a:%{}"}, Case{"MacroKeepsNone", "v=spf1 a:%{d0}"},
        Case{"MacroKeepsNoneLong", "v=spf1 a:%{d000}"}, Case{"MacroOrder", "v=spf1 a:%{dr1}"}, Case{"MacroDelimiter", "v=spf1 a:%{d:}"},
        Case{"MacroClient", "v=spf1 exists:%{c}.example.com"}, Case{"MacroReceiver", "v=spf1 -all exp=%{r}.example.com"},
        Case{"MacroTime", "v=spf1 redirect=%{T}.example.com"}, Case{"MacroSpace", "v=spf1 a:%{d }.example.com"}),
    [](const auto& row) { return std::string(row.param.name); });

class GoodSpfRecord : public testing::TestWithParam<Case> {};
TEST_P(GoodSpfRecord, IsRead) {
    const auto record = parse_spf_record(GetParam().record);
    EXPECT_TRUE(record) << record.error().detail;
}
INSTANTIATE_TEST_SUITE_P(
    Rfc7208Section5And12, GoodSpfRecord,
    testing::Values(Case{"Empty", "v=spf1"}, Case{"Spaces", "v=spf1  -all  "}, Case{"Case", "V=sPf1 MX ~ALL REDIRECT=a.example"},
                    Case{"UnknownModifier", "v=spf1 moo.cow-far_out=man:dog/cat ip4:1.2.3.4 -all"},
                    Case{"UnknownModifierTwice", "v=spf1 foo=1 foo= -all"}, Case{"UnknownModifierWithClient", "v=spf1 -all foo=%{c}"},
                    Case{"Lengths", "v=spf1 a/24//64 mx//0 a:b.example/0 mx:b.example//128"},
                    Case{"OddDomain", "v=spf1 a:foo:bar/baz.example.com -all"},
                    Case{"EqualsInDomain", "v=spf1 exists:a=b.example.com -all"}, Case{"ALabel", "v=spf1 a:foo.example.xn--zckzah -all"},
                    Case{"FinalDot", "v=spf1 a:foo.example.com. -all"}, Case{"EmptyLabels", "v=spf1 a:mail.example...com -all"},
                    Case{"Ip6", "v=spf1 ip6:::1.1.1.1/0 ip6:CAFE:BABE:8000::/33"},
                    Case{"Macros", "v=spf1 exists:%{ir}.%{v}._spf.%{d2} exists:%{L1r+-/=_,.}.%{o130R}%% exists:a%_%-.example.com"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(SpfRecord, TellsTermsApart) {
    const auto record = parse_spf_record("v=spf1 ?a:b.example/24//64 -ip4:192.0.2.0/25 ~all redirect=c.example exp=d.example");
    ASSERT_TRUE(record);
    ASSERT_EQ(record->directives.size(), 3u);
    const auto& a = record->directives[0];
    EXPECT_EQ(a.mechanism, SpfMechanism::a);
    EXPECT_EQ(a.on_match, SpfResult::neutral);
    EXPECT_EQ(a.ipv4_bits, 24u);
    EXPECT_EQ(a.ipv6_bits, 64u);
    EXPECT_EQ(a.domain, parse_spf_domain_spec("b.example").value());
    EXPECT_EQ(a.text, "?a:b.example/24//64");
    const auto& ip4 = record->directives[1];
    EXPECT_EQ(ip4.on_match, SpfResult::fail);
    EXPECT_EQ(ip4.network, dns::parse_ip("192.0.2.0"));
    EXPECT_EQ(ip4.ipv4_bits, 25u);
    EXPECT_EQ(record->directives[2].on_match, SpfResult::softfail);
    EXPECT_TRUE(record->has_all());
    EXPECT_TRUE(record->redirect);
    EXPECT_TRUE(record->explanation);
}

}  // namespace
}  // namespace thurn::mailauth
