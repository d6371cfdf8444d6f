#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace thurn::base {

/// RFC 4648 §4, without line breaks.
[[nodiscard]] std::string encode_base64(std::string_view octets);
/// Strict: the alphabet, the padding and the unused bits must be as RFC 4648 §4 has them.
/// Errors   `syntax`.
[[nodiscard]] Result<std::string> decode_base64(std::string_view text);

}  // namespace thurn::base
