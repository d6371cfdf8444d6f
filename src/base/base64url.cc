#include "base/base64url.h"

#include "base/base64.h"

#include <algorithm>

namespace thurn::base {

std::string encode_base64url(std::string_view octets) {
    std::string text = encode_base64(octets);
    text.erase(std::min(text.find('='), text.size()));
    std::ranges::replace(text, '+', '-');
    std::ranges::replace(text, '/', '_');
    return text;
}

Result<std::string> decode_base64url(std::string_view text) {
    if (text.find_first_of("+/=") != std::string_view::npos) return fail(ErrorKind::syntax, "not in base64url");
    std::string plain(text);
    std::ranges::replace(plain, '-', '+');
    std::ranges::replace(plain, '_', '/');
    plain.append((4 - plain.size() % 4) % 4, '=');
    return decode_base64(plain);
}

}  // namespace thurn::base
