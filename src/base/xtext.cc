#include "base/xtext.h"

#include <cstddef>

namespace thurn::base {
namespace {

constexpr std::string_view kHexDigits = "0123456789ABCDEF";

constexpr bool is_xchar(char c) { return c >= '!' && c <= '~' && c != '+' && c != '='; }

}  // namespace

std::string encode_xtext(std::string_view octets) {
    std::string text;
    text.reserve(octets.size());
    for (const char c : octets) {
        if (is_xchar(c)) {
            text.push_back(c);
            continue;
        }
        const auto octet = static_cast<unsigned char>(c);
        text.push_back('+');
        text.push_back(kHexDigits[octet >> 4]);
        text.push_back(kHexDigits[octet & 15]);
    }
    return text;
}

Result<std::string> decode_xtext(std::string_view text) {
    std::string octets;
    octets.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (is_xchar(text[i])) {
            octets.push_back(text[i]);
            continue;
        }
        if (text[i] != '+') return fail(ErrorKind::syntax, "an octet outside xtext");
        if (text.size() - i < 3) return fail(ErrorKind::syntax, "'+' of xtext without two hex digits");
        const std::size_t high = kHexDigits.find(text[i + 1]);
        const std::size_t low = kHexDigits.find(text[i + 2]);
        if (high == std::string_view::npos || low == std::string_view::npos) {
            return fail(ErrorKind::syntax, "'+' of xtext without two upper-case hex digits");
        }
        octets.push_back(static_cast<char>(high << 4 | low));
        i += 2;
    }
    return octets;
}

}  // namespace thurn::base
