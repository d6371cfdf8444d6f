#include "smtp/input_buffer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::smtp {
namespace {

using testing::ElementsAre;
using Found = InputBuffer::Found;

/// Every line, `LF` for a bare LF, `LONG …` with the head of one that is too long.
std::vector<std::string> lines_of(std::string_view wire, std::size_t cut, std::size_t limit) {
    InputBuffer buffer;
    std::vector<std::string> lines;
    for (const auto piece : {wire.substr(0, cut), wire.substr(cut)}) {
        buffer.append(piece);
        for (auto found = buffer.find_line(limit); found != Found::incomplete; found = buffer.find_line(limit)) {
            if (found == Found::bare_lf) lines.emplace_back("LF");
            if (found == Found::too_long) lines.emplace_back("LONG " + std::string(buffer.head()));
            if (found != Found::line) continue;
            lines.emplace_back(buffer.line());
            buffer.take_line();
        }
        EXPECT_LE(buffer.unread().size(), limit);
    }
    return lines;
}

struct LineCase {
    const char* name;
    std::string wire;
    std::vector<std::string> lines;
};
class InputBufferTest : public testing::TestWithParam<LineCase> {};

TEST_P(InputBufferTest, FindsTheSameLinesForEverySplit) {
    const auto& row = GetParam();
    for (std::size_t cut = 0; cut <= row.wire.size(); ++cut) EXPECT_EQ(lines_of(row.wire, cut, 12), row.lines) << "cut at " << cut;
}

INSTANTIATE_TEST_SUITE_P(Cases, InputBufferTest,
                         testing::Values(LineCase{"Lines", "a\r\n\r\nbc\r\n", {"a", "", "bc"}}, LineCase{"Unfinished", "a\r\nb", {"a"}},
                                         LineCase{"AtTheLimit", "0123456789\r\nx\r\n", {"0123456789", "x"}},
                                         LineCase{"OverTheLimit", "01234567890\r\nx\r\n", {"LONG 01234567", "x"}},
                                         LineCase{"FarOverTheLimit", std::string(100, 'y') + "\r\nx\r\n", {"LONG yyyyyyyy", "x"}},
                                         LineCase{"OverWithBareLf", std::string(50, 'y') + "\nz\r\nx\r\n", {"LONG yyyyyyyy", "x"}},
                                         LineCase{"OnlyCr", std::string(50, '\r') + "\nx\r\n", {"LONG \r\r\r\r\r\r\r\r", "x"}},
                                         LineCase{"BareLf", "a\nb\r\nc\r\n", {"LF", "c"}},
                                         LineCase{"BareLfFirst", "\n\r\nc\r\n", {"LF", "c"}},
                                         LineCase{"BareLfTwice", "a\nb\nb\r\nc\nd\r\ne\r\n", {"LF", "LF", "e"}},
                                         LineCase{"BareCr", "a\rb\r\n", {"a\rb"}}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(InputBuffer, TellsOfALineWithoutAnEnd) {
    InputBuffer buffer;
    const std::string piece(1 << 20, 'x');
    for (int count = 0; count < 16; ++count) {
        buffer.append(piece);
        EXPECT_EQ(buffer.find_line(100), Found::incomplete);
    }
    buffer.append(piece);
    EXPECT_EQ(buffer.find_line(100), Found::endless);
}

TEST(InputBuffer, WipesWhatWasTaken) {
    InputBuffer buffer;
    buffer.append("AUTH PLAIN c2VjcmV0\r\nNOOP\r\n");
    ASSERT_EQ(buffer.find_line(100), Found::line);
    const auto view = buffer.line();
    buffer.take_line();
    EXPECT_EQ(view, std::string(view.size(), '\0'));
    EXPECT_EQ(buffer.unread(), "NOOP\r\n");
}

}  // namespace
}  // namespace thurn::smtp
