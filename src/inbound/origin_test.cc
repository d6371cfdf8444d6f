#include "inbound/origin.h"

#include <gtest/gtest.h>

namespace thurn::inbound {
namespace {

Origin told(std::string_view text) { return *smtp::parse_attributes(text, smtp::ProxyCommand::xforward); }

struct OriginCase {
    const char* name;
    const char* attributes;
    const char* text;
};
class OriginText : public testing::TestWithParam<OriginCase> {};

TEST_P(OriginText, TellsWhatIsKnown) { EXPECT_EQ(describe_origin(told(GetParam().attributes)), GetParam().text); }

INSTANTIATE_TEST_SUITE_P(Xforward, OriginText,
                         testing::Values(OriginCase{"All",
                                                    "NAME=c.example ADDR=192.0.2.1 PORT=4711 PROTO=ESMTP HELO=me IDENT=4ABC SOURCE=REMOTE",
                                                    "c.example [192.0.2.1]:4711, helo me, ESMTP, id 4ABC, REMOTE"},
                                         OriginCase{"NoName", "NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::1 HELO=me", "[2001:db8::1], helo me"},
                                         OriginCase{"OnlyAnId", "IDENT=4ABC", "id 4ABC"}, OriginCase{"Nothing", "NAME=[UNAVAILABLE]", ""}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(Origin, IsToldInSeveralCommands) {
    auto origin = told("NAME=a.example ADDR=192.0.2.1");
    add_to(origin, told("NAME=b.example IDENT=4ABC"));
    EXPECT_EQ(describe_origin(origin), "b.example [192.0.2.1], id 4ABC");
    EXPECT_EQ(value_of(origin, smtp::ProxyAttribute::Name::ident), "4ABC");
    EXPECT_EQ(value_of(origin, smtp::ProxyAttribute::Name::helo), "");
}

}  // namespace
}  // namespace thurn::inbound
