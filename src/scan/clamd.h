#pragma once

#include "base/result.h"
#include "scan/verdict.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace thurn::scan {

// ClamAV's daemon, asked about octets that are handed to it over the connection (INSTREAM, clamd(8)): the command, the content in chunks,
// an end; then it says one line, ended by NUL as the command was, and closes.

inline constexpr std::string_view kClamdCommand{"zINSTREAM\0", 10};
inline constexpr std::string_view kClamdEnd{"\0\0\0\0", 4};
inline constexpr std::size_t kMostOfClamdReply = 4096;

/// What stands before a chunk: its length. Precondition: not 0, which is the end.
[[nodiscard]] std::array<char, 4> clamd_chunk_head(std::uint32_t octets);

/// Reads `stream: OK`, `stream: Some.Name FOUND`. Nothing: the line is not whole yet.
/// Errors   `too_long`: it takes no messages of that size (StreamMaxLength). `refused`: it could not look, and why. `syntax`: that is no
///          reply of clamd's, or one longer than kMostOfClamdReply.
[[nodiscard]] base::Result<std::optional<VirusVerdict>> parse_clamd_reply(std::string_view octets);

}  // namespace thurn::scan
