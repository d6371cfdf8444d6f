#include "trace/clean_text.h"

#include "base/utf8.h"

#include <algorithm>

namespace thurn::trace {
namespace {

constexpr char kReplacement = '?';

constexpr bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
constexpr bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }

std::size_t sequence_length(char lead) {
    const auto octet = static_cast<unsigned char>(lead);
    if (octet >= 0xf0) return 4;
    return octet >= 0xe0 ? 3 : 2;
}

/// The well-formed UTF-8 character at the front that may be shown, or nothing.
std::string_view take_character(std::string_view text) {
    const std::string_view character = text.substr(0, sequence_length(text.front()));
    const bool is_c1 = character.size() == 2 && character[0] == '\xc2' && static_cast<unsigned char>(character[1]) < 0xa0;
    return base::is_utf8(character) && !is_c1 ? character : std::string_view{};
}

}  // namespace

void clean_controls(std::string& text, std::size_t from) {
    for (std::size_t i = from; i < text.size(); ++i) {
        if (is_control(text[i])) text[i] = kReplacement;
    }
}

std::string clean_text(std::string_view text) {
    std::string clean;
    clean.reserve(text.size());
    while (!text.empty()) {
        const std::string_view character = is_ascii(text.front()) ? text.substr(0, 1) : take_character(text);
        if (character.empty() || is_control(character.front()))
            clean += kReplacement;
        else
            clean += character;
        text.remove_prefix(std::max<std::size_t>(character.size(), 1));
    }
    return clean;
}

}  // namespace thurn::trace
