#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::mail {

/// `Content-Type:` without what nobody here asks for (RFC 2045 §5.1).
/// Shape  `type` and `subtype` in lower case. `boundary` is empty when it was not given.
struct MediaType {
    std::string type = "text";
    std::string subtype = "plain";
    std::string boundary;
    friend bool operator==(const MediaType&, const MediaType&) = default;
};
/// Comments and quoted strings understood.
/// Errors   `syntax`; also for a boundary that is given twice, or in the pieces of RFC 2231, which few read the same way.
[[nodiscard]] base::Result<MediaType> parse_media_type(std::string_view value);

/// `Content-Transfer-Encoding:` (RFC 2045 §6). Without one it is 7bit.
enum class TransferEncoding : std::uint8_t { seven_bit, eight_bit, binary, quoted_printable, base64, unknown };

/// One entity of a message: the message itself, a body part, or a message within it.
/// Shape    Offsets into the message. The header, with its empty line if it has one, is from `begin` to `body`.
struct MimePart {
    /// `leaf`: holds octets, up to `end`. The others hold parts, which follow this one; what lies between them belongs to nobody.
    enum class Kind : std::uint8_t { leaf, multipart, message } kind = Kind::leaf;
    std::size_t begin = 0;
    std::size_t body = 0;
    std::size_t end = 0;    // of a leaf
    std::size_t depth = 0;  // within how many others it is
    MediaType media;
    bool is_message = false;     // the message, or one within it: a header of its own, not that of a part
    bool typed = false;          // it says its type
    bool version_given = false;  // it says MIME-Version
    bool header_ended = false;   // by an empty line; without one there is no body
    bool within_signed = false;  // of a multipart/signed: nothing of it may change (RFC 1847 §2.1)
    TransferEncoding encoding = TransferEncoding::seven_bit;
    std::size_t encoding_field = 0;  // where the field begins that says so, with all its lines; 0 octets when there is none
    std::size_t encoding_length = 0;
};

struct MimeLimits {
    std::size_t depth = 50;
    std::size_t parts = 5000;
};

/// The parts of a message in the order they stand (RFC 2045, RFC 2046 §5.1); the first is the message itself.
///
/// Only what every reader takes apart the same way is taken apart here, as this is for who wants to change it: a header with a line that
/// is no field, a field of MIME given twice, a multipart without a boundary, a boundary that stands behind a bare CR or LF, or with
/// something behind it, are errors. A multipart that never ends is none.
///
/// Limits   Linear in the length, times the depth for lines that begin with `--`. No recursion.
/// Errors   `syntax`; `too_long`: more parts, or deeper, than the limits.
[[nodiscard]] base::Result<std::vector<MimePart>> parse_mime(std::string_view message, const MimeLimits& limits = {});

}  // namespace thurn::mail
