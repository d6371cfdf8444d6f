#pragma once

#include "base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace thurn::route {

/// A host in its normal form, or an address; and a port where one was given.
struct Place {
    std::string host;
    std::optional<std::uint16_t> port;
};

/// Reads `host`, `host:port`, `[address]` and `[address]:port`; a `/` at the end is passed over.
/// Errors   `syntax`, saying what is wrong.
[[nodiscard]] base::Result<Place> parse_place(std::string_view text);

}  // namespace thurn::route
