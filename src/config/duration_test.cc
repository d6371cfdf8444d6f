#include "config/duration.h"

#include <gtest/gtest.h>

namespace thurn::config {
namespace {

TEST(Duration, ReadsANumberWithItsUnit) {
    EXPECT_EQ(parse_duration("30s").value(), std::chrono::seconds(30));
    EXPECT_EQ(parse_duration("5m").value(), std::chrono::minutes(5));
    EXPECT_EQ(parse_duration("4h").value(), std::chrono::hours(4));
    EXPECT_EQ(parse_duration("5d").value(), std::chrono::hours(120));
    EXPECT_EQ(parse_duration("0s").value().count(), 0);
}

TEST(Duration, RefusesWhatIsNone) {
    for (const char* text : {"", "5", "s", "5x", "5 m", " 5m", "5m ", "-5m", "+5m", "5mm", "1h30m", "0x5s", "1.5h"})
        EXPECT_EQ(parse_duration(text).error().kind, base::ErrorKind::syntax) << text;
}

TEST(Duration, RefusesWhatIsTooLong) {
    EXPECT_TRUE(parse_duration("3660d"));
    EXPECT_EQ(parse_duration("3661d").error().kind, base::ErrorKind::too_long);
    EXPECT_FALSE(parse_duration("18446744073709551615s"));
    EXPECT_FALSE(parse_duration("99999999999999999999999s"));
}

TEST(Duration, IsShownInTheLargestUnitThatFits) {
    for (const char* text : {"0s", "1s", "59s", "90s", "1m", "60h", "1d", "36h", "3660d"})
        EXPECT_EQ(parse_duration(render_duration(parse_duration(text).value())), parse_duration(text)) << text;
    EXPECT_EQ(render_duration(std::chrono::seconds(90)), "90s");
    EXPECT_EQ(render_duration(std::chrono::minutes(120)), "2h");
    EXPECT_EQ(render_duration(std::chrono::hours(48)), "2d");
}

}  // namespace
}  // namespace thurn::config
