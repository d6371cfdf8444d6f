#include "mail/header.h"
#include "mail/mailbox.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace thurn::mail {
namespace {

using namespace std::string_literals;
using Strings = std::vector<std::string>;

enum class Read { complete, in_part };

struct ListCase {
    std::string value;
    Strings addresses;
    Read read = Read::complete;
    Strings unqualified = {};
};

void expect_all(const std::vector<ListCase>& cases) {
    for (const auto& [value, addresses, read, unqualified] : cases) {
        const auto list = parse_address_list(value);
        EXPECT_EQ(list.addresses, addresses) << testing::PrintToString(value);
        EXPECT_EQ(list.unqualified, unqualified) << testing::PrintToString(value);
        EXPECT_EQ(list.complete, read == Read::complete) << testing::PrintToString(value);
    }
}

TEST(AddressList, ReadsMailboxes) {
    expect_all({
        {"", {}},
        {" \r\n ", {}},
        {"a@b", {"a@b"}},
        {" a@B \r\n", {"a@b"}},
        {"a@b, c@d,e@f", {"a@b", "c@d", "e@f"}},
        {"<a@b>", {"a@b"}},
        {"John <a@b>", {"a@b"}},
        {"John Q. Public <a@b>", {"a@b"}},  // the dot is obsolete syntax, and everywhere
        {"\"Public, John\" <a@b>, c@d", {"a@b", "c@d"}},
        {R"("Say \"hi\", <x@y>" <a@b>)", {"a@b"}},
        {"=?utf-8?q?K=C3=A4the?= <a@b>", {"a@b"}},
        {"Käthe <a@b>", {"a@b"}},
        {"x@y <a@b>", {"a@b"}},  // a display name that looks like an address is none
        {"\"x@y\" <a@b>", {"a@b"}},
        {"[list] John <a@b>", {"a@b"}},
        {"John\r\n <a@b>,\r\n\tc@d", {"a@b", "c@d"}},
        {"a@b,,c@d,", {"a@b", "c@d"}},
        {",", {}},
    });
}

TEST(AddressList, UnderstandsQuotedPartsLiteralsAndRoutes) {
    expect_all({
        {R"("a b"@d)", {R"("a b"@d)"}},
        {R"("a,b"@d, c@d)", {R"("a,b"@d)", "c@d"}},
        {R"("a@evil.example"@good.example)", {R"("a@evil.example"@good.example)"}},
        {R"(<"a> x"@d>)", {R"("a> x"@d)"}},
        {R"("a"@d)", {"a@d"}},
        {"\"a\r\n b\"@d", {R"("a b"@d)"}},
        {"a@[192.0.2.1], b@[IPv6:::1]", {"a@[192.0.2.1]", "b@[IPv6:::1]"}},
        {"<@x,@y:a@b>", {"a@b"}},
        {"<@x , @y : a@b>", {"a@b"}},
        {"a . b @ c . d", {"a.b@c.d"}},
        {"käthe@münchen.example", {"käthe@xn--mnchen-3ya.example"}},
    });
}

TEST(AddressList, PassesOverComments) {
    expect_all({
        {"a@b (comment)", {"a@b"}},
        {"(comment) a@b", {"a@b"}},
        {"a(x)@(y)b", {"a@b"}},
        {"a@b (c (nested, <x@y>) d), e@f", {"a@b", "e@f"}},
        {R"(a@b (close \) not yet), e@f)", {"a@b", "e@f"}},
        {"John (the \"one\") <a@b (here)> (there)", {"a@b"}},
        {"(only a comment)", {}},
        {"\"(no comment)\"@b", {"\"(no comment)\"@b"}},
    });
}

TEST(AddressList, TakesTheMembersOfGroups) {
    expect_all({
        {"undisclosed-recipients:;", {}},
        {"undisclosed recipients: ;", {}},
        {"Friends: a@b, John <c@d>;", {"a@b", "c@d"}},
        {"\"My: group\": a@b;, c@d", {"a@b", "c@d"}},
        {"G: a@b; c@d", {"a@b", "c@d"}},
        {"G:;, H: a@b;", {"a@b"}},
        {"G: (empty) ;", {}},
    });
}

TEST(AddressList, SetsApartLocalPartsThatStandAlone) {
    expect_all({
        {"root", {}, Read::complete, {"root"}},
        {"root, a@b, <www-data>", {"a@b"}, Read::complete, {"root", "www-data"}},
        {R"("web master")", {}, Read::complete, {R"("web master")"}},
        {"The Admin <root>", {}, Read::complete, {"root"}},
        {"John Doe", {}, Read::in_part},
    });
}

TEST(AddressList, LeavesOutWhatItCannotReadAndSaysSo) {
    const auto part = Read::in_part;
    expect_all({
        {"a b@c, d@e", {"d@e"}, part},
        {"a@b c, d@e", {"d@e"}, part},
        {"a@b@c, d@e", {"d@e"}, part},
        {"<>", {}, part},
        {"John <>, d@e", {"d@e"}, part},
        {"<a@b> <c@d>, e@f", {"e@f"}, part},
        {"<a@b> c@d, e@f", {"e@f"}, part},
        {"<<a@b>>", {}, part},
        {"a@b>", {}, part},
        {"<a@b", {}, part},
        {"d@e, <a@b", {"d@e"}, part},
        {"<a@b, c@d>", {}, part},
        {"\"open a@b, c@d", {}, part},
        {"d@e, (open a@b, c@d", {"d@e"}, part},
        {"a@b (open", {}, part},
        {"a@b)", {}, part},
        {"a@[192.0.2.1", {}, part},
        {":a@b;", {}, part},
        {"G: H: a@b;;", {}, part},
        {"G: a@b, c@d", {"a@b"}, part},
        {"a@b; c@d", {"c@d"}, part},
        {"a@", {}, part},
        {"@b", {}, part},
        {"a..b@c", {}, part},
        {"a@b\0"s, {}, part},
        {"a\\@b", {}, part},
        {"\"a\\\r\nb\"@c", {}, part},
        {"\xff@b", {}, part},
        {"\\", {}, part},
        {"\"\\", {}, part},
        {"(\\", {}, part},
    });
}

TEST(AddressList, EachAddressIsOneThatParseMailboxReads) {
    for (const std::string& value : {"a@b, \"c d\"@e, käthe@münchen.example, <@x:f@[IPv6:::1]>"s}) {
        const auto list = parse_address_list(value);
        EXPECT_EQ(list.addresses.size(), 4U);
        for (const auto& address : list.addresses) EXPECT_EQ(render_mailbox(parse_mailbox(address, Charset::utf8).value()), address);
    }
}

TEST(AddressList, TakesAnyDepthWithoutRecursion) {
    constexpr std::size_t kDepth = 50'000;
    const std::string open(kDepth, '(');
    const std::string closed(kDepth, ')');
    EXPECT_EQ(parse_address_list(open + "c" + closed + " a@b").addresses, Strings{"a@b"});
    EXPECT_FALSE(parse_address_list(open).complete);
    EXPECT_FALSE(parse_address_list(closed).complete);
    EXPECT_FALSE(parse_address_list(std::string(kDepth, '<') + "a@b" + std::string(kDepth, '>')).complete);
    EXPECT_FALSE(parse_address_list(std::string(kDepth, '[')).complete);
    EXPECT_FALSE(parse_address_list(std::string(kDepth, '"') + '"').complete);
    EXPECT_TRUE(parse_address_list(std::string(kDepth, ',')).complete);
    EXPECT_FALSE(parse_address_list(std::string(kDepth, ':')).complete);
    EXPECT_FALSE(parse_address_list(std::string(kDepth, '@')).complete);
}

TEST(AddressList, TakesManyAddresses) {
    std::string value;
    for (int i = 0; i < 20'000; ++i) value += "Some Name <user@example.com>,\r\n ";
    const auto list = parse_address_list(value);
    EXPECT_EQ(list.addresses.size(), 20'000U);
    EXPECT_TRUE(list.complete);
}

}  // namespace
}  // namespace thurn::mail
