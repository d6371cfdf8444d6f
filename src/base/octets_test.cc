#include "base/octets.h"

#include <string>

#include <gtest/gtest.h>

namespace thurn::base {
namespace {

using namespace std::string_literals;

TEST(Octets, ReadsSizesWithAndWithoutUnits) {
    EXPECT_EQ(parse_octets("0"), Octets{0});
    EXPECT_EQ(parse_octets("123"), Octets{123});
    EXPECT_EQ(parse_octets("64KiB"), kibibytes(64));
    EXPECT_EQ(parse_octets("50MiB"), mebibytes(50));
    EXPECT_EQ(parse_octets("2GiB"), Octets{std::uint64_t{2} << 30});
    EXPECT_EQ(parse_octets("9223372036854775808"), Octets{std::uint64_t{1} << 63});
}

TEST(Octets, RefusesOtherText) {
    for (const std::string& text : {""s, "KiB"s, "-1"s, "+1"s, " 1"s, "1 "s, "1 KiB"s, "1kib"s, "1KB"s, "1K"s, "1TiB"s, "1.5MiB"s, "0x10"s,
                                    "1\0"s, "99999999999999999999XiB"s}) {
        const auto octets = parse_octets(text);
        ASSERT_FALSE(octets) << text;
        EXPECT_EQ(octets.error().kind, ErrorKind::syntax) << text;
    }
}

TEST(Octets, RefusesSizesThatWouldOverflow) {
    for (const auto* text :
         {"9223372036854775809", "18446744073709551616", "99999999999999999999999", "8589934593GiB", "9007199254740993KiB"}) {
        const auto octets = parse_octets(text);
        ASSERT_FALSE(octets) << text;
        EXPECT_EQ(octets.error().kind, ErrorKind::too_long) << text;
    }
    EXPECT_EQ(parse_octets("8589934592GiB"), Octets{std::uint64_t{1} << 63});
}

TEST(Octets, RendersTheLargestUnitThatDivides) {
    EXPECT_EQ(render_octets({0}), "0");
    EXPECT_EQ(render_octets({1023}), "1023");
    EXPECT_EQ(render_octets({1024}), "1KiB");
    EXPECT_EQ(render_octets({1025}), "1025");
    EXPECT_EQ(render_octets(mebibytes(50)), "50MiB");
    EXPECT_EQ(render_octets(mebibytes(1536)), "1536MiB");
    EXPECT_EQ(render_octets({std::uint64_t{1} << 63}), "8589934592GiB");
    for (std::uint64_t count = 1; count < 100'000; count += 511) EXPECT_EQ(parse_octets(render_octets({count})), Octets{count});
}

}  // namespace
}  // namespace thurn::base
