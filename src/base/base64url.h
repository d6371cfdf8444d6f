#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace thurn::base {

/// RFC 4648 §5, without padding: as in web tokens (RFC 7515 §2).
[[nodiscard]] std::string encode_base64url(std::string_view octets);
/// Strict: the alphabet and the unused bits must be right, padding is none.
/// Errors   `syntax`.
[[nodiscard]] Result<std::string> decode_base64url(std::string_view text);

}  // namespace thurn::base
