#include "mail/mailbox.h"

#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace thurn::mail {

void PrintTo(const Mailbox& mailbox, std::ostream* out) {
    *out << testing::PrintToString(mailbox.local) << " at " << mailbox.domain.text();
}

namespace {

using namespace std::string_literals;
using base::ErrorKind;

Domain domain(std::string_view text) { return parse_domain(text, Charset::utf8).value(); }
std::string repeated(std::size_t count, std::string_view text) {
    std::string all;
    for (std::size_t i = 0; i < count; ++i) all += text;
    return all;
}

/// 255 octets: three full labels and the rest.
std::string longest_domain() { return repeated(3, std::string(63, 'a') + ".") + std::string(63, 'b'); }

struct GoodMailbox {
    std::string text;
    std::string local;
    std::string domain;
    std::string rendered = {};  // when other than `text`
};

const GoodMailbox kGoodAscii[] = {
    {"a@b", "a", "b"},
    {"user+tag@example.com", "user+tag", "example.com"},
    {"MixedCase@EXAMPLE.Com", "MixedCase", "example.com", "MixedCase@example.com"},
    {"!#$%&'*+-/=?^_`{|}~@d", "!#$%&'*+-/=?^_`{|}~", "d"},
    {"a.b.c@d.e.f", "a.b.c", "d.e.f"},
    {"%s@d", "%s", "d"},
    {"${run{x}}@d", "${run{x}}", "d"},
    {"|sleep`9`@d", "|sleep`9`", "d"},
    {"user%other.example@d", "user%other.example", "d"},
    {"host!user@d", "host!user", "d"},
    {"1@2", "1", "2"},
    {"a@127.0.0.1", "a", "127.0.0.1"},
    {"a@_dmarc.under_score.example", "a", "_dmarc.under_score.example"},
    {"a@a--b.example", "a", "a--b.example"},
    {"a@xn--mnchen-3ya.example", "a", "xn--mnchen-3ya.example"},
    {R"("a b"@d)", "a b", "d"},
    {R"("a@evil x"@good.example)", "a@evil x", "good.example"},
    {R"("a@b"@c)", "a@b", "c"},
    {R"("plain"@d)", "plain", "d", "plain@d"},
    {R"("pl\ai\n"@d)", "plain", "d", "plain@d"},
    {R"("\""@d)", "\"", "d"},
    {R"("\\"@d)", "\\", "d"},
    {R"("\ "@d)", " ", "d", R"(" "@d)"},
    {R"(".a"@d)", ".a", "d"},
    {R"("a."@d)", "a.", "d"},
    {R"("a..b"@d)", "a..b", "d"},
    {R"("<>"@d)", "<>", "d"},
    {R"("()[]:;,"@d)", "()[]:;,", "d"},
    {R"("${run{..}}"@d)", "${run{..}}", "d"},
    {"a@[192.0.2.1]", "a", "[192.0.2.1]"},
    {R"("a]"@[192.0.2.1])", "a]", "[192.0.2.1]"},
    {std::string(64, 'x') + "@d", std::string(64, 'x'), "d"},
    {"\"" + std::string(61, 'x') + " \"@d", std::string(61, 'x') + " ", "d"},
    {"a@" + std::string(63, 'x') + ".y", "a", std::string(63, 'x') + ".y"},
    {"a@" + longest_domain(), "a", longest_domain()},
};

TEST(ParseMailbox, ReadsWhatRfc5321Section412Allows) {
    for (const auto& [text, local, domain_text, rendered] : kGoodAscii) {
        for (const auto charset : {Charset::ascii, Charset::utf8}) {
            const auto mailbox = parse_mailbox(text, charset);
            ASSERT_TRUE(mailbox) << text << ": " << mailbox.error().detail;
            EXPECT_EQ(mailbox->local, local) << text;
            EXPECT_EQ(mailbox->domain.text(), domain_text) << text;
            EXPECT_EQ(render_mailbox(*mailbox), rendered.empty() ? text : rendered);
            EXPECT_EQ(parse_mailbox(render_mailbox(*mailbox)), *mailbox) << text;
        }
    }
}

struct BadMailbox {
    std::string text;
    ErrorKind kind = ErrorKind::syntax;
};

const BadMailbox kBadMailboxes[] = {
    {""},
    {"@"},
    {"a"},
    {"a@"},
    {"@d"},
    {"a@@d"},
    {"a@b@c"},
    {" a@d"},
    {"a @d"},
    {"a@ d"},
    {"a@d "},
    {"a@evil x"},
    {"a b@d"},
    {".a@d"},
    {"a.@d"},
    {"a..b@d"},
    {".@d"},
    {"${run{..}}@d"},
    {"<a@d>"},
    {"a@d>"},
    {"a(c)@d"},
    {"a@d(c)"},
    {"a,b@d"},
    {"a:b@d"},
    {"a;b@d"},
    {";sleep 9;@d"},
    {R"(a\b@d)"},
    {R"(a"b@d)"},
    {R"(""@d)"},
    {R"("a@d)"},
    {R"("a"b@d)"},
    {R"("a".b@d)"},
    {R"("a" @d)"},
    {R"("a"b")"},
    {R"("a"")"},
    {R"("a\"@d)"},
    {R"("a\)"},
    {R"(")"},
    {"\"a\tb\"@d"},
    {"\"a\\\tb\"@d"},
    {"\"a\r\nb\"@d"},
    {"\"a\nb\"@d"},
    {"\"a\\\nb\"@d"},
    {"\"a\0b\"@d"s},
    {"\"a\\\0b\"@d"s},
    {"\"a\x7f\"@d"},
    {"a\0b@d"s},
    {"a@d\0"s},
    {"a@d\0.example"s},
    {"a@d\r\n"},
    {"a\r\nRCPT TO:<x@y>@d"},
    {"a@d.example\r\n.\r\n"},
    {"a\x01@d"},
    {"a\xff@d"},
    {"a@\xff"},
    {"a@d."},
    {"a@.d"},
    {"a@d..e"},
    {"a@."},
    {"a@-d"},
    {"a@d-"},
    {"a@d.-e.f"},
    {"a@d.e-.f"},
    {"a@d!e"},
    {"a@d,e"},
    {"a@d/e"},
    {"a@%s/../x"},
    {"a@[192.0.2.1"},
    {"a@192.0.2.1]"},
    {"a@[192.0.2.1]x"},
    {"a@[192.0.2.1]@d"},
    {"a@[]"},
    {"a@["},
    {std::string(65, 'x') + "@d", ErrorKind::too_long},
    {"\"" + std::string(63, 'x') + "\"@d", ErrorKind::too_long},
    {"\"" + std::string(100'000, 'x') + "\"@d", ErrorKind::too_long},
    {"\"" + std::string(62, 'x') + "\\\"@d", ErrorKind::too_long},
    {std::string(100'000, 'x') + "@d", ErrorKind::too_long},
    {"a@" + std::string(64, 'x') + ".y", ErrorKind::too_long},
    {"a@" + longest_domain() + "c", ErrorKind::too_long},
    {"a@" + repeated(128, "a."), ErrorKind::too_long},
};

TEST(ParseMailbox, RefusesAllElse) {
    for (const auto& [text, kind] : kBadMailboxes) {
        for (const auto charset : {Charset::ascii, Charset::utf8}) {
            const auto mailbox = parse_mailbox(text, charset);
            ASSERT_FALSE(mailbox) << testing::PrintToString(text) << " was read as " << testing::PrintToString(*mailbox);
            EXPECT_EQ(mailbox.error().kind, kind) << testing::PrintToString(text) << ": " << mailbox.error().detail;
        }
    }
}

TEST(ParseMailbox, NeverTellsPeerOctetsInItsErrors) {
    for (const auto& [text, kind] : kBadMailboxes) {
        const auto mailbox = parse_mailbox(text);
        if (text.size() > 20) EXPECT_EQ(mailbox.error().detail.find(text.substr(0, 10)), std::string::npos) << text;
        EXPECT_EQ(mailbox.error().detail.find_first_of("\r\n\xff"s + '\0'), std::string::npos) << text;
    }
}

TEST(ParseMailbox, RefusesEachControlOctetAnywhere) {
    for (int octet = 0; octet < 256; ++octet) {
        if (octet >= ' ' && octet != 0x7f && octet < 0x80) continue;
        const auto c = static_cast<char>(octet);
        for (const std::string& text :
             {"a"s + c + "b@d", "\"a"s + c + "b\"@d", "\"a\\"s + c + "b\"@d", "a@d"s + c + "e", "a@["s + c + "]", "a@d"s + c, c + "a@d"s}) {
            EXPECT_FALSE(parse_mailbox(text)) << octet;
            EXPECT_FALSE(parse_mailbox(text, Charset::utf8)) << octet;  // one octet over 127 alone is no UTF-8
        }
    }
}

TEST(ParseMailbox, KeepsTheCaseOfTheLocalPartOnly) {
    EXPECT_EQ(parse_mailbox("User@EXAMPLE.com"), parse_mailbox("User@example.COM"));
    EXPECT_NE(parse_mailbox("User@example.com"), parse_mailbox("user@example.com"));
}

TEST(ParseMailbox, TakesUtf8OnlyWhereItIsAgreedOn) {
    EXPECT_FALSE(parse_mailbox("käthe@example.com"));
    EXPECT_FALSE(parse_mailbox("a@münchen.example"));
    const auto mailbox = parse_mailbox("käthe@MÜNCHEN.example", Charset::utf8);
    ASSERT_TRUE(mailbox);
    EXPECT_EQ(mailbox->local, "käthe");
    EXPECT_EQ(mailbox->domain.text(), "xn--mnchen-3ya.example");
    EXPECT_EQ(render_mailbox(*mailbox), "käthe@xn--mnchen-3ya.example");
    EXPECT_EQ(parse_mailbox("\"kä the\"@d", Charset::utf8)->local, "kä the");
    EXPECT_FALSE(parse_mailbox("\"k\\ä\"@d", Charset::utf8)) << "a quoted pair is of ASCII (RFC 6531 §3.3)";
    EXPECT_EQ(parse_mailbox(repeated(32, "ä") + "@d", Charset::utf8)->local.size(), 64U);
    EXPECT_EQ(parse_mailbox(repeated(33, "ä") + "@d", Charset::utf8).error().kind, ErrorKind::too_long);
}

TEST(ParseMailbox, RefusesBrokenUtf8) {
    for (const std::string& local : {"\xc3"s, "\xa4"s, "\xc0\x80"s, "\xed\xa0\x80"s, "\xf4\x90\x80\x80"s, "a\xe2\x82"s}) {
        EXPECT_EQ(parse_mailbox(local + "@d", Charset::utf8).error().kind, ErrorKind::syntax);
        EXPECT_EQ(parse_mailbox("\"" + local + "\"@d", Charset::utf8).error().kind, ErrorKind::syntax);
        EXPECT_EQ(parse_mailbox("a@" + local, Charset::utf8).error().kind, ErrorKind::syntax);
    }
}

struct DomainPair {
    std::string text;
    std::string normal;
};

TEST(ParseDomain, MakesOneFormOfManySpellings) {
    const DomainPair pairs[] = {
        {"example.com", "example.com"},
        {"EXAMPLE.COM", "example.com"},
        {"XN--MNCHEN-3YA.example", "xn--mnchen-3ya.example"},
        {"münchen.example", "xn--mnchen-3ya.example"},
        {"mu\xcc\x88nchen.example", "xn--mnchen-3ya.example"},  // decomposed
        {"MÜNCHEN.EXAMPLE", "xn--mnchen-3ya.example"},
        {"faß.example", "xn--fa-hia.example"},  // not transitional: ß is not ss
        {"βόλος.example", "xn--nxasmm1c.example"},
        {"例え。テスト", "xn--r8jz45g.xn--zckzah"},  // the ideographic full stop parts labels
        {"ｅｘａｍｐｌｅ.com", "example.com"},       // full width
        {"_x.münchen.example", "_x.xn--mnchen-3ya.example"},
        {"[192.0.2.1]", "[192.0.2.1]"},
        {"[192.000.002.001]", "[192.0.2.1]"},
        {"[010.0.0.1]", "[10.0.0.1]"},  // decimal, whatever C thinks
        {"[0.0.0.0]", "[0.0.0.0]"},
        {"[255.255.255.255]", "[255.255.255.255]"},
        {"[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]"},
        {"[ipv6:2001:DB8:0:0:0:0:0:1]", "[IPv6:2001:db8::1]"},
        {"[IPv6:2001:0db8::0001]", "[IPv6:2001:db8::1]"},
        {"[IPv6:::]", "[IPv6:::]"},
        {"[IPv6:::1]", "[IPv6:::1]"},
        {"[IPv6:0:0:0:0:0:0:0:0]", "[IPv6:::]"},
        {"[IPv6:1::]", "[IPv6:1::]"},
        {"[IPv6:1:2:3:4:5:6:7:8]", "[IPv6:1:2:3:4:5:6:7:8]"},
        {"[IPv6:1:2:3:4:5:6::]", "[IPv6:1:2:3:4:5:6::]"},
        {"[IPv6:::3:4:5:6:7:8]", "[IPv6:::3:4:5:6:7:8]"},
        {"[IPv6:1:0:0:4:0:0:0:8]", "[IPv6:1:0:0:4::8]"},       // the longest run
        {"[IPv6:1:0:0:4:5:0:0:8]", "[IPv6:1::4:5:0:0:8]"},     // the first of equals
        {"[IPv6:1:0:3:4:5:6:7:8]", "[IPv6:1:0:3:4:5:6:7:8]"},  // one group is no run
        {"[IPv6:::ffff:192.0.2.1]", "[IPv6:::ffff:c000:201]"},
        {"[IPv6:::192.0.2.1]", "[IPv6:::c000:201]"},
        {"[IPv6:64:ff9b::192.0.2.1]", "[IPv6:64:ff9b::c000:201]"},
        {"[IPv6:1:2:3:4:5:6:192.0.2.1]", "[IPv6:1:2:3:4:5:6:c000:201]"},
    };
    for (const auto& [text, normal] : pairs) {
        const auto got = parse_domain(text, Charset::utf8);
        ASSERT_TRUE(got) << text << ": " << got.error().detail;
        EXPECT_EQ(got->text(), normal) << text;
        EXPECT_EQ(parse_domain(got->text()), *got) << "the normal form is its own, and ASCII";
    }
}

TEST(ParseDomain, KnowsLiterals) {
    EXPECT_TRUE(domain("[192.0.2.1]").is_literal());
    EXPECT_FALSE(domain("192.0.2.1").is_literal());
    EXPECT_FALSE(Domain().is_literal());
    EXPECT_TRUE(Domain().empty());
}

TEST(ParseDomain, RefusesWrongAddressLiterals) {
    for (const std::string& content : {""s,
                                       " "s,
                                       "192.0.2"s,
                                       "192.0.2.1.2"s,
                                       "192.0.2.256"s,
                                       "192.0.2.1000"s,
                                       "192.0.2."s,
                                       ".192.0.2.1"s,
                                       "192..2.1"s,
                                       "192.0.2.-1"s,
                                       "192.0.2.+1"s,
                                       "192.0.2.1 "s,
                                       "0x7f.0.0.1"s,
                                       "2130706433"s,
                                       "192.0.2.1\0"s,
                                       "192.0.2.1]"s,
                                       "[192.0.2.1"s,
                                       "IPv6:"s,
                                       "IPv6::"s,
                                       "IPv6:1"s,
                                       "IPv6::::"s,
                                       "IPv6:1::2::3"s,
                                       "IPv6:1:2:3:4:5:6:7"s,
                                       "IPv6:1:2:3:4:5:6:7:8:9"s,
                                       "IPv6:1:2:3:4:5:6:7::"s,
                                       "IPv6:::2:3:4:5:6:7:8"s,
                                       "IPv6:1:2:3:4:5:6:7:"s,
                                       "IPv6::1:2:3:4:5:6:7:8"s,
                                       "IPv6:12345::"s,
                                       "IPv6:g::"s,
                                       "IPv6:::1%eth0"s,
                                       "IPv6:::1/64"s,
                                       "IPv6:-1::"s,
                                       "IPv6:0x1::"s,
                                       "IPv6::: 1"s,
                                       "IPv6:192.0.2.1"s,
                                       "IPv6:::192.0.2.1:1"s,
                                       "IPv6:::192.0.2.256"s,
                                       "IPv6:::192.0.2"s,
                                       "IPv6:1:2:3:4:5:6:7:192.0.2.1"s,
                                       "IPv6:1:2:3:4:5::192.0.2.1"s,
                                       "2001:db8::1 "s,
                                       "IPv6 :::1"s,
                                       ":x"s,
                                       "x:"s,
                                       "x-:y"s,
                                       "x_:y"s,
                                       "x:y z"s,
                                       "x:\\y"s,
                                       "x:\xff"s}) {
        const auto got = parse_domain("[" + content + "]", Charset::utf8);
        ASSERT_FALSE(got) << testing::PrintToString(content);
        EXPECT_EQ(got.error().kind, ErrorKind::syntax) << testing::PrintToString(content);
    }
}

TEST(ParseDomain, RefusesLiteralsOfUnregisteredKinds) {
    for (const std::string& content : {"x:y"s, "IPv4:192.0.2.1"s, "2001:db8::1"s, "IPv7:::1"s, "x-y:!@#"s}) {
        const auto got = parse_domain("[" + content + "]");
        ASSERT_FALSE(got) << content;
        EXPECT_EQ(got.error().kind, ErrorKind::invalid) << content;
    }
}

TEST(ParseDomain, RefusesWhatIdnaRefusesOrMapsToOtherSigns) {
    const std::string wrong[] = {
        "a\xef\xbc\xa0"
        "evil.example",  // FULLWIDTH COMMERCIAL AT
        "a\xef\xbc\x8f"
        "b.example",  // FULLWIDTH SOLIDUS
        "\xef\xbc\xbb"
        "192.0.2.1]",  // FULLWIDTH LEFT SQUARE BRACKET
        "a\xe2\x80\xa8"
        "b.example",  // LINE SEPARATOR
        "a\xe2\x80\xae"
        "b.example",  // RIGHT-TO-LEFT OVERRIDE
        "a\xe3\x80\x82\xe3\x80\x82"
        "b",           // an empty label by way of two ideographic full stops
        "a.\xc2\xad",  // SOFT HYPHEN, which vanishes
        "ä b.example",
        "ä@b.example",
        "ä..example",
        "ä.example.",
        "ä.example\xe3\x80\x82",
        "-ä.example",
        "ä-.example",
        "xn--a.ä.example",  // no A-label
    };
    for (const std::string& text : wrong) {
        const auto got = parse_domain(text, Charset::utf8);
        EXPECT_FALSE(got) << text << " gave " << got->text();
    }
}

TEST(ParseDomain, KeepsItsLimitsForULabels) {
    EXPECT_EQ(parse_domain(repeated(100, "ä") + ".example", Charset::utf8).error().kind, ErrorKind::too_long);
    EXPECT_EQ(parse_domain(repeated(60, "äöü."), Charset::utf8).error().kind, ErrorKind::too_long);
    EXPECT_FALSE(parse_domain(repeated(36, "äöü.") + "x", Charset::utf8)) << "254 octets, but longer as A-labels";
    EXPECT_EQ(parse_domain(repeated(100'000, "ä"), Charset::utf8).error().kind, ErrorKind::too_long);
}

TEST(RenderMailbox, QuotesOnlyWhereTheGrammarDemandsIt) {
    EXPECT_EQ(render_mailbox({"a.b", domain("d")}), "a.b@d");
    EXPECT_EQ(render_mailbox({"a b", domain("d")}), R"("a b"@d)");
    EXPECT_EQ(render_mailbox({"a..b", domain("d")}), R"("a..b"@d)");
    EXPECT_EQ(render_mailbox({R"(a"\b)", domain("d")}), R"("a\"\\b"@d)");
    EXPECT_EQ(render_mailbox({"käthe", domain("d")}), "käthe@d");
    EXPECT_EQ(render_mailbox({"postmaster", {}}), "postmaster");
    EXPECT_EQ(render_path({}), "");
    EXPECT_EQ(render_path({Mailbox{"a", domain("d")}}), "a@d");
}

TEST(TakeReversePath, ReadsAMailboxOrNothing) {
    const auto null = take_reverse_path("<> SIZE=1", Charset::ascii);
    ASSERT_TRUE(null);
    EXPECT_TRUE(null->path.is_null());
    EXPECT_EQ(null->rest, " SIZE=1");

    const auto path = take_reverse_path("<a@D> BODY=8BITMIME", Charset::ascii);
    ASSERT_TRUE(path);
    EXPECT_EQ(path->path.mailbox, (Mailbox{"a", domain("d")}));
    EXPECT_EQ(path->rest, " BODY=8BITMIME");
    EXPECT_EQ(take_reverse_path("<a@d>junk", Charset::ascii)->rest, "junk") << "the command decides on it";
}

TEST(TakeReversePath, HasNoPostmasterWithoutADomain) { EXPECT_FALSE(take_reverse_path("<postmaster>", Charset::ascii)); }

TEST(TakeForwardPath, HasNoNullPath) {
    EXPECT_EQ(take_forward_path("<>", Charset::ascii).error().kind, ErrorKind::syntax);
    EXPECT_EQ(take_forward_path("<\"\">", Charset::ascii).error().kind, ErrorKind::syntax);
}

TEST(TakeForwardPath, TakesPostmasterAloneInAnyCase) {
    for (const std::string_view text : {"<postmaster>", "<Postmaster>", "<POSTMASTER>"}) {
        const auto path = take_forward_path(text, Charset::ascii);
        ASSERT_TRUE(path) << text;
        EXPECT_EQ(path->path, (Mailbox{"postmaster", {}}));
        EXPECT_EQ(path->rest, "");
    }
    EXPECT_EQ(take_forward_path("<Postmaster@d>", Charset::ascii)->path, (Mailbox{"Postmaster", domain("d")}));
    for (const std::string_view text :
         {"<postmaster", "<postmasters>", "<postmaste>", "<root>", "<\"postmaster\">", "<postmaster@>", "<@a:postmaster>", "postmaster"}) {
        EXPECT_FALSE(take_forward_path(text, Charset::ascii)) << text;
    }
}

TEST(TakePath, IgnoresSourceRoutes) {
    for (const std::string_view text : {"<@a:u@d>", "<@a.example,@b.example:u@d>", "<@[192.0.2.1]:u@d>"}) {
        EXPECT_EQ(take_forward_path(text, Charset::ascii)->path, (Mailbox{"u", domain("d")})) << text;
        EXPECT_EQ(take_reverse_path(text, Charset::ascii)->path.mailbox, (Mailbox{"u", domain("d")})) << text;
    }
    for (const std::string_view text : {"<@a>", "<@a:>", "<@a,:u@d>", "<@:u@d>", "<@a,b:u@d>", "<@a;u@d>", "<@a u@d>", "<@a:@b:u@d>",
                                        "<@a@b:u@d>", "<,@a:u@d>", "<@[:u@d>", "<@a:u>"}) {
        EXPECT_FALSE(take_forward_path(text, Charset::ascii)) << text;
        EXPECT_FALSE(take_reverse_path(text, Charset::ascii)) << text;
    }
}

TEST(TakePath, EndsAtTheBracketThatIsNotQuoted) {
    const auto path = take_forward_path(R"(<"a>b@c"@d> X=<y>)", Charset::ascii);
    ASSERT_TRUE(path);
    EXPECT_EQ(path->path, (Mailbox{"a>b@c", domain("d")}));
    EXPECT_EQ(path->rest, " X=<y>");
    EXPECT_EQ(take_forward_path("<a@[IPv6:::1]>", Charset::ascii)->path.domain, domain("[IPv6:::1]"));
}

TEST(TakePath, RefusesWhatIsNoPath) {
    for (const std::string& text : {""s, "<"s, ">"s, "<>>"s.substr(2), "a@d"s, " <a@d>"s, "<a@d"s, "<a@d >"s, "< a@d>"s, "< >"s, "<<a@d>>"s,
                                    "<a@d\0>"s, "<a@d\r\n>"s, "<\"a@d>"s, "<a@[1.2.3.4>"s, "<käthe@d>"s}) {
        EXPECT_FALSE(take_reverse_path(text, Charset::ascii)) << text;
        EXPECT_FALSE(take_forward_path(text, Charset::ascii)) << text;
    }
    EXPECT_TRUE(take_forward_path("<käthe@d>", Charset::utf8));
}

TEST(TakePath, GivesTheWholeRestHoweverLong) {
    const std::string rest = " X=" + std::string(10'000, 'x');
    EXPECT_EQ(take_forward_path("<a@d>" + rest, Charset::ascii)->rest.size(), rest.size());
    EXPECT_EQ(take_reverse_path("<>" + rest, Charset::ascii)->rest.size(), rest.size());
}

TEST(TakePath, HoldsTheLimitOf256Octets) {
    const std::string name = longest_domain().substr(0, 252);
    EXPECT_EQ(take_forward_path("<a@" + name + ">", Charset::ascii)->path.domain.text(), name) << "256 octets";
    EXPECT_EQ(take_forward_path("<a@" + name + "b>", Charset::ascii).error().kind, ErrorKind::too_long);
    EXPECT_EQ(take_reverse_path("<@a:b@" + name + ">", Charset::ascii).error().kind, ErrorKind::too_long);
    EXPECT_EQ(take_reverse_path("<" + repeated(50'000, "@a,") + "@a:b@c>", Charset::ascii).error().kind, ErrorKind::too_long);
    EXPECT_FALSE(take_reverse_path(std::string(50'000, '<'), Charset::ascii));
}

}  // namespace
}  // namespace thurn::mail
