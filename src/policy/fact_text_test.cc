#include "policy/fact_text.h"

#include <limits>

#include <gtest/gtest.h>

namespace thurn::policy {
namespace {

struct Written {
    FactValue value;
    const char* text;
};

TEST(FactText, IsReadAsItWasWritten) {
    const Written all[] = {{true, "x = true"},
                           {false, "x = false"},
                           {4.0, "x = 4"},
                           {-2.5, "x = -2.5"},
                           {1e300, "x = 1e+300"},
                           {std::string(), R"(x = "")"},
                           {std::string("a = \"b\" \\ c\xc3\xa9"), "x = \"a = \\\"b\\\" \\\\ c\xc3\xa9\""},
                           {Texts{}, "x = []"},
                           {Texts{"a", "b, c"}, R"(x = ["a", "b, c"])"},
                           {Unavailable{"no \"answer\""}, R"(x = {"unavailable": "no \"answer\""})"}};
    for (const auto& [value, text] : all) {
        EXPECT_EQ(write_fact("x", value), text);
        const auto read = read_fact(text);
        ASSERT_TRUE(read) << text << ": " << read.error().detail;
        EXPECT_EQ(read->first, "x");
        EXPECT_EQ(read->second, value) << text;
    }
}

TEST(FactText, IsOfOneLineAndBounded) {
    EXPECT_EQ(write_fact("x", std::string("a\r\nb\0c\x7f", 6)), R"(x = "a??b?c")");
    EXPECT_EQ(write_fact("x", std::string(9000, 'a')).size(), 506U);
    const auto many = read_fact(write_fact("x", Texts(1000, "a")));
    ASSERT_TRUE(many);
    EXPECT_EQ(std::get<Texts>(many->second).size(), 64U);
    EXPECT_TRUE(read_fact(write_fact("x", std::string(9000, '\xc3')))) << "cut within a character";
}

TEST(FactText, TakesNothingElse) {
    for (const auto* text : {"", "x", "x =", "x = ", " = true", "x = yes", "x = null", "x = [1]", "x = [[]]", "x = {}",
                             R"(x = {"unavailable": 1})", "x = true false", R"(x = "a)"})
        EXPECT_FALSE(read_fact(text)) << text;
}

}  // namespace
}  // namespace thurn::policy
