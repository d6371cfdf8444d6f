#include "config/limit.h"

#include <gtest/gtest.h>

namespace thurn::config {
namespace {

using namespace std::chrono_literals;
using policy::Limit;

TEST(Limit, IsAnAmountInATime) {
    EXPECT_EQ(parse_limit("500/1h"), (Limit{500, 1h}));
    EXPECT_EQ(parse_limit("20/1m"), (Limit{20, 1min}));
    EXPECT_EQ(parse_limit("1/90s"), (Limit{1, 90s}));
    EXPECT_EQ(parse_limit("100MiB/1d"), (Limit{100.0 * 1024 * 1024, std::chrono::days(1), Limit::Of::octets}));
}

TEST(Limit, IsWrittenAsItIsRead) {
    for (const auto* text : {"500/1h", "20/1m", "1/90s", "100MiB/1d", "1024/7d", "1KiB/1s"}) {
        const auto limit = parse_limit(text);
        ASSERT_TRUE(limit) << text;
        EXPECT_EQ(render_limit(*limit), text);
    }
}

TEST(Limit, IsRefusedWithWhatWouldBeRight) {
    for (const auto* text : {"", "/", "500", "500/", "/1h", "0/1h", "500/0s", "500/1", "-5/1h", "5.5/1h", "5/1h/1h", "5 /1h", "10MB/1h",
                             "9999999999999999/1h", "99999999999999999999/1h", "5/9999999d"}) {
        const auto limit = parse_limit(text);
        ASSERT_FALSE(limit) << text;
        EXPECT_NE(limit.error().detail.find("write 500/1h"), std::string::npos) << text;
    }
}

}  // namespace
}  // namespace thurn::config
