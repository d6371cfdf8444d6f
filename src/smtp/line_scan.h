#pragma once

#include <cstddef>
#include <string_view>

namespace thurn::smtp {

/// Whether the octet before a piece of content was the end of a line (or the content begins here).
enum class LinePlace { start, inside };

/// Length of the longest prefix of `text` in which CR and LF occur only as CRLF, no line begins with a dot, and no octet is NUL.
///
/// Shape    A CR at the very end is not part of it: what follows is not known yet.
/// Limits   One pass, 64 octets at a time.
[[nodiscard]] std::size_t regular_prefix(std::string_view text, LinePlace place);

}  // namespace thurn::smtp
