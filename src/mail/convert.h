#pragma once

#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace thurn::mail {

/// What the next host takes: `seven_bit` lines of US-ASCII, `eight_bit` lines of any octets but NUL. Lines end with CRLF, hold no other CR
/// or LF, and have 998 octets at most (RFC 5321 §4.5.3.1.6).
enum class Passage : std::uint8_t { seven_bit, eight_bit };

/// The same message in a form that passes (RFC 6152 §3, RFC 3030 §3). Parts that do not are encoded, text as quoted-printable and all
/// else as base64, so that decoding gives the very octets back; parts that do are kept as they stand, with `8bit` or `binary` made the
/// less it can be. Text with neither a type nor MIME-Version is given them, `charset=unknown-8bit` (RFC 1428 §3) where it is not UTF-8.
///
/// Signatures over the body break, DKIM's too: who wants them to last sends 7-bit content (RFC 6376 §5.3). What is in a multipart/signed
/// is another matter, for readers show it as tampered with: it is never changed.
///
/// Errors   `invalid`: a header, or what lies between the parts, does not pass; a part of multipart/signed does not; a part that says it
///          is encoded already, by a word nobody knows, or that must not be (message/partial, message/external-body: RFC 2046 §5.2).
///          `syntax`, `too_long`: as parse_mime() has them.
/// Source   RFC 2045 §6.
[[nodiscard]] base::Result<std::string> convert(std::string_view message, Passage passage);

}  // namespace thurn::mail
