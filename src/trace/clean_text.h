#pragma once

#include <string>
#include <string_view>

namespace thurn::trace {

/// Replaces control octets in place, from `from` on; the same length, fast: for the way into the journal.
void clean_controls(std::string& text, std::size_t from);
/// For eyes and JSON: also replaces broken UTF-8 and the control characters U+0080 to U+009F, which steer terminals too. Each becomes one
/// `?`.
[[nodiscard]] std::string clean_text(std::string_view text);

}  // namespace thurn::trace
