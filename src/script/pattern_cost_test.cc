#include "script/pattern_cost.h"

#include <cstdint>
#include <memory>
#include <random>
#include <string>

#include <gtest/gtest.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

namespace thurn::script {
namespace {

constexpr std::uint64_t kEnough = 10'000'000;

PatternCost cost_of(std::string_view text, std::string_view pattern, std::uint64_t most = kEnough) {
    return count_pattern_steps({.text = text, .pattern = pattern}, most);
}

TEST(PatternCost, GrowsWithTheTextWhereNothingBacktracks) {
    for (const auto* pattern : {"^%s*(%a+)", "x", "[abc]x", "^(.-)x", "%f[%a]x"}) {
        const auto one = cost_of(std::string(1000, 'a'), pattern).steps;
        const auto ten = cost_of(std::string(10'000, 'a'), pattern).steps;
        EXPECT_LE(ten, 12 * one) << pattern;
        EXPECT_GE(one, 1000U) << pattern;
    }
}

TEST(PatternCost, StopsAtWhatBacktracksWithoutEnd) {
    const std::string text(30'000, 'a');
    for (const auto* pattern : {".-.-.-.-x", "(.*)(.*)x", ".*.*.*x", "a*a*a*a*b", "[a-z]+%a+%w+%d", "^(.-)%1%1(.-)x", "%b()", "(.-)%1x"}) {
        const auto cost = cost_of(text, pattern, 1'000'000);
        EXPECT_LE(cost.steps, 1'040'000U) << pattern;
        EXPECT_EQ(cost.over, std::string_view(pattern) != "%b()") << pattern;
    }
    EXPECT_TRUE(cost_of(std::string(30'000, '('), "%b()", 1'000'000).over);
    EXPECT_TRUE(cost_of(text, std::string(20'000, 'a') + "b", 1'000'000).over) << "long needles";
    EXPECT_TRUE(cost_of(text, "[" + std::string(1000, 'x') + "]", 1'000'000).over) << "long sets";
    std::string optional;
    for (int i = 0; i < 30; ++i) optional += "a?";
    EXPECT_TRUE(cost_of(std::string(30, 'a'), optional + std::string(31, 'a'), 1'000'000).over) << "2^30 ways";
}

TEST(PatternCost, CountsMatches) {
    EXPECT_EQ(cost_of("hello world from Lua", "%a+").matches, 4U);
    EXPECT_EQ(cost_of("abc", "").matches, 4U);
    EXPECT_EQ(cost_of("aaa", "^a").matches, 1U);
    EXPECT_EQ(cost_of("THE (quick) fox", "%((%a+)%)").matches, 1U);
    EXPECT_EQ(count_pattern_steps({.text = "a^a^a", .pattern = "^a", .caret = PatternSearch::Caret::is_itself}, kEnough).matches, 2U);
    EXPECT_EQ(count_pattern_steps({.text = "aaaa", .from = 1, .pattern = "a", .most_matches = 2}, kEnough).matches, 2U);
    EXPECT_EQ(count_pattern_steps({.text = "ab", .from = 1, .pattern = "%f[%a]b"}, kEnough).matches, 0U) << "%f looks before the beginning";
}

struct CloseLua {
    void operator()(lua_State* lua) const { lua_close(lua); }
};

/// Lua's own string.gsub: how often it matches; -1: an error.
lua_Integer gsub(lua_State* lua, const std::string& text, const std::string& pattern) {
    lua_settop(lua, 0);
    lua_getglobal(lua, "string");
    lua_getfield(lua, -1, "gsub");
    lua_pushlstring(lua, text.data(), text.size());
    lua_pushlstring(lua, pattern.data(), pattern.size());
    lua_pushliteral(lua, "");
    return lua_pcall(lua, 3, 2, 0) == LUA_OK ? lua_tointeger(lua, -1) : -1;
}

TEST(PatternCost, FindsWhatLuaFinds) {
    const std::unique_ptr<lua_State, CloseLua> lua(luaL_newstate());
    luaL_requiref(lua.get(), LUA_STRLIBNAME, luaopen_string, 1);
    std::mt19937 random(1);
    const auto draw = [&random](std::string_view from, std::size_t most) {
        std::string text;
        for (auto left = random() % (most + 1); left > 0; --left) text += from[random() % from.size()];
        return text;
    };
    int right = 0, wrong = 0;
    for (int round = 0; round < 50'000; ++round) {
        const auto text = draw(round % 2 ? "ab" : std::string_view("ab1(z)A \0", 9), 12);
        const auto pattern = draw(round % 3 ? "ab.*+-?%()[]^$1a" : "ab.*+-?%()[]^$12fbWszdaA-", 10);
        const auto found = gsub(lua.get(), text, pattern);
        const auto cost = cost_of(text, pattern);
        if (cost.over) continue;
        ASSERT_EQ(*cost.wrong != '\0' ? -1 : static_cast<lua_Integer>(cost.matches), found)
            << "in " << testing::PrintToString(text) << " for " << testing::PrintToString(pattern) << ": " << cost.wrong;
        ++(found < 0 ? wrong : right);
    }
    EXPECT_GT(right, 5000);
    EXPECT_GT(wrong, 5000);
}

TEST(PatternCost, RefusesThePatternsThatLuaRefuses) {
    const std::unique_ptr<lua_State, CloseLua> lua(luaL_newstate());
    luaL_requiref(lua.get(), LUA_STRLIBNAME, luaopen_string, 1);
    std::string parentheses, stars;
    for (int i = 0; i < 33; ++i) parentheses += "()";
    for (int i = 0; i < 250; ++i) stars += "a*";
    for (const auto& pattern : {std::string("%"),    std::string("[a"),
                                std::string("[]"),   std::string("[^]"),
                                std::string("%b"),   std::string("%bx"),
                                std::string("%fa"),  std::string("%f"),
                                std::string("(a"),   std::string("a)"),
                                std::string("%1"),   std::string("(a%1)"),
                                std::string("%0"),   std::string("()%1"),
                                std::string("[%"),   std::string("[a%]"),
                                std::string("[]]"),  std::string("[^]]"),
                                std::string("[a-]"), std::string("[%a-z]"),
                                parentheses,         stars})
        for (const auto* text : {"", "a", "aaa]"})
            EXPECT_EQ(*cost_of(text, pattern).wrong != '\0', gsub(lua.get(), text, pattern) < 0) << '"' << pattern << "\" in " << text;
}

}  // namespace
}  // namespace thurn::script
