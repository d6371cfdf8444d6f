#pragma once

struct lua_State;

namespace thurn::script {

/// Puts those functions of Lua's in the place of themselves that loop over a text or a table within one instruction: the elements of a
/// table that they move, compare or read count as an instruction each, ten octets of a text as one. So a run's limit says how long it can
/// hold the loop. string.find, match, gmatch and gsub: see add_counted_strings().
/// Precondition: the libraries are open. Raises Lua's errors: call it under lua_pcall().
void add_counted_library(lua_State* lua);

}  // namespace thurn::script
