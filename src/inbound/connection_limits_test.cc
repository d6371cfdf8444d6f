#include "inbound/connection_limits.h"

#include <gtest/gtest.h>

namespace thurn::inbound {
namespace {

using Verdict = ConnectionLimits::Verdict;

TEST(ConnectionLimits, CountsPerAddress) {
    ConnectionLimits limits(10, 2);
    EXPECT_EQ(limits.enter("192.0.2.1"), Verdict::welcome);
    EXPECT_EQ(limits.enter("192.0.2.1"), Verdict::welcome);
    EXPECT_EQ(limits.enter("192.0.2.1"), Verdict::too_many_from_there);
    EXPECT_EQ(limits.enter("192.0.2.2"), Verdict::welcome);
    limits.leave("192.0.2.1");
    EXPECT_EQ(limits.enter("192.0.2.1"), Verdict::welcome);
}

TEST(ConnectionLimits, CountsAnIpv6NetworkOf64AsOne) {
    ConnectionLimits limits(10, 2);
    EXPECT_EQ(limits.enter("2001:db8:0:1::1"), Verdict::welcome);
    EXPECT_EQ(limits.enter("2001:db8:0:1:ffff::2"), Verdict::welcome);
    EXPECT_EQ(limits.enter("2001:db8:0:1:8000::3"), Verdict::too_many_from_there);
    EXPECT_EQ(limits.enter("2001:db8:0:2::1"), Verdict::welcome);
    limits.leave("2001:db8:0:1:ffff::2");
    EXPECT_EQ(limits.enter("2001:db8:0:1::4"), Verdict::welcome);
}

TEST(ConnectionLimits, CountsAMappedAddressAsIpv4) {
    ConnectionLimits limits(10, 1);
    EXPECT_EQ(limits.enter("::ffff:192.0.2.1"), Verdict::welcome);
    EXPECT_EQ(limits.enter("192.0.2.1"), Verdict::too_many_from_there);
    EXPECT_EQ(limits.enter("::ffff:192.0.2.2"), Verdict::welcome);
    limits.leave("192.0.2.1");
    EXPECT_EQ(limits.enter("::ffff:192.0.2.1"), Verdict::welcome);
}

TEST(ConnectionLimits, CountsInAll) {
    ConnectionLimits limits(2, 2);
    EXPECT_EQ(limits.enter("a"), Verdict::welcome);
    EXPECT_EQ(limits.enter("b"), Verdict::welcome);
    EXPECT_EQ(limits.enter("c"), Verdict::too_many);
    EXPECT_EQ(limits.open(), 2);
    limits.leave("a");
    limits.leave("b");
    EXPECT_EQ(limits.open(), 0);
}

TEST(ConnectionLimits, ARefusedOneIsNotCounted) {
    ConnectionLimits limits(10, 0);
    for (int k = 0; k < 20; ++k) EXPECT_EQ(limits.enter("a"), Verdict::too_many_from_there);
    EXPECT_EQ(limits.open(), 0);
}

}  // namespace
}  // namespace thurn::inbound
