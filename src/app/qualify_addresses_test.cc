#include "app/qualify_addresses.h"

#include <gtest/gtest.h>

namespace thurn::app {
namespace {

struct Case {
    const char* name;
    std::string_view value;
    std::string_view qualified;
};
class QualifyAddressesTest : public testing::TestWithParam<Case> {};

TEST_P(QualifyAddressesTest, CompletesWhatStandsAlone) {
    EXPECT_EQ(qualify_addresses(GetParam().value, "h.example"), GetParam().qualified);
}

INSTANTIATE_TEST_SUITE_P(Values, QualifyAddressesTest,
                         testing::Values(Case{"Alone", " root", " root@h.example"},
                                         Case{"WithAComment", " root (Cron Daemon)", " root@h.example (Cron Daemon)"},
                                         Case{"WithTheSameWordInAComment", " (root) root", " (root) root@h.example"},
                                         Case{"InBrackets", " Root <root>", " Root <root@h.example>"},
                                         Case{"WithItselfAsDisplayName", " root <root>", " root <root@h.example>"},
                                         Case{"Several", " root, a@b.example,\r\n bob", " root@h.example, a@b.example,\r\n bob@h.example"},
                                         Case{"TheSameTwice", " root, root", " root@h.example, root@h.example"},
                                         Case{"PartOfAnother", " rooted, root", " rooted@h.example, root@h.example"},
                                         Case{"InAGroup", " them: root;", " them: root@h.example;"},
                                         Case{"NothingToDo", " A <a@b.example>", " A <a@b.example>"}, Case{"Empty", "", ""},
                                         Case{"Rubbish", " <<root", " <<root"}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(QualifyHeader, ChangesAddressFieldsOnly) {
    std::string message = "From: root (Cron)\r\nSubject: root\r\nTo: bob,\r\n root\r\n\r\nFrom: root\r\n";
    qualify_header(message, "h.example");
    EXPECT_EQ(message, "From: root@h.example (Cron)\r\nSubject: root\r\nTo: bob@h.example,\r\n root@h.example\r\n\r\nFrom: root\r\n");
}

}  // namespace
}  // namespace thurn::app
