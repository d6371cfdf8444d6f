#include "dns/ip_address.h"

#include <gtest/gtest.h>

namespace thurn::dns {
namespace {

IpAddress ip(std::string_view text) { return parse_ip(text).value_or(IpAddress{}); }

TEST(IpAddress, IsReadAndWritten) {
    for (const char* text : {"192.0.2.1", "0.0.0.0", "2001:db8::1", "::"}) EXPECT_EQ(render_ip(ip(text)), text);
    for (const char* text : {"", "192.0.2", "192.0.2.256", "192.0.2.01", "[::1]", "fe80::1%eth0", "1.2.3.4.5", ":::"})
        EXPECT_FALSE(parse_ip(text)) << text;
    EXPECT_FALSE(parse_ip(std::string_view("192.0.2.1\0", 10)));
}

TEST(IpAddress, OfIpv4InIpv6FormIsIpv4) {
    EXPECT_EQ(unmapped(ip("::ffff:192.0.2.1")), ip("192.0.2.1"));
    EXPECT_EQ(unmapped(ip("::1")), ip("::1"));
}

TEST(Network, HoldsWhatAgreesInItsFirstBits) {
    EXPECT_TRUE(in_network(ip("192.0.2.1"), ip("192.0.2.255"), 24));
    EXPECT_TRUE(in_network(ip("192.0.2.129"), ip("192.0.2.128"), 25));
    EXPECT_FALSE(in_network(ip("192.0.2.127"), ip("192.0.2.128"), 25));
    EXPECT_TRUE(in_network(ip("1.2.3.4"), ip("5.6.7.8"), 0));
    EXPECT_TRUE(in_network(ip("1.2.3.4"), ip("1.2.3.4"), 32));
    EXPECT_FALSE(in_network(ip("1.2.3.5"), ip("1.2.3.4"), 32));
    EXPECT_FALSE(in_network(ip("1.2.3.4"), ip("::"), 0)) << "families differ";
    EXPECT_TRUE(in_network(ip("2001:db8:8000::1"), ip("2001:db8:8000::"), 33));
    EXPECT_FALSE(in_network(ip("2001:db8::1"), ip("2001:db8:8000::"), 33));
    EXPECT_TRUE(in_network(ip("2001:db8::1"), ip("2001:db8::1"), 128));
}

}  // namespace
}  // namespace thurn::dns
