#include "base/utf8.h"

#include <string>

#include <gtest/gtest.h>

namespace thurn::base {
namespace {

using namespace std::string_literals;

TEST(Utf8, TakesTheBordersOfEachLength) {
    for (const std::string& text : {""s, "\0"s, "\x7f"s, "\xc2\x80"s, "\xdf\xbf"s, "\xe0\xa0\x80"s, "\xed\x9f\xbf"s, "\xee\x80\x80"s,
                                    "\xef\xbf\xbf"s, "\xf0\x90\x80\x80"s, "\xf4\x8f\xbf\xbf"s, "a\xc3\xa4z"s}) {
        EXPECT_TRUE(is_utf8(text)) << testing::PrintToString(text);
    }
}

TEST(Utf8, RefusesOverlongFormsSurrogatesAndCutSequences) {
    for (const std::string& text : {"\x80"s,
                                    "\xbf"s,
                                    "\xc0\x80"s,
                                    "\xc1\xbf"s,
                                    "\xe0\x80\x80"s,
                                    "\xe0\x9f\xbf"s,
                                    "\xed\xa0\x80"s,
                                    "\xed\xbf\xbf"s,
                                    "\xf0\x80\x80\x80"s,
                                    "\xf0\x8f\xbf\xbf"s,
                                    "\xf4\x90\x80\x80"s,
                                    "\xf5\x80\x80\x80"s,
                                    "\xfe"s,
                                    "\xff"s,
                                    "\xc2"s,
                                    "\xe2\x82"s,
                                    "\xf0\x9f\x98"s,
                                    "\xc2"
                                    "a"s,
                                    "\xe2\x82"
                                    "a"s,
                                    "a\xc3"s,
                                    "\xf8\x88\x80\x80\x80"s}) {
        EXPECT_FALSE(is_utf8(text)) << testing::PrintToString(text);
    }
}

}  // namespace
}  // namespace thurn::base
