#include "mailauth/spf_macro.h"

#include <string>

#include <gtest/gtest.h>

namespace thurn::mailauth {
namespace {

SpfMacroValues example(std::string_view client = "192.0.2.3") {
    return {.sender_local = "strong-bad",
            .sender_domain = "email.example.com",
            .domain = "email.example.com",
            .client = dns::parse_ip(client).value(),
            .helo = "mail.example.org",
            .client_name = "mx.example.org",
            .receiver = "mx.us.example",
            .now = base::Time(std::chrono::seconds(1'795'311'442))};
}

struct Case {
    const char* name;
    std::string_view text;
    std::string_view expanded;
    std::string_view client = "192.0.2.3";
};
class SpfMacroTest : public testing::TestWithParam<Case> {};
TEST_P(SpfMacroTest, Expands) {
    const auto text = parse_spf_explanation(GetParam().text);
    ASSERT_TRUE(text) << text.error().detail;
    EXPECT_EQ(expand_spf_text(*text, example(GetParam().client)), GetParam().expanded);
}
INSTANTIATE_TEST_SUITE_P(
    Rfc7208Section74, SpfMacroTest,
    testing::Values(Case{"S", "%{s}", "strong-bad@email.example.com"}, Case{"O", "%{o}", "email.example.com"},
                    Case{"D", "%{d}", "email.example.com"}, Case{"D4", "%{d4}", "email.example.com"},
                    Case{"D3", "%{d3}", "email.example.com"}, Case{"D2", "%{d2}", "example.com"}, Case{"D1", "%{d1}", "com"},
                    Case{"DR", "%{dr}", "com.example.email"}, Case{"D2R", "%{d2r}", "example.email"}, Case{"D1R", "%{d1r}", "email"},
                    Case{"L", "%{l}", "strong-bad"}, Case{"LDash", "%{l-}", "strong.bad"}, Case{"LR", "%{lr}", "strong-bad"},
                    Case{"LRDash", "%{lr-}", "bad.strong"}, Case{"L1RDash", "%{l1r-}", "strong"},
                    Case{"ReverseQuery", "%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"},
                    Case{"LocalBelow", "%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"},
                    Case{"LocalAndAddress", "%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"},
                    Case{"TrustedDomains", "%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"},
                    Case{"Ipv6", "%{ir}.%{v}._spf.%{d2}",
                         "1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6._spf.example.com", "2001:db8::cb01"},
                    Case{"ReadableIpv6", "%{c}", "2001:db8::cb01", "2001:db8::cb01"}, Case{"Ipv4", "%{c} %{i}", "192.0.2.3 192.0.2.3"},
                    Case{"Rest", "%{h} %{p} %{r} %{t}", "mail.example.org mx.example.org mx.us.example 1795311442"},
                    Case{"Escapes", "%%%_%-%%", "% %20%"}, Case{"Url", "%{S}", "strong-bad%40email.example.com"},
                    Case{"ManyParts", "%{d4294967297}", "email.example.com"}, Case{"SeveralDelimiters", "%{l2r+-}", "bad.strong"},
                    Case{"NoDelimiterThere", "%{d+}", "email.example.com"}, Case{"Nothing", "", ""}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(SpfDomain, LosesLabelsFromTheLeftUntilItFits) {
    auto values = example();
    values.helo = std::string(60, 'a') + "." + std::string(60, 'b') + "." + std::string(60, 'c') + "." + std::string(60, 'd');
    const auto text = parse_spf_domain_spec("x.%{h}.example.com").value();
    const std::string expanded = expand_spf_domain(text, values);
    EXPECT_EQ(expanded, std::string(60, 'b') + "." + std::string(60, 'c') + "." + std::string(60, 'd') + ".example.com");
    const auto many =
        parse_spf_domain_spec("%{h}%{h}%{h}%{h}%{h}%{h}%{h}%{h}%{h}%{h}%{h}%{h}%{h}%{h}%{h}%{h}%{h}%{h}%{h}.x.example").value();
    EXPECT_EQ(expand_spf_domain(many, values).size(), 60u * 3 + 3 + 9) << "whole labels only, however long it was on the way";
}

TEST(SpfDomain, LosesItsFinalDot) {
    EXPECT_EQ(expand_spf_domain(parse_spf_domain_spec("a.%{d}.example.").value(), example()), "a.email.example.com.example");
}

TEST(SpfText, IsCutOff) {
    auto values = example();
    values.helo = std::string(3000, 'h');
    EXPECT_EQ(expand_spf_text(parse_spf_explanation("%{h}%{h}%{h}").value(), values).size(), 4096u);
}

TEST(SpfQuestionName, HoldsOddOctetsAsEscapes) {
    EXPECT_EQ(spf_question_name("Foo:bar/baz.Example.COM."), "foo\\058bar/baz.example.com");
    EXPECT_EQ(spf_question_name("a b\\.example"), "a\\032b\\092.example");
    for (const std::string& name : {std::string(), std::string("."), std::string("a..b"), std::string(".a"), std::string(64, 'a') + ".b"})
        EXPECT_FALSE(spf_question_name(name)) << name;
    EXPECT_TRUE(spf_question_name(std::string(63, 'a') + ".b"));
}

}  // namespace
}  // namespace thurn::mailauth
