#include "net/proxy_header_v2_render.h"

#include <gtest/gtest.h>

namespace thurn::net {
namespace {

using boost::asio::ip::make_address;
using boost::asio::ip::tcp;
using namespace std::string_literals;

const std::string kSignature = "\r\n\r\n\0\r\nQUIT\n"s;

TEST(ProxyHeaderV2, NamesBothEnds) {
    EXPECT_EQ(render_proxy_header_v2({make_address("192.0.2.1"), 4660}, {make_address("198.51.100.2"), 25}),
              kSignature + "\x21\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x02\x12\x34\x00\x19"s);
    EXPECT_EQ(render_proxy_header_v2({make_address("2001:db8::1"), 4660}, {make_address("2001:db8::2"), 25}),
              kSignature + "\x21\x21\x00\x24"s + "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x01\x20\x01\x0d\xb8"s +
                  std::string(11, '\0') + "\x02\x12\x34\x00\x19"s);
}

TEST(ProxyHeaderV2, SaysNothingOfEndsThatAreNoAddresses) {
    const auto local = kSignature + "\x20\x00\x00\x00"s;
    EXPECT_EQ(render_proxy_header_v2({}, {}), local);
    EXPECT_EQ(render_proxy_header_v2({make_address("192.0.2.1"), 1}, {make_address("2001:db8::2"), 25}), local);
}

}  // namespace
}  // namespace thurn::net
