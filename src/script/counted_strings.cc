#include "script/counted_strings.h"

#include "script/pattern_cost.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <string_view>

#include <lauxlib.h>
#include <lua.h>

namespace thurn::script {

namespace {

using Caret = PatternSearch::Caret;

constexpr std::uint64_t kStepsOfAnInstruction = 10;
constexpr auto kAll = std::numeric_limits<std::uint64_t>::max();

std::string_view check_text(lua_State* lua, int index) {
    std::size_t size = 0;
    const char* text = luaL_checklstring(lua, index, &size);
    return {text, size};
}

/// The argument `init`, from 1, negative from the end: how many octets lie before.
std::size_t check_begin(lua_State* lua, int index, std::size_t size) {
    const auto from = luaL_optinteger(lua, index, 1);
    if (from > 0) return static_cast<std::size_t>(from) - 1;
    if (from == 0 || from < -static_cast<lua_Integer>(size)) return 0;
    return size - static_cast<std::size_t>(-from);
}

void count_search(lua_State* lua, const PatternSearch& search) {
    const auto left = instructions_left(lua);
    const auto cost = count_pattern_steps(search, left > kAll / kStepsOfAnInstruction ? kAll : left * kStepsOfAnInstruction);
    if (*cost.wrong != '\0') luaL_error(lua, "%s", cost.wrong);
    if (cost.over) out_of_instructions(lua);
    spend(lua, cost.steps);
}

/// Lua's own compares at each place anew: a text and a needle of many equal octets take their product.
int find_plain(lua_State* lua, std::string_view text, std::string_view needle, std::size_t from) {
    spend(lua, text.size() - from + needle.size());
    const auto* found = static_cast<const char*>(::memmem(text.data() + from, text.size() - from, needle.data(), needle.size()));
    if (found == nullptr) {
        lua_pushnil(lua);
        return 1;
    }
    const auto place = found - text.data();
    lua_pushinteger(lua, place + 1);
    lua_pushinteger(lua, place + static_cast<lua_Integer>(needle.size()));
    return 2;
}

int call_find(lua_State* lua) {
    const auto text = check_text(lua, 1);
    const auto pattern = check_text(lua, 2);
    const auto from = check_begin(lua, 3, text.size());
    if (from > text.size()) return call_original(lua);  // nil
    const bool plain = lua_toboolean(lua, 4) != 0 || pattern.find_first_of("^$*+?.([%-") == std::string_view::npos;
    if (plain) return find_plain(lua, text, pattern, from);
    count_search(lua, {.text = text, .from = from, .pattern = pattern, .most_matches = 1});
    return call_original(lua);
}

int call_match(lua_State* lua) {
    const auto text = check_text(lua, 1);
    const auto pattern = check_text(lua, 2);
    const auto from = check_begin(lua, 3, text.size());
    if (from <= text.size()) count_search(lua, {.text = text, .from = from, .pattern = pattern, .most_matches = 1});
    return call_original(lua);
}

/// Counts all matches at once, though the script may want fewer.
int call_gmatch(lua_State* lua) {
    const auto text = check_text(lua, 1);
    const auto pattern = check_text(lua, 2);
    const auto from = check_begin(lua, 3, text.size());
    if (from <= text.size()) count_search(lua, {.text = text, .from = from, .pattern = pattern, .caret = Caret::is_itself});
    return call_original(lua);
}

int call_gsub(lua_State* lua) {
    const auto text = check_text(lua, 1);
    const auto pattern = check_text(lua, 2);
    const auto most = luaL_optinteger(lua, 4, std::numeric_limits<lua_Integer>::max());
    count_search(lua, {.text = text, .pattern = pattern, .most_matches = static_cast<std::uint64_t>(std::max<lua_Integer>(0, most))});
    return call_original(lua);
}

constexpr std::array<luaL_Reg, 4> kFunctions{{{"find", call_find}, {"match", call_match}, {"gmatch", call_gmatch}, {"gsub", call_gsub}}};

}  // namespace

void spend(lua_State* lua, std::uint64_t steps) {
    auto& left = instructions_left(lua);
    const auto instructions = steps / kStepsOfAnInstruction;
    if (instructions >= left) out_of_instructions(lua);
    left -= instructions;
}

int call_original(lua_State* lua) {
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_insert(lua, 1);
    lua_call(lua, lua_gettop(lua) - 1, LUA_MULTRET);
    return lua_gettop(lua);
}

void add_counted_strings(lua_State* lua) {
    lua_getglobal(lua, "string");
    for (const auto& [name, function] : kFunctions) {
        lua_getfield(lua, -1, name);
        lua_pushcclosure(lua, function, 1);
        lua_setfield(lua, -2, name);
    }
    lua_pop(lua, 1);
}

}  // namespace thurn::script
