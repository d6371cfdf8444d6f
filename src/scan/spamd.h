#pragma once

#include "base/result.h"
#include "scan/verdict.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace thurn::scan {

// SpamAssassin's daemon, asked for score and names of rules (SYMBOLS of the SPAMC protocol 1.5, spamd/PROTOCOL of its source).

inline constexpr std::size_t kMostOfSpamdReply = std::size_t{64} << 10;

/// What stands before the message.
[[nodiscard]] std::string render_spamd_request(std::uint64_t message_octets);

/// Reads a reply such as
///
///     SPAMD/1.1 0 EX_OK
///     Content-length: 20
///     Spam: True ; 1000.0 / 5.0
///
///     GTUBE,NO_RECEIVED
///
/// Shape    Nothing: it is not whole yet. Without Content-length it ends with the connection: `ended`.
/// Limits   100 rules; more are left out. A score is finite.
/// Errors   `peer_gone`: it said nothing. `refused`: it could not look, and why. `syntax`: that is no reply of spamd's, or one longer than kMostOfSpamdReply.
enum class Connection : std::uint8_t { open, ended };
[[nodiscard]] base::Result<std::optional<SpamVerdict>> parse_spamd_reply(std::string_view octets, Connection connection);

}  // namespace thurn::scan
