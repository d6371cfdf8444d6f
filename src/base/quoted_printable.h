#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace thurn::base {

/// Text with CRLF line ends for a MIME body (RFC 2045 §6.7). Decoding gives the very octets back: a CR or LF that is not part of a line end
/// is encoded, and so is white space at the end of a line.
/// Shape    7-bit lines of at most 76 octets. Ends with CRLF where `text` does; nothing is added. No line begins with `-` that did not
///          in `text`, so that no boundary comes into being.
[[nodiscard]] std::string encode_quoted_printable(std::string_view text);
/// Hexadecimal digits in either case; white space at the ends of lines, which was added on the way, is dropped.
/// Errors   `syntax`: `=` and neither two digits nor a line end behind it, or an octet that is not 7-bit.
[[nodiscard]] Result<std::string> decode_quoted_printable(std::string_view text);

}  // namespace thurn::base
