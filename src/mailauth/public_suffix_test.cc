#include "mailauth/public_suffix.h"

#include <gtest/gtest.h>

namespace thurn::mailauth {
namespace {

struct Case {
    const char* domain;
    const char* registrable;  // empty: none
};

TEST(PublicSuffixList, TellsRegistrableDomains) {
    const auto list = PublicSuffixList::parse("// a comment\ncom\nuk\nco.uk\njp\n*.kobe.jp\n!city.kobe.jp\ncn\n\u516c\u53f8.cn\n").value();
    for (const auto& [domain, registrable] : {Case{"com", ""},
                                              Case{"example.com", "example.com"},
                                              Case{"a.b.Example.COM", "example.com"},
                                              Case{"co.uk", ""},
                                              Case{"a.example.co.uk", "example.co.uk"},
                                              Case{"c.kobe.jp", ""},
                                              Case{"b.c.kobe.jp", "b.c.kobe.jp"},
                                              Case{"www.city.kobe.jp", "city.kobe.jp"},
                                              Case{"unlisted", ""},
                                              Case{"a.b.unlisted", "b.unlisted"},
                                              Case{"", ""},
                                              Case{".com", ""},
                                              Case{".example.com", ""},
                                              Case{"a..com", ""},
                                              Case{"example.com.", "example.com"},
                                              Case{"www.\u98df\u72ee.\u516c\u53f8.cn", "\u98df\u72ee.\u516c\u53f8.cn"},
                                              Case{"www.xn--85x722f.xn--55qx5d.cn", "xn--85x722f.xn--55qx5d.cn"},
                                              Case{"\u516c\u53f8.cn", ""},
                                              Case{"xn--55qx5d.cn", ""},
                                              Case{"\xff.com", ""}})
        EXPECT_EQ(list.registrable_domain(domain).value_or(""), registrable) << domain;
}

TEST(PublicSuffixList, WithoutARuleIsNone) {
    EXPECT_FALSE(PublicSuffixList::parse(""));
    EXPECT_FALSE(PublicSuffixList::parse("// nothing\n\n"));
}

TEST(PublicSuffixList, ComesWithTheLibrary) {
    const auto list = PublicSuffixList::built_in();
    EXPECT_EQ(list.registrable_domain("a.example.co.uk"), "example.co.uk");
    EXPECT_FALSE(list.registrable_domain("co.uk"));
}

}  // namespace
}  // namespace thurn::mailauth
