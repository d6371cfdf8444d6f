#include "mailauth/dkim_tag_list.h"

#include <gtest/gtest.h>

namespace thurn::mailauth {
namespace {

TEST(DkimTagList, KeepsOrderAndTrimsEnds) {
    const auto list = parse_tag_list(" v = 1 ;\r\n\ta=rsa-sha256; b= aGVs\r\n bG8= ;n=");
    ASSERT_TRUE(list) << list.error().detail;
    ASSERT_EQ(list->tags.size(), 4U);
    EXPECT_EQ(list->value("v"), "1");
    EXPECT_EQ(list->value("b"), "aGVs\r\n bG8=");
    EXPECT_EQ(list->value("n"), "");
    EXPECT_EQ(list->value("x"), std::nullopt);
    EXPECT_EQ(list->value("A"), std::nullopt) << "names have case";
    EXPECT_EQ(without_space(*list->value("b")), "aGVsbG8=");
}

TEST(DkimTagList, TakesASemicolonAndSpaceAtTheEnd) {
    for (const char* text : {"a=1;", "a=1; ", "a=1;\r\n ", "a=1 ;\t"}) EXPECT_TRUE(parse_tag_list(text)) << text;
}

struct BadCase {
    const char* name;
    std::string_view text;
};
class DkimTagListBadTest : public testing::TestWithParam<BadCase> {};

TEST_P(DkimTagListBadTest, IsASyntaxError) {
    const auto list = parse_tag_list(GetParam().text);
    ASSERT_FALSE(list);
    EXPECT_EQ(list.error().kind, base::ErrorKind::syntax);
}

INSTANTIATE_TEST_SUITE_P(Rfc6376Section32, DkimTagListBadTest,
                         testing::Values(BadCase{"Nothing", ""}, BadCase{"OnlySpace", " \r\n "}, BadCase{"NoEquals", "a=1; b"},
                                         BadCase{"NoName", "=1"}, BadCase{"TwoSemicolons", "a=1;;b=2"}, BadCase{"SemicolonFirst", ";a=1"},
                                         BadCase{"TwoAtTheEnd", "a=1;;"}, BadCase{"Twice", "a=1; b=2; a=1"}, BadCase{"DigitFirst", "1a=1"},
                                         BadCase{"SpaceInName", "a b=1"}, BadCase{"ControlInValue", std::string_view("a=\0", 3)}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(DkimTagList, HasALimit) {
    std::string text;
    for (int i = 0; i < 101; ++i) text += "t" + std::to_string(i) + "=;";
    const auto list = parse_tag_list(text);
    ASSERT_FALSE(list);
    EXPECT_EQ(list.error().kind, base::ErrorKind::too_long);
}

TEST(DkimTagList, ReadsNumbers) {
    EXPECT_EQ(parse_digits("0012", 12), 12U);
    EXPECT_EQ(parse_digits("", 12), std::nullopt);
    EXPECT_EQ(parse_digits("-1", 12), std::nullopt);
    EXPECT_EQ(parse_digits("1234567890123", 12), std::nullopt);
}

TEST(TagBase64, NeedsNoPadding) {
    for (const auto* text : {"TWE=", "TWE", "T W\r\n\tE", "TWE==", "TWF="}) EXPECT_EQ(decode_tag_base64(text).value(), "Ma") << text;
    EXPECT_EQ(decode_tag_base64("TQ").value(), "M");
    EXPECT_EQ(decode_tag_base64("TR==").value(), "M") << "unused bits";
    EXPECT_EQ(decode_tag_base64("").value(), "");
    for (const auto* text : {"T", "TWFub", "TW=E", "TWE===", "TW-_"}) EXPECT_FALSE(decode_tag_base64(text)) << text;
}

}  // namespace
}  // namespace thurn::mailauth
