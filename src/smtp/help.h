#pragma once

#include "smtp/command.h"

#include <array>

namespace thurn::smtp {

/// Which commands are provided here.
using Provided = std::array<bool, kVerbs>;

/// What HELP answers: the syntax of `topic`, or the list of all that is provided where it names no command (RFC 5321 §4.1.1.8).
[[nodiscard]] Reply help(std::string_view topic, const Provided& provided);

}  // namespace thurn::smtp
