#include "smtp/proxy_attributes.h"

#include <gtest/gtest.h>

namespace thurn::smtp {
namespace {

using Name = ProxyAttribute::Name;
using Known = ProxyAttribute::Known;

TEST(ProxyAttributes, AreReadAndDecoded) {
    const auto given = parse_attributes(
        "NAME=spike.porcupine.org ADDR=168.100.189.2 port=1025 PROTO=ESMTP HELO=a+20b LOGIN=[UNAVAILABLE] DESTADDR=IPV6:2001:DB8:0::1 "
        "DESTPORT=25",
        ProxyCommand::xclient);
    ASSERT_TRUE(given.has_value());
    const std::vector<ProxyAttribute> wanted{{Name::name, Known::given, "spike.porcupine.org"},
                                             {Name::addr, Known::given, "168.100.189.2"},
                                             {Name::port, Known::given, "1025"},
                                             {Name::proto, Known::given, "ESMTP"},
                                             {Name::helo, Known::given, "a b"},
                                             {Name::login, Known::unavailable, ""},
                                             {Name::destaddr, Known::given, "2001:db8::1"},
                                             {Name::destport, Known::given, "25"}};
    EXPECT_EQ(*given, wanted);
    EXPECT_EQ(find_attribute(*given, Name::port)->value, "1025");
    EXPECT_EQ(find_attribute(*given, Name::ident), nullptr);
    EXPECT_EQ(parse_attributes("name=[tempunavail]", ProxyCommand::xforward)->front().known, Known::temporarily_unavailable);
    EXPECT_EQ(parse_attributes("IDENT=4AB SOURCE=LOCAL", ProxyCommand::xforward)->size(), 2U);
}

TEST(ProxyAttributes, AreRefusedWhenTheyAreNone) {
    const std::string long_name = "NAME=" + std::string(256, 'x');
    const std::string_view refused[] = {
        "",         "NAME",         "NAME=",     "X=1",     "IDENT=1",        "SOURCE=LOCAL",     "NAME=a NAME=b",
        "NAME=a+0", "NAME=a+0D+0A", "NAME=a+00", "ADDR=x",  "ADDR=300.1.1.1", "ADDR=2001:db8::1", "ADDR=IPV6:x",
        "PORT=x",   "PORT=65536",   "PORT=",     "PORT=-1", "NAME=a=b",       long_name};
    for (const auto text : refused) EXPECT_FALSE(parse_attributes(text, ProxyCommand::xclient)) << text;
    for (const char* text : {"LOGIN=joe", "DESTADDR=192.0.2.1", "SOURCE=HERE"})
        EXPECT_FALSE(parse_attributes(text, ProxyCommand::xforward)) << text;
}

TEST(ProxyAttributes, AreListedForEhlo) {
    EXPECT_EQ(render_attribute_names(ProxyCommand::xclient), " NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT");
    EXPECT_EQ(render_attribute_names(ProxyCommand::xforward), " NAME ADDR PORT PROTO HELO IDENT SOURCE");
}

}  // namespace
}  // namespace thurn::smtp
