#include "mail/status.h"

#include <string>

#include <gtest/gtest.h>

namespace thurn::mail {
namespace {

using namespace std::string_literals;

struct StatusCase {
    std::string text;
    EnhancedStatus status;
};

TEST(LeadingStatus, IsReadAtTheFront) {
    const StatusCase cases[] = {{"2.0.0", {2, 0, 0}},
                                {"5.7.2", {5, 7, 2}},
                                {"5.1.1 no such user", {5, 1, 1}},
                                {"4.999.999 ", {4, 999, 999}},
                                {"2.1.5  two spaces", {2, 1, 5}},
                                {"5.1.01", {5, 1, 1}}};
    for (const auto& [text, status] : cases) EXPECT_EQ(leading_status(text), status) << text;
}

TEST(LeadingStatus, IsNothingElsewhereAndElse) {
    for (const std::string& text :
         {""s,        " "s,       "5"s,      "5."s,       "5.7"s,      "5.7."s,   "5.7.2x"s,   "5.7.2."s,    "5.7.2-"s, "5.7.2\t"s,
          "5.7.2\r"s, "5.7.2\0"s, "5..2"s,   "5.7.1000"s, "5.1000.1"s, "3.0.0"s,  "1.0.0"s,    "0.0.0"s,     "55.7.2"s, "005.7.2"s,
          "5 .7.2"s,  " 5.7.2"s,  "-5.7.2"s, "5.-7.2"s,   "5.+7.2"s,   "5.7. 2"s, "ok 5.7.2"s, "550 5.7.2"s, "5,7,2"s,  "5.7.2\xff"s}) {
        EXPECT_EQ(leading_status(text), std::nullopt) << testing::PrintToString(text);
    }
}

TEST(LeadingStatus, NeverReadsPastItsView) {
    const std::string reply = "550 5.7.29 x";
    EXPECT_EQ(leading_status(std::string_view(reply).substr(4, 5)), (EnhancedStatus{5, 7, 2}));
    EXPECT_EQ(leading_status(std::string_view(reply).substr(4, 4)), std::nullopt);
}

TEST(RenderStatus, IsReadBack) {
    for (const EnhancedStatus status : {EnhancedStatus{2, 0, 0}, {4, 4, 7}, {5, 999, 0}})
        EXPECT_EQ(leading_status(render_status(status)), status);
    EXPECT_EQ(render_status({5, 1, 10}), "5.1.10");
}

}  // namespace
}  // namespace thurn::mail
