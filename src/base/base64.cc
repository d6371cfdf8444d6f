#include "base/base64.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace thurn::base {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint32_t kNoDigit = 0x80000000;  // survives being or-ed with others, so a group needs one test

constexpr auto kDigits = [] {
    std::array<std::uint32_t, 256> digits{};
    digits.fill(kNoDigit);
    for (std::uint32_t i = 0; i < kAlphabet.size(); ++i) digits[static_cast<unsigned char>(kAlphabet[i])] = i;
    return digits;
}();

std::uint32_t digit(char c) { return kDigits[static_cast<unsigned char>(c)]; }
std::uint32_t octet(char c) { return static_cast<unsigned char>(c); }

/// The 24 bits of four digits.
std::uint32_t group_of(char a, char b, char c, char d) { return digit(a) << 18 | digit(b) << 12 | digit(c) << 6 | digit(d); }
bool all_digits(std::string_view group) {
    std::uint32_t bits = 0;
    for (const char c : group) bits |= digit(c);
    return (bits & kNoDigit) == 0;
}

void append_octets(std::string& to, std::uint32_t group, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) to.push_back(static_cast<char>(group >> (16 - 8 * i) & 0xff));
}

void append_digits(std::string& to, std::uint32_t group, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) to.push_back(kAlphabet[group >> (18 - 6 * i) & 0x3f]);
    to.append(4 - count, '=');
}

}  // namespace

std::string encode_base64(std::string_view octets) {
    std::string text;
    text.reserve((octets.size() + 2) / 3 * 4);
    for (; octets.size() >= 3; octets.remove_prefix(3)) {
        append_digits(text, octet(octets[0]) << 16 | octet(octets[1]) << 8 | octet(octets[2]), 4);
    }
    if (octets.size() == 2) append_digits(text, octet(octets[0]) << 16 | octet(octets[1]) << 8, 3);
    if (octets.size() == 1) append_digits(text, octet(octets[0]) << 16, 2);
    return text;
}

Result<std::string> decode_base64(std::string_view text) {
    if (text.size() % 4 != 0) return fail(ErrorKind::syntax, "base64 comes in groups of four");
    std::size_t padding = 0;
    while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
    const std::string_view digits = text.substr(0, text.size() - padding);
    if (!all_digits(digits)) return fail(ErrorKind::syntax, "an octet outside the base64 alphabet");

    std::string octets;
    octets.reserve(text.size() / 4 * 3);
    std::size_t i = 0;
    for (; i + 4 <= digits.size(); i += 4) append_octets(octets, group_of(digits[i], digits[i + 1], digits[i + 2], digits[i + 3]), 3);
    if (padding == 0) return octets;
    // RFC 4648 §3.5: bits beyond the last octet must be zero, else one meaning had several texts.
    const std::uint32_t last = group_of(digits[i], digits[i + 1], padding == 1 ? digits[i + 2] : 'A', 'A');
    if ((last & (padding == 1 ? 0xffU : 0xffffU)) != 0) return fail(ErrorKind::syntax, "unused bits of base64 are not zero");
    append_octets(octets, last, 3 - padding);
    return octets;
}

}  // namespace thurn::base
