#pragma once

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::mailauth {

/// A secret that rewritten senders are signed with, and when it was made, where that is known.
struct SrsSecret {
    std::string secret;
    std::optional<base::Time> made{};
    friend bool operator==(const SrsSecret&, const SrsSecret&) = default;
};

/// The secrets of a file, a line each: the secret and, after a space, the time. The first writes, all are read (see Srs). Lines that begin
/// with `#` are comments. A secret that an administrator put there without a time stays until it is taken out by hand.
///
/// Limits   A secret is one word of 16 to 512 visible octets.
/// Errors   `corrupt`, with the line's number and never its text.
[[nodiscard]] base::Result<std::vector<SrsSecret>> parse_srs_secrets(std::string_view text);
[[nodiscard]] std::string render_srs_secrets(const std::vector<SrsSecret>& secrets);

/// Of 256 bits.
[[nodiscard]] SrsSecret make_srs_secret(base::Random& random, base::Time now);
/// Those that an address in use can be signed with: a secret wrote until the next one was made, and what it wrote holds for `lifetime`. A
/// day more is given, as addresses tell days only.
[[nodiscard]] std::vector<SrsSecret> useful_secrets(const std::vector<SrsSecret>& secrets, base::Time now, std::chrono::days lifetime);

}  // namespace thurn::mailauth
