#pragma once

#include "report/dsn.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::report {

inline constexpr std::size_t kMaxReportText = 2000;  // of one remote reply, address or reason

/// `Your message could not be delivered`; by the worst that happened to any recipient.
[[nodiscard]] std::string render_subject(const DsnOptions& options);
/// The part for people: who, what happened, what the remote said, what to do.
/// Shape    UTF-8, CRLF line ends, no other control octets; lines of at most 76 octets but for words that are longer.
[[nodiscard]] std::string render_explanation(const DsnOptions& options);

/// The characters of a text; each octet that is no part of well-formed UTF-8 becomes U+FFFD.
[[nodiscard]] std::vector<char32_t> decode_utf8(std::string_view text);

}  // namespace thurn::report
