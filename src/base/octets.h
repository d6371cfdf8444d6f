#pragma once

#include "base/result.h"

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace thurn::base {

/// A size in octets; never a count of anything else.
struct Octets {
    std::uint64_t count = 0;
    friend auto operator<=>(Octets, Octets) = default;
};

[[nodiscard]] constexpr Octets kibibytes(std::uint64_t n) { return {n << 10}; }
[[nodiscard]] constexpr Octets mebibytes(std::uint64_t n) { return {n << 20}; }

/// Reads `123`, `64KiB`, `50MiB`, `2GiB`; without a unit, octets.
/// Errors   `syntax`: not a number with one of these units. `too_long`: over 2^63.
[[nodiscard]] Result<Octets> parse_octets(std::string_view text);
/// The largest unit that divides the size, as parse_octets() reads it.
[[nodiscard]] std::string render_octets(Octets octets);

}  // namespace thurn::base
