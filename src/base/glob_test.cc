#include "base/glob.h"

#include <string>

#include <gtest/gtest.h>

namespace thurn::base {
namespace {

struct GlobCase {
    const char* pattern;
    const char* text;
    bool matches;
};
class GlobTest : public testing::TestWithParam<GlobCase> {};
TEST_P(GlobTest, Matches) { EXPECT_EQ(matches_glob(GetParam().pattern, GetParam().text), GetParam().matches); }
INSTANTIATE_TEST_SUITE_P(Patterns, GlobTest,
                         testing::Values(GlobCase{"", "", true}, GlobCase{"", "a", false}, GlobCase{"*", "", true},
                                         GlobCase{"*", "anything@x", true}, GlobCase{"?", "", false}, GlobCase{"?", "a", true},
                                         GlobCase{"a?c", "abc", true}, GlobCase{"a?c", "ac", false},
                                         GlobCase{"*.example", "a.EXAMPLE", true}, GlobCase{"*.example", "example", false},
                                         GlobCase{"A*@b.example", "anna@B.example", true}, GlobCase{"*a*b*", "xxaxxbxx", true},
                                         GlobCase{"*a*b*", "xxbxxaxx", false}, GlobCase{"*ab", "aab", true}, GlobCase{"*aab", "aaab", true},
                                         GlobCase{"a**b", "ab", true}, GlobCase{"a*b*c", "abcbc", true}, GlobCase{"a*b*c", "abcb", false},
                                         GlobCase{"[a]", "[a]", true}, GlobCase{"a.c", "abc", false}));

// The obvious way, exponential at worst, against the fast one.
bool obvious_glob(std::string_view pattern, std::string_view text) {
    if (pattern.empty()) return text.empty();
    if (pattern.front() == '*') return obvious_glob(pattern.substr(1), text) || (!text.empty() && obvious_glob(pattern, text.substr(1)));
    if (text.empty()) return false;
    return (pattern.front() == '?' || pattern.front() == text.front()) && obvious_glob(pattern.substr(1), text.substr(1));
}

TEST(Glob, AgreesWithTheObviousWay) {
    unsigned state = 1;
    const auto dice = [&](unsigned sides) { return ((state = state * 1664525u + 1013904223u) >> 16) % sides; };
    for (int round = 0; round < 20000; ++round) {
        std::string pattern, text;
        for (unsigned i = dice(8); i > 0; --i) pattern += "ab*?"[dice(4) % 4];
        for (unsigned i = dice(8); i > 0; --i) text += "ab"[dice(2) % 2];
        EXPECT_EQ(matches_glob(pattern, text), obvious_glob(pattern, text)) << pattern << " " << text;
    }
}

TEST(Glob, DoesNotExplode) {
    std::string pattern;
    for (int i = 0; i < 100; ++i) pattern += "*a";
    EXPECT_FALSE(matches_glob(pattern + "*b", std::string(20000, 'a')));
}

}  // namespace
}  // namespace thurn::base
