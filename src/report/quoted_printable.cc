#include "report/quoted_printable.h"

namespace thurn::report {
namespace {

constexpr std::size_t kMaxLine = 76;  // RFC 2045 §6.7 rule 5
constexpr std::string_view kHex = "0123456789ABCDEF";

constexpr bool is_plain(char c) { return c >= 0x20 && c < 0x7f && c != '='; }

/// One line, without its end. White space at the end of a line is encoded: some strip it (RFC 2045 §6.7 rule 3).
void append_line(std::string& out, std::string_view line) {
    std::size_t start = out.size();
    for (std::size_t i = 0; i < line.size(); ++i) {
        const bool last = i + 1 == line.size();
        const bool plain = (is_plain(line[i]) || line[i] == '\t') && !(last && (line[i] == ' ' || line[i] == '\t'));
        const std::size_t needed = (plain ? 1U : 3U) + (last ? 0U : 1U);  // and a soft line break may follow
        if (out.size() - start + needed > kMaxLine) {
            out += "=\r\n";
            start = out.size();
        }
        if (plain) {
            out += line[i];
        } else {
            const auto octet = static_cast<unsigned char>(line[i]);
            out += '=';
            out += kHex[octet >> 4];
            out += kHex[octet & 0xf];
        }
    }
    out += "\r\n";
}

}  // namespace

std::string encode_quoted_printable(std::string_view text) {
    std::string out;
    out.reserve(text.size() + text.size() / 16);
    while (!text.empty()) {
        const std::size_t end = text.find("\r\n");
        append_line(out, text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
    }
    return out;
}

}  // namespace thurn::report
