#include "base/xtext.h"

#include "base/ascii.h"
#include "base/utf8.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>

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

namespace {

/// QCHAR of RFC 6533 §3.
constexpr bool is_qchar(char c) { return is_xchar(c) && c != '\\'; }

/// The character at the front of well-formed UTF-8.
struct Character {
    std::uint32_t value;
    std::size_t length;
};
Character first_character(std::string_view utf8) {
    const auto first = static_cast<unsigned char>(utf8.front());
    const std::size_t length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    std::uint32_t value = length == 1 ? first : first & (0x7FU >> length);
    for (const char c : utf8.substr(1, length - 1)) value = value << 6 | (static_cast<unsigned char>(c) & 0x3FU);
    return {value, length};
}

void append_utf8(std::string& to, std::uint32_t value) {
    const auto put = [&to](std::uint32_t octet) { to.push_back(static_cast<char>(octet)); };
    if (value < 0x80) return put(value);
    if (value < 0x800) {
        put(0xC0 | value >> 6);
    } else {
        if (value < 0x10000) {
            put(0xE0 | value >> 12);
        } else {
            put(0xF0 | value >> 18);
            put(0x80 | (value >> 12 & 0x3F));
        }
        put(0x80 | (value >> 6 & 0x3F));
    }
    put(0x80 | (value & 0x3F));
}

/// Whether `\x{…}` may stand for it. Not for what stands for itself, and never for a control character, which would end a header field.
bool needs_embedding(std::uint32_t value) {
    if (value < 0x80) return value >= ' ' && value != 0x7F && !is_qchar(static_cast<char>(value));
    return value <= 0x10FFFF && (value < 0xD800 || value > 0xDFFF);
}

/// `\x{HEX}` at the front of `text`, taken off it.
Result<std::uint32_t> take_embedded(std::string_view& text) {
    const auto end = text.find('}');
    if (!text.starts_with("\\x{") || end == std::string_view::npos) return fail(ErrorKind::syntax, "'\\' without x{hex digits}");
    const auto digits = text.substr(3, end - 3);
    const bool hex = std::ranges::all_of(digits, [](char c) { return kHexDigits.contains(c); });
    std::uint32_t value = 0;
    if (digits.size() < 2 || digits.size() > 6 || digits.front() == '0' || !hex)
        return fail(ErrorKind::syntax, "'\\x{' without hex digits");
    std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (!needs_embedding(value)) return fail(ErrorKind::syntax, "'\\x{}' of a character that it may not stand for");
    text.remove_prefix(end + 1);
    return value;
}

}  // namespace

std::string encode_utf8_xtext(std::string_view octets) {
    std::string text;
    text.reserve(octets.size());
    while (!octets.empty()) {
        const auto [value, length] = first_character(octets);
        if (value < 0x80 && is_qchar(static_cast<char>(value))) {
            text.push_back(static_cast<char>(value));
        } else {
            char digits[8];
            const auto* end = std::to_chars(std::begin(digits), std::end(digits), value, 16).ptr;
            text.append("\\x{");
            std::transform(std::begin(digits), const_cast<char*>(end), std::back_inserter(text),
                           [](char c) { return c >= 'a' ? static_cast<char>(c & ~0x20) : c; });
            text.push_back('}');
        }
        octets.remove_prefix(std::min(length, octets.size()));
    }
    return text;
}

Result<std::string> decode_utf8_xtext(std::string_view text) {
    if (!is_utf8(text)) return fail(ErrorKind::syntax, "an address that is not UTF-8");
    std::string octets;
    octets.reserve(text.size());
    while (!text.empty()) {
        if (text.front() == '\\') {
            const auto value = take_embedded(text);
            if (!value) return std::unexpected(value.error());
            append_utf8(octets, *value);
        } else {
            if (is_ascii(text.front()) && !is_qchar(text.front())) return fail(ErrorKind::syntax, "an octet outside xtext");
            octets.push_back(text.front());
            text.remove_prefix(1);
        }
    }
    return octets;
}

}  // namespace thurn::base
