#pragma once

#include "base/ascii.h"

#include <array>
#include <cstdint>
#include <string_view>

namespace thurn::mail {

// Octet classes of the address grammar, one table look-up each.

enum class OctetClass : std::uint8_t {
    atext = 1,       // RFC 5322 §3.2.3
    qtext = 2,       // qtextSMTP of RFC 5321 §4.1.2: printable, but no '"' and no '\'
    label = 4,       // letters, digits, hyphen, and the underscore that real host names have
    field_name = 8,  // ftext of RFC 5322 §3.6.8
    hex = 16,
};

inline constexpr auto kOctetClasses = [] {
    std::array<std::uint8_t, 256> classes{};
    const auto add = [&](char c, OctetClass which) { classes[static_cast<unsigned char>(c)] |= static_cast<std::uint8_t>(which); };
    for (char c = ' '; c <= '~'; ++c) {
        const bool alphanumeric = base::is_letter(c) || base::is_digit(c);
        if (alphanumeric || std::string_view("!#$%&'*+-/=?^_`{|}~").contains(c)) add(c, OctetClass::atext);
        if (c != '"' && c != '\\') add(c, OctetClass::qtext);
        if (alphanumeric || c == '-' || c == '_') add(c, OctetClass::label);
        if (c != ' ' && c != ':') add(c, OctetClass::field_name);
        if (base::is_digit(c) || (base::to_lower(c) >= 'a' && base::to_lower(c) <= 'f')) add(c, OctetClass::hex);
    }
    return classes;
}();

[[nodiscard]] constexpr bool is(OctetClass which, char c) {
    return (kOctetClasses[static_cast<unsigned char>(c)] & static_cast<std::uint8_t>(which)) != 0;
}

}  // namespace thurn::mail
