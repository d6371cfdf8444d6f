#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

namespace thurn::script {

/// A search for a pattern of Lua's, as string.find, match, gmatch and gsub make it.
struct PatternSearch {
    enum class Caret : std::uint8_t { anchors, is_itself };  // gmatch takes a `^` at the front for itself
    std::string_view text;
    std::size_t from = 0;  // where in the text it begins; not behind its end
    std::string_view pattern;
    Caret caret = Caret::anchors;
    std::uint64_t most_matches = std::numeric_limits<std::uint64_t>::max();  // it ends with so many
};

/// What it takes.
struct PatternCost {
    std::uint64_t steps = 0;
    std::uint64_t matches = 0;
    bool over = false;       // it would take more steps than it may
    const char* wrong = "";  // why Lua refuses the pattern; empty: it does not
};

/// Counts the steps of Lua's matcher, which backtracks: of `(.-)(.-)x` it takes some n³ on a text of n octets without an x. Lua calls all of that
/// one instruction, and cannot be stopped in it; so the same search is made here first, and by Lua only when it does not take too long.
///
/// A step   An octet looked at, or one of the pattern's: some nanoseconds.
/// Source   Lua 5.4 Reference Manual §6.4.1; the order of attempts is that of its lstrlib.c.
/// Threads  Any.
[[nodiscard]] PatternCost count_pattern_steps(const PatternSearch& search, std::uint64_t most);

}  // namespace thurn::script
