#pragma once

#include <string>
#include <string_view>

namespace thurn::report {

/// Text with CRLF line ends for a MIME body. A stray CR or LF is encoded, so decoding gives back the very octets; and no line of the result
/// can hold a boundary with `=_` in it (RFC 2045 §6.7).
/// Shape    Lines of at most 76 octets; ends with CRLF, which was added when the text did not.
[[nodiscard]] std::string encode_quoted_printable(std::string_view text);

}  // namespace thurn::report
