#include "net/endpoint.h"

#include <gtest/gtest.h>

namespace thurn::net {
namespace {

struct EndpointCase {
    const char* name;
    std::string_view text;
    std::string_view rendered;  // empty: refused
};
class EndpointTest : public testing::TestWithParam<EndpointCase> {};

TEST_P(EndpointTest, IsReadOrRefused) {
    const auto& [name, text, rendered] = GetParam();
    const auto endpoint = parse_endpoint(text, 25);
    ASSERT_EQ(endpoint.has_value(), !rendered.empty()) << (endpoint ? render_endpoint(*endpoint) : endpoint.error().detail);
    if (endpoint)
        EXPECT_EQ(render_endpoint(*endpoint), rendered);
    else
        EXPECT_NE(endpoint.error().detail.find(text), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    Texts, EndpointTest,
    testing::Values(EndpointCase{"Ipv4", "192.0.2.1:587", "192.0.2.1:587"}, EndpointCase{"Ipv4WithoutPort", "192.0.2.1", "192.0.2.1:25"},
                    EndpointCase{"Wildcard", "0.0.0.0:25", "0.0.0.0:25"}, EndpointCase{"Star", "*:25", "0.0.0.0:25"},
                    EndpointCase{"PortOnly", ":2525", "0.0.0.0:2525"}, EndpointCase{"Ipv6", "[2001:db8::1]:465", "[2001:db8::1]:465"},
                    EndpointCase{"Ipv6WithoutPort", "[::]", "[::]:25"}, EndpointCase{"BareIpv6", "2001:db8::1", "[2001:db8::1]:25"},
                    EndpointCase{"PortZero", "127.0.0.1:0", "127.0.0.1:0"}, EndpointCase{"Empty", "", ""},
                    EndpointCase{"Name", "localhost:2525", ""}, EndpointCase{"NoPort", "127.0.0.1:", ""},
                    EndpointCase{"PortTooBig", "127.0.0.1:65536", ""}, EndpointCase{"PortNegative", "127.0.0.1:-1", ""},
                    EndpointCase{"PortWithText", "127.0.0.1:25x", ""}, EndpointCase{"NoBracket", "[::1:25", ""},
                    EndpointCase{"Ipv4InBrackets", "[127.0.0.1]:25", ""}, EndpointCase{"TextBehindBracket", "[::1]25", ""},
                    EndpointCase{"BracketsWithoutPort", "[::1]:", ""}, EndpointCase{"EmptyBrackets", "[]:25", ""},
                    EndpointCase{"StarInBrackets", "[*]:25", ""}),
    [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace thurn::net
