// The search whose steps are counted finds what Lua's own does, and refuses what that refuses.
#include "require.h"
#include "script/pattern_cost.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

namespace {

struct CloseLua {
    void operator()(lua_State* lua) const { lua_close(lua); }
};

lua_Integer gsub(std::string_view text, std::string_view pattern) {
    const std::unique_ptr<lua_State, CloseLua> lua(luaL_newstate());
    luaL_requiref(lua.get(), LUA_STRLIBNAME, luaopen_string, 1);
    lua_getfield(lua.get(), -1, "gsub");
    lua_pushlstring(lua.get(), text.data(), text.size());
    lua_pushlstring(lua.get(), pattern.data(), pattern.size());
    lua_pushliteral(lua.get(), "");
    return lua_pcall(lua.get(), 3, 2, 0) == LUA_OK ? lua_tointeger(lua.get(), -1) : -1;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 500));
    const auto cut = input.find('\n');
    const auto pattern = input.substr(0, cut);
    const auto text = cut == std::string_view::npos ? std::string_view() : input.substr(cut + 1);
    const auto cost = thurn::script::count_pattern_steps({.text = text, .pattern = pattern}, 100'000);
    if (cost.over) return 0;
    const auto found = *cost.wrong != '\0' ? -1 : static_cast<lua_Integer>(cost.matches);
    thurn::fuzz::require(found == gsub(text, pattern), "what is found is what Lua finds");
    return 0;
}
