#include "delivery/failure.h"

#include <gtest/gtest.h>

namespace thurn::delivery {
namespace {

struct StatusCase {
    const char* name;
    const char* status;
    std::optional<int> code;
    const char* enhanced;
};
class SplitStatusTest : public testing::TestWithParam<StatusCase> {};

TEST_P(SplitStatusTest, GivesWhatIsThere) {
    const auto parts = split_status(GetParam().status);
    EXPECT_EQ(parts.code, GetParam().code);
    EXPECT_EQ(parts.enhanced, GetParam().enhanced);
}

INSTANTIATE_TEST_SUITE_P(Statuses, SplitStatusTest,
                         testing::Values(StatusCase{"Both", "550 5.1.1 no such user", 550, "5.1.1"},
                                         StatusCase{"NoText", "250 2.0.0", 250, "2.0.0"},
                                         StatusCase{"NoEnhanced", "451 try later", 451, ""}, StatusCase{"CodeAlone", "250", 250, ""},
                                         StatusCase{"ThreeDigits", "421 4.123.456 x", 421, "4.123.456"},
                                         StatusCase{"Words", "discarded by route 1", {}, ""}, StatusCase{"Empty", "", {}, ""},
                                         StatusCase{"LongNumber", "2500 2.0.0", {}, ""}, StatusCase{"Space", " 250", {}, ""}),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace thurn::delivery
