#include "milter/header.h"

#include <gtest/gtest.h>

namespace thurn::milter {
namespace {

constexpr std::string_view kMessage = "Received: a\r\nX-A:one\r\n  two\r\nreceived : b\r\nSubject: s\r\n\r\nbody: no field\r\n";

TEST(MessageHeader, LeavesAloneWhatNobodyChanges) {
    const MessageHeader header("X-A:one\r\n  two\r\nSubject:  s \r\n\r\nbody: x\r\n");
    ASSERT_EQ(header.fields().size(), 2U);
    EXPECT_EQ(header.fields()[0].value, "one\r\n  two");
    EXPECT_EQ(header.render(), "X-A:one\r\n  two\r\nSubject:  s \r\n");
    EXPECT_EQ(header.read_octets(), header.render().size() + 2);
}

struct ChangeCase {
    const char* name;
    Change change;
    std::string_view result;
};
class HeaderChangeTest : public testing::TestWithParam<ChangeCase> {};

TEST_P(HeaderChangeTest, IsApplied) {
    MessageHeader header("A: 1\r\nB: 2\r\na: 3\r\n\r\n");
    std::visit(
        [&](const auto& change) {
            if constexpr (requires { header.apply(change, LeadingSpace::implied); }) header.apply(change, LeadingSpace::implied);
        },
        GetParam().change);
    EXPECT_EQ(header.render(), GetParam().result);
}

INSTANTIATE_TEST_SUITE_P(Every, HeaderChangeTest,
                         testing::Values(ChangeCase{"Add", AddHeader{"X", "y"}, "A: 1\r\nB: 2\r\na: 3\r\nX: y\r\n"},
                                         ChangeCase{"InsertFirst", InsertHeader{0, "X", "y"}, "X: y\r\nA: 1\r\nB: 2\r\na: 3\r\n"},
                                         ChangeCase{"InsertBehindOurReceived", InsertHeader{1, "X", "y"},
                                                    "X: y\r\nA: 1\r\nB: 2\r\na: 3\r\n"},
                                         ChangeCase{"InsertSecond", InsertHeader{2, "X", "y"}, "A: 1\r\nX: y\r\nB: 2\r\na: 3\r\n"},
                                         ChangeCase{"InsertBeyond", InsertHeader{99, "X", "y"}, "A: 1\r\nB: 2\r\na: 3\r\nX: y\r\n"},
                                         ChangeCase{"ChangeFirst", ChangeHeader{1, "a", "y"}, "A: y\r\nB: 2\r\na: 3\r\n"},
                                         ChangeCase{"ChangeSecondOfItsName", ChangeHeader{2, "A", "y"}, "A: 1\r\nB: 2\r\na: y\r\n"},
                                         ChangeCase{"ChangeWhatIsNotThere", ChangeHeader{3, "A", "y"}, "A: 1\r\nB: 2\r\na: 3\r\nA: y\r\n"},
                                         ChangeCase{"Remove", ChangeHeader{1, "B", ""}, "A: 1\r\na: 3\r\n"},
                                         ChangeCase{"RemoveWhatIsNotThere", ChangeHeader{2, "B", ""}, "A: 1\r\nB: 2\r\na: 3\r\n"}),
                         [](const auto& row) { return std::string(row.param.name); });

struct ValueCase {
    const char* name;
    std::string_view value;
    LeadingSpace space;
    std::string_view field;
};
class HeaderValueTest : public testing::TestWithParam<ValueCase> {};

TEST_P(HeaderValueTest, IsOneFieldWhateverItHolds) {
    MessageHeader header("");
    header.apply(AddHeader{"X", std::string(GetParam().value)}, GetParam().space);
    EXPECT_EQ(header.render(), GetParam().field);
    EXPECT_EQ(MessageHeader(header.render() + "\r\n").fields().size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(Every, HeaderValueTest,
                         testing::Values(ValueCase{"Folded", "a\n\tb", LeadingSpace::implied, "X: a\r\n\tb\r\n"},
                                         ValueCase{"FoldedWithCrLf", "a\r\n b", LeadingSpace::implied, "X: a\r\n b\r\n"},
                                         ValueCase{"GivenSpace", "\ta", LeadingSpace::given, "X:\ta\r\n"},
                                         ValueCase{"InjectedField", "a\r\nBcc: b", LeadingSpace::implied, "X: a\r\n\tBcc: b\r\n"},
                                         ValueCase{"InjectedBody", "a\n\n\nbody", LeadingSpace::implied, "X: a\r\n\tbody\r\n"},
                                         ValueCase{"BlankLines", "a\n \n\t\n b\n", LeadingSpace::implied, "X: a\r\n b\r\n"},
                                         ValueCase{"FoldAtOnce", "\n\ta", LeadingSpace::given, "X:\r\n\ta\r\n"},
                                         ValueCase{"BareCr", "a\rb", LeadingSpace::implied, "X: a\r\n\tb\r\n"},
                                         ValueCase{"ControlOctets", "a\x1b[2Jb", LeadingSpace::implied, "X: a[2Jb\r\n"},
                                         ValueCase{"Utf8", "\xc3\xa4", LeadingSpace::implied, "X: \xc3\xa4\r\n"}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(MessageHeader, CountsNamesInAnyCase) {
    MessageHeader header(kMessage);
    header.apply(ChangeHeader{2, "RECEIVED", "c"}, LeadingSpace::implied);
    EXPECT_EQ(header.fields()[2].value, " c");
}

}  // namespace
}  // namespace thurn::milter
