#include "script/counted_library.h"

#include "script/counted_strings.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <string_view>

#include <lauxlib.h>
#include <lua.h>

namespace thurn::script {

namespace {

// The cost of a call in steps, by its arguments. Those that are wrong cost nothing: Lua's own function, called next, says what is wrong.
using Cost = std::uint64_t (*)(lua_State* lua);

constexpr std::uint64_t kStepsOfAnElement = 10;
constexpr auto kTooMuch = std::numeric_limits<std::uint64_t>::max();

std::uint64_t elements(std::uint64_t count) { return count > kTooMuch / kStepsOfAnElement ? kTooMuch : count * kStepsOfAnElement; }

/// From one index to another, both included.
std::uint64_t span(lua_Integer first, lua_Integer last) {
    if (first > last) return 0;
    return static_cast<std::uint64_t>(last) - static_cast<std::uint64_t>(first) + 1;
}

lua_Integer integer_or(lua_State* lua, int index, lua_Integer other) {
    int is_integer = 0;
    const auto value = lua_tointegerx(lua, index, &is_integer);
    return is_integer != 0 ? value : other;
}

/// As Lua counts it, `__len` and all.
lua_Integer length_of(lua_State* lua) {
    if (lua_type(lua, 1) != LUA_TTABLE) return 0;
    return luaL_len(lua, 1);
}

std::uint64_t moved_by_insert(lua_State* lua) {
    if (lua_gettop(lua) < 3) return 0;  // at the end
    return elements(span(integer_or(lua, 2, std::numeric_limits<lua_Integer>::max()), length_of(lua)));
}

std::uint64_t moved_by_remove(lua_State* lua) {
    if (lua_gettop(lua) < 2) return 0;
    return elements(span(integer_or(lua, 2, std::numeric_limits<lua_Integer>::max()), length_of(lua)));
}

std::uint64_t moved_by_move(lua_State* lua) { return elements(span(integer_or(lua, 2, 1), integer_or(lua, 3, 0))); }

std::uint64_t joined_by_concat(lua_State* lua) {
    return elements(span(integer_or(lua, 3, 1), lua_isnoneornil(lua, 4) ? length_of(lua) : integer_or(lua, 4, 0)));
}

std::uint64_t compared_by_sort(lua_State* lua) {
    const auto size = length_of(lua);
    if (size <= 1 || size >= std::numeric_limits<int>::max()) return 0;  // Lua refuses more
    const auto count = static_cast<std::uint64_t>(size);
    return elements(count * static_cast<std::uint64_t>(std::bit_width(count)));
}

std::uint64_t given_by_unpack(lua_State* lua) {
    constexpr std::uint64_t kMostResults = 1'000'000;  // LUAI_MAXSTACK: more are refused at once
    const auto count = span(integer_or(lua, 2, 1), lua_isnoneornil(lua, 3) ? length_of(lua) : integer_or(lua, 3, 0));
    return count >= kMostResults ? 0 : elements(count);
}

std::uint64_t arguments(lua_State* lua) { return elements(static_cast<std::uint64_t>(lua_gettop(lua))); }

std::uint64_t octets(lua_State* lua, int index) { return lua_type(lua, index) == LUA_TSTRING ? lua_rawlen(lua, index) : 0; }

std::uint64_t octets_of_first(lua_State* lua) { return octets(lua, 1); }

std::uint64_t octets_of_all(lua_State* lua) {
    std::uint64_t all = 0;
    for (int index = lua_gettop(lua); index > 0; --index) all += 1 + octets(lua, index);
    return all;
}

/// Copies, of nothing too; what they hold counts as memory.
std::uint64_t copied_by_rep(lua_State* lua) { return span(1, integer_or(lua, 2, 0)); }

/// A place in a text, from 1, where negative ones count from its end.
std::uint64_t octets_between(lua_State* lua, lua_Integer first, lua_Integer last) {
    const auto size = static_cast<lua_Integer>(octets(lua, 1));
    if (first < 0) first = first < -size ? 1 : size + first + 1;
    if (last < 0) last = last < -size ? 0 : size + last + 1;
    return span(std::max<lua_Integer>(first, 1), std::min(last, size));
}

std::uint64_t octets_given(lua_State* lua) {
    const auto first = integer_or(lua, 2, 1);
    return octets_between(lua, first, integer_or(lua, 3, first));
}

std::uint64_t octets_cut_out(lua_State* lua) { return octets_between(lua, integer_or(lua, 2, 1), integer_or(lua, 3, -1)); }

/// `z` looks for the end of a text, which may be far.
std::uint64_t octets_unpacked(lua_State* lua) {
    std::size_t size = 0;
    const auto* format = lua_type(lua, 1) == LUA_TSTRING ? lua_tolstring(lua, 1, &size) : "";
    const bool searches = std::string_view(format, size).find('z') != std::string_view::npos;
    return size + (searches ? octets(lua, 2) : 0);
}

struct Counted {
    const char* library;
    const char* name;
    lua_CFunction function;
};

template <Cost cost>
int count_and_call(lua_State* lua) {
    spend(lua, cost(lua));
    return call_original(lua);
}

constexpr Counted kCounted[] = {
    {"_G", "select", count_and_call<arguments>},          {"_G", "tonumber", count_and_call<octets_of_first>},
    {"string", "byte", count_and_call<octets_given>},     {"string", "char", count_and_call<arguments>},
    {"string", "format", count_and_call<octets_of_all>},  {"string", "lower", count_and_call<octets_of_first>},
    {"string", "pack", count_and_call<octets_of_all>},    {"string", "packsize", count_and_call<octets_of_first>},
    {"string", "rep", count_and_call<copied_by_rep>},     {"string", "reverse", count_and_call<octets_of_first>},
    {"string", "sub", count_and_call<octets_cut_out>},    {"string", "unpack", count_and_call<octets_unpacked>},
    {"string", "upper", count_and_call<octets_of_first>}, {"table", "concat", count_and_call<joined_by_concat>},
    {"table", "insert", count_and_call<moved_by_insert>}, {"table", "move", count_and_call<moved_by_move>},
    {"table", "pack", count_and_call<arguments>},         {"table", "remove", count_and_call<moved_by_remove>},
    {"table", "sort", count_and_call<compared_by_sort>},  {"table", "unpack", count_and_call<given_by_unpack>},
    {"utf8", "char", count_and_call<arguments>},          {"utf8", "codepoint", count_and_call<octets_given>},
    {"utf8", "codes", count_and_call<octets_of_first>},   {"utf8", "len", count_and_call<octets_cut_out>},
    {"utf8", "offset", count_and_call<octets_of_first>},
};

}  // namespace

void add_counted_library(lua_State* lua) {
    for (const auto& [library, name, function] : kCounted) {
        lua_getglobal(lua, library);
        lua_getfield(lua, -1, name);
        lua_pushcclosure(lua, function, 1);
        lua_setfield(lua, -2, name);
        lua_pop(lua, 1);
    }
}

}  // namespace thurn::script
