#include "mail/header.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace thurn::mail {
namespace {

using namespace std::string_literals;
using Fields = std::vector<std::pair<std::string, std::string>>;

Fields fields_of(const Header& header) {
    Fields fields;
    for (const auto& [name, value] : header.fields) fields.emplace_back(name, value);
    return fields;
}

struct HeaderCase {
    const char* name;
    std::string message;
    Fields fields;
    std::size_t size;
};

class ParseHeaderTest : public testing::TestWithParam<HeaderCase> {};

TEST_P(ParseHeaderTest, FindsFieldsAndTheBody) {
    const auto header = parse_header(GetParam().message);
    EXPECT_EQ(fields_of(header), GetParam().fields);
    EXPECT_EQ(header.size, GetParam().size);
}

INSTANTIATE_TEST_SUITE_P(
    Rfc5322Section22, ParseHeaderTest,
    testing::Values(
        HeaderCase{"Empty", "", {}, 0}, HeaderCase{"OneField", "A: b\r\n\r\nbody", {{"A", " b"}}, 8},
        HeaderCase{"TwoFields", "A:b\r\nC:d\r\n\r\n", {{"A", "b"}, {"C", "d"}}, 12}, HeaderCase{"OnlyABody", "\r\nbody", {}, 2},
        HeaderCase{"NoBodyAndNoEmptyLine", "A: b\r\n", {{"A", " b"}}, 6}, HeaderCase{"NoLineEndAtAll", "A: b", {{"A", " b"}}, 4},
        HeaderCase{"EmptyValue", "A:\r\n\r\n", {{"A", ""}}, 6}, HeaderCase{"EmptyValueAtTheEnd", "A:", {{"A", ""}}, 2},
        HeaderCase{"Folded", "A: b\r\n c\r\n\td\r\nE: f\r\n\r\n", {{"A", " b\r\n c\r\n\td"}, {"E", " f"}}, 22},
        HeaderCase{"FoldedAtOnce", "A:\r\n b\r\n\r\n", {{"A", "\r\n b"}}, 10},
        HeaderCase{"FoldOfSpacesOnly", "A: b\r\n \r\n\r\nbody", {{"A", " b\r\n "}}, 11},
        HeaderCase{"EndsInAFold", "A: b\r\n ", {{"A", " b\r\n "}}, 7},
        HeaderCase{"BareLineFeeds", "A: b\nC: d\n e\n\nbody", {{"A", " b"}, {"C", " d\n e"}}, 14},
        HeaderCase{"BareCarriageReturnEndsNothing", "A: b\rC: d\r\n\r\n", {{"A", " b\rC: d"}}, 13},
        HeaderCase{"BareCarriageReturnAtTheEnd", "A: b\r", {{"A", " b\r"}}, 5},
        HeaderCase{"TwoCarriageReturns", "A: b\r\r\n\r\n", {{"A", " b\r"}}, 9},
        HeaderCase{"ColonsInTheValue", "A: b:c: d\r\n\r\n", {{"A", " b:c: d"}}, 13},
        HeaderCase{"WhiteSpaceBeforeTheColon", "A \t: b\r\n\r\n", {{"A", " b"}}, 10},
        HeaderCase{"OddNames", "__proto__: a\r\nX!#$%&'*+-^_`{|}~: b\r\n\r\n", {{"__proto__", " a"}, {"X!#$%&'*+-^_`{|}~", " b"}}, 38},
        HeaderCase{"EmptyNameEndsIt", "A: b\r\n: c\r\nD: e\r\n\r\n", {{"A", " b"}}, 6},
        HeaderCase{"EmptyNameWithASpaceFirst", " : c\r\n\r\n", {}, 0},
        HeaderCase{"LineWithoutAColonEndsIt", "A: b\r\nno field\r\nC: d\r\n\r\n", {{"A", " b"}}, 6},
        HeaderCase{"WordWithoutAColonAtTheEnd", "A: b\r\nno", {{"A", " b"}}, 6},
        HeaderCase{"EnvelopeLineOfAnMbox", "From a@b Sun Nov 22 01:37:22 2026\nA: b\n\n", {}, 0},
        HeaderCase{"NameOfTwoWords", "A B: c\r\n\r\n", {}, 0}, HeaderCase{"NameWith8Bit", "\xc3\xa4: c\r\n\r\n", {}, 0},
        HeaderCase{"NameWithNul", "A\0B: c\r\n\r\n"s, {}, 0}, HeaderCase{"ValueWithNul", "A: b\0c\r\n\r\n"s, {{"A", " b\0c"s}}, 10},
        HeaderCase{"FoldFirst", " folded\r\nA: b\r\n\r\n", {}, 0}, HeaderCase{"DotLine", "A: b\r\n.\r\n", {{"A", " b"}}, 6}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(ParseHeader, FindsNamesInAnyCase) {
    const auto header = parse_header("To: a\r\nto: b\r\nTOO: c\r\n\r\n");
    ASSERT_NE(header.find("TO"), nullptr);
    EXPECT_EQ(header.find("TO")->value, " a");
    EXPECT_EQ(header.count("tO"), 2U);
    EXPECT_EQ(header.count("T"), 0U);
    EXPECT_EQ(header.find("Subject"), nullptr);
}

TEST(ParseHeader, KeepsViewsFromNameToValueIntoTheMessage) {
    const std::string message = "A \t: b\r\n c\r\n\r\n";
    const auto header = parse_header(message);
    ASSERT_EQ(header.fields.size(), 1U);
    const auto& [name, value] = header.fields[0];
    EXPECT_EQ(std::string_view(name.data(), value.data() + value.size()), "A \t: b\r\n c") << "signatures need the field as it stands";
}

TEST(ParseHeader, TakesManyFieldsAndLongOnes) {
    std::string message;
    for (int i = 0; i < 10'000; ++i) message += "X-Field: value\r\n";
    message += "Long:";
    for (int i = 0; i < 100'000; ++i) message += "\r\n folded";
    message += "\r\nOne: " + std::string(1'000'000, 'x') + "\r\n\r\n";
    const auto header = parse_header(message);
    EXPECT_EQ(header.fields.size(), 10'002U);
    EXPECT_EQ(header.size, message.size());
}

struct UnfoldCase {
    std::string value;
    std::string text;
};

TEST(Unfold, MakesOneLineOfMany) {
    const UnfoldCase cases[] = {
        {"", ""},
        {" ", ""},
        {"\r\n ", ""},
        {" a", "a"},
        {" a \t", "a"},
        {"a\r\n b", "a b"},
        {"a \r\n\t b", "a b"},
        {"a\n b", "a b"},
        {"a\r\n \r\n b", "a b"},
        {"a  b", "a  b"},
        {"a\tb", "a\tb"},
        {"a\rb", "a b"},
        {"a\nBcc: x", "a Bcc: x"},
        {"a\r\n", "a"},
        {"a\0b"s, "a\0b"s},
    };
    for (const auto& [value, text] : cases) EXPECT_EQ(unfold(value), text) << testing::PrintToString(value);
}

}  // namespace
}  // namespace thurn::mail
