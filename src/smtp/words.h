#pragma once

#include "base/ascii.h"

#include <algorithm>
#include <string_view>

namespace thurn::smtp {

// How commands are cut into words: spaces and tabs between them, keywords in any case.

[[nodiscard]] constexpr char to_upper(char octet) { return octet >= 'a' && octet <= 'z' ? static_cast<char>(octet - 'a' + 'A') : octet; }

/// `upper` is in upper case.
[[nodiscard]] constexpr bool same_word(std::string_view text, std::string_view upper) {
    return text.size() == upper.size() && std::ranges::equal(text, upper, {}, to_upper);
}

[[nodiscard]] constexpr bool is_blank(char octet) { return octet == ' ' || octet == '\t'; }

[[nodiscard]] constexpr std::string_view trimmed(std::string_view text) {
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
    return text;
}

/// The first word, which is taken off `text`.
[[nodiscard]] constexpr std::string_view take_word(std::string_view& text) {
    text = trimmed(text);
    const auto word = text.substr(0, std::min(text.find_first_of(" \t"), text.size()));
    text.remove_prefix(word.size());
    return word;
}

[[nodiscard]] constexpr bool beyond_ascii(std::string_view text) { return !std::ranges::all_of(text, base::is_ascii); }

}  // namespace thurn::smtp
