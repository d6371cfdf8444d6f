#pragma once

#include "base/octets.h"
#include "base/result.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace thurn::report {

struct UnpackLimits {
    base::Octets size = base::mebibytes(64);  // of what comes out: a few hundred octets can hold as much
    std::size_t entries = 100;                // of a zip archive
};

/// What is in a gzip file or a zip archive, told by the octets, not by a name; anything else is taken as it is. Of an archive, its first
/// file.
/// Limits   Memory and work are linear in what comes out, which is bounded.
/// Errors   `too_long`: see the limits; `corrupt`: cut short, damaged, a checksum that is wrong; `invalid`: an archive without a file, or
///          with a password.
[[nodiscard]] base::Result<std::string> unpack(std::string_view octets, const UnpackLimits& limits = {});

/// A gzip file (RFC 1952), without a name or time in it: the same octets for the same input.
[[nodiscard]] std::string pack_gzip(std::string_view octets);

}  // namespace thurn::report
