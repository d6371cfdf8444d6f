#pragma once

#include <string>
#include <string_view>

namespace thurn::smtp {

/// The lenient mode: what follows `FROM:` or `TO:` as careless programs write it, in the form that the grammar wants (RFC 5321 §4.1.2).
///
/// Mended  `a@b` without brackets gets them. A local part with a dot too many (`a.@b`, `a..b@c`, as some mobile carriers gave out) is
///         quoted, which is the same address.
/// Left    All else, for the parser to judge: nothing is dropped, and nothing guessed where quotes, routes or several `@` leave a choice.
[[nodiscard]] std::string mend_path(std::string_view argument);

}  // namespace thurn::smtp
