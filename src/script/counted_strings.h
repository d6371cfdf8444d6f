#pragma once

#include <cstdint>

struct lua_State;

namespace thurn::script {

/// Puts string.find, match, gmatch and gsub in the place of Lua's own: they behave the same, but what a pattern does with a text counts, ten steps of
/// count_pattern_steps() as one instruction of the run. Two texts of a stranger's choice cannot hold the loop.
/// Precondition: the string library is open. Raises Lua's errors: call it under lua_pcall().
void add_counted_strings(lua_State* lua);

/// What a call from Lua takes, in steps: ten are one instruction of the run.
void spend(lua_State* lua, std::uint64_t steps);
/// Calls Lua's own function, which is the first upvalue, with the arguments as they came.
int call_original(lua_State* lua);

// Of the run that the state belongs to; program.cc has them.
[[nodiscard]] std::uint64_t& instructions_left(lua_State* lua);
/// Raises the error that ends a run, and goes on to raise it.
int out_of_instructions(lua_State* lua);

}  // namespace thurn::script
