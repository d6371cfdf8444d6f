#include "base/quoted_printable.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace thurn::base {
namespace {

struct EncodingCase {
    const char* name;
    std::string text, encoded;
};

TEST(QuotedPrintable, KeepsItsRules) {
    const std::vector<EncodingCase> cases{
        {"Plain", "abc\r\n", "abc\r\n"},
        {"NoLineEnd", "abc", "abc"},
        {"Equals", "a=b\r\n", "a=3Db\r\n"},
        {"TrailingSpace", "a \r\nb\t\r\nc ", "a=20\r\nb=09\r\nc=20"},
        {"StrayEnds", "a\rb\nc\r\n", "a=0Db=0Ac\r\n"},
        {"Nul", std::string("a\0b", 3), "a=00b"},
        {"Fits", std::string(76, 'x') + "\r\n", std::string(76, 'x') + "\r\n"},
        {"Folds", std::string(77, 'x') + "\r\n", std::string(75, 'x') + "=\r\nxx\r\n"},
        {"NoBoundaryComesIntoBeing", std::string(75, 'x') + "--b\r\n", std::string(75, 'x') + "=\r\n=2D-b\r\n"},
        {"DashesOfItsOwnStay", "--b\r\n", "--b\r\n"},
        {"EightBit", "\xff\r\n", "=FF\r\n"},
        {"Empty", "", ""},
    };
    for (const EncodingCase& row : cases) {
        EXPECT_EQ(encode_quoted_printable(row.text), row.encoded) << row.name;
        EXPECT_EQ(decode_quoted_printable(row.encoded), row.text) << row.name;
    }
}

TEST(QuotedPrintable, ReadsWhatOthersWrite) {
    EXPECT_EQ(decode_quoted_printable("a=c3=A9 \t\r\nb=  \r\nc="), "a\xc3\xa9\r\nbc");
    for (const char* text : {"=", "=4", "=4g", "a=\tb", "\xc3"})
        EXPECT_EQ(decode_quoted_printable(text).has_value(), std::string_view(text) == "=") << text;
}

TEST(QuotedPrintable, GivesEveryOctetBack) {
    std::string text;
    for (int k = 0; k < 4096; ++k) text += static_cast<char>(k * 7 + k / 256);
    const auto encoded = encode_quoted_printable(text);
    EXPECT_EQ(decode_quoted_printable(encoded), text);
}

}  // namespace
}  // namespace thurn::base
