#include "delivery/line_ends.h"

#include <gtest/gtest.h>

namespace thurn::delivery {
namespace {

struct LineEndsCase {
    const char* name;
    std::string_view in;
    std::string_view out;
};
class LineEndsTest : public testing::TestWithParam<LineEndsCase> {};

TEST_P(LineEndsTest, GivesTheSameForEverySplit) {
    const auto& [name, in, out] = GetParam();
    for (std::size_t first = 0; first <= in.size(); ++first) {
        for (std::size_t second = first; second <= in.size(); ++second) {
            LineEnds line_ends;
            std::string got;
            line_ends.append(in.substr(0, first), got);
            line_ends.append(in.substr(first, second - first), got);
            line_ends.append(in.substr(second), got);
            line_ends.finish(got);
            EXPECT_EQ(got, out) << "cut at " << first << " and " << second;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Inputs, LineEndsTest,
                         testing::Values(LineEndsCase{"Empty", "", ""}, LineEndsCase{"Lines", "a\r\nbc\r\n\r\n", "a\nbc\n\n"},
                                         LineEndsCase{"NoLastLineEnd", "a\r\nb", "a\nb"},
                                         LineEndsCase{"LoneCr", "a\rb\r\rc\r", "a\rb\r\rc\r"},
                                         LineEndsCase{"CrBeforeCrlf", "a\r\r\nb", "a\r\nb"},
                                         LineEndsCase{"LoneLf", "a\nb\n\r\n", "a\nb\n\n"},
                                         LineEndsCase{"DotLines", ".\r\n..\r\n", ".\n..\n"}),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace thurn::delivery
