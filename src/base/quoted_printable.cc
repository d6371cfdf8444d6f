#include "base/quoted_printable.h"

#include "base/ascii.h"

#include <optional>

namespace thurn::base {
namespace {

constexpr std::size_t kMaxLine = 76;  // RFC 2045 §6.7 rule 5
constexpr std::string_view kHex = "0123456789ABCDEF";

constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }

/// One line, without its end.
void append_line(std::string& out, std::string_view line) {
    std::size_t start = out.size();
    bool continued = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        const bool last = i + 1 == line.size();
        bool plain = (is_printable(c) && c != '=') || c == '\t';
        if (last && is_blank(c)) plain = false;  // some strip it (RFC 2045 §6.7 rule 3)
        // Before a soft line break an octet more is needed.
        const auto fits = [&](std::size_t width) { return out.size() - start + width + (last ? 0U : 1U) <= kMaxLine; };
        if (!fits(plain ? 1U : 3U)) {
            out += "=\r\n";
            start = out.size();
            continued = true;
        }
        if (continued && out.size() == start && c == '-') plain = false;
        if (plain) {
            out += c;
            continue;
        }
        const auto octet = static_cast<unsigned char>(c);
        out += '=';
        out += kHex[octet >> 4];
        out += kHex[octet & 0xf];
    }
}

std::optional<unsigned> hex_value(char c) {
    if (is_digit(c)) return static_cast<unsigned>(c - '0');
    const char lower = to_lower(c);
    if (lower >= 'a' && lower <= 'f') return static_cast<unsigned>(lower - 'a' + 10);
    return std::nullopt;
}

/// Decodes one line without its end. False when it breaks the grammar. `soft`: its end is none of the text's.
bool append_decoded(std::string& out, std::string_view line, bool& soft) {
    while (!line.empty() && is_blank(line.back())) line.remove_suffix(1);
    soft = line.ends_with('=');
    if (soft) line.remove_suffix(1);
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (!is_ascii(line[i])) return false;
        if (line[i] != '=') {
            out += line[i];
            continue;
        }
        if (line.size() - i < 3) return false;
        const auto high = hex_value(line[i + 1]);
        const auto low = hex_value(line[i + 2]);
        if (!high || !low) return false;
        out += static_cast<char>(*high << 4 | *low);
        i += 2;
    }
    return true;
}

}  // namespace

std::string encode_quoted_printable(std::string_view text) {
    std::string out;
    out.reserve(text.size() + text.size() / 8);
    while (!text.empty()) {
        const std::size_t end = text.find("\r\n");
        append_line(out, text.substr(0, end));
        if (end == std::string_view::npos) break;
        out += "\r\n";
        text.remove_prefix(end + 2);
    }
    return out;
}

Result<std::string> decode_quoted_printable(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const std::size_t end = text.find("\r\n");
        bool soft = false;
        if (!append_decoded(out, text.substr(0, end), soft)) return fail(ErrorKind::syntax, "no quoted-printable text");
        if (end == std::string_view::npos) break;
        if (!soft) out += "\r\n";
        text.remove_prefix(end + 2);
    }
    return out;
}

}  // namespace thurn::base
