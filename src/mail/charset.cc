#include "mail/charset.h"

#include "base/ascii.h"
#include "mail/transfer_decoder.h"

#include <algorithm>
#include <array>
#include <optional>

namespace thurn::mail {
namespace {

void append_code_point(char32_t point, std::string& into) {
    if (point < 0x80) {
        into += static_cast<char>(point);
    } else if (point < 0x800) {
        into += static_cast<char>(0xC0 | (point >> 6));
        into += static_cast<char>(0x80 | (point & 0x3F));
    } else {
        into += static_cast<char>(0xE0 | (point >> 12));
        into += static_cast<char>(0x80 | ((point >> 6) & 0x3F));
        into += static_cast<char>(0x80 | (point & 0x3F));
    }
}

// 0x80 to 0x9F; 0 where there is nothing.
constexpr std::array<char16_t, 32> kWindows1252{0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
                                                0x2039, 0x0152, 0,      0x017D, 0,      0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
                                                0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};

std::string from_western(std::string_view octets) {
    std::string text;
    for (const char c : octets) {
        const auto octet = static_cast<unsigned char>(c);
        const char32_t point = octet >= 0x80 && octet < 0xA0 ? kWindows1252[octet - 0x80] : octet;
        append_code_point(point == 0 && octet != 0 ? U'?' : point, text);
    }
    return text;
}

/// How many octets the character at the front has; 0: it is none (RFC 3629 §4).
std::size_t character_length(std::string_view octets) {
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(octets[i]); };
    const unsigned first = at(0);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xC2 && first < 0xE0   ? 2
                               : first >= 0xE0 && first < 0xF0 ? 3
                               : first >= 0xF0 && first < 0xF5 ? 4
                                                               : 0;
    if (length == 0 || octets.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((at(i) & 0xC0) != 0x80) return 0;
    const unsigned second = at(1);
    const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
    const bool no_character = (first == 0xED && second >= 0xA0) || (first == 0xF4 && second >= 0x90);
    return overlong || no_character ? 0 : length;
}

std::string clean_utf8(std::string_view octets) {
    std::string text;
    while (!octets.empty()) {
        const auto length = character_length(octets);
        text += length == 0 ? std::string_view("?") : octets.substr(0, length);
        octets.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return text;
}

bool is_western(std::string_view charset) {
    constexpr std::array<std::string_view, 5> kWestern{"iso-8859-1", "iso-8859-15", "latin1", "windows-1252", "cp1252"};
    return std::ranges::any_of(kWestern, [&](auto name) { return base::equal_ignoring_case(name, charset); });
}

/// `=?charset*language?B?text?=`
struct Word {
    std::string_view charset;
    std::string octets;
    std::size_t length = 0;
};

constexpr std::size_t kLongestCharset = 64;
constexpr std::size_t kLongestWord =
    1000;  // RFC 2047 §2 has 75; without an end to look for it, a text full of beginnings would take for ever

std::string decode_q(std::string_view text) {
    std::string spaced(text);
    std::ranges::replace(spaced, '_', ' ');  // RFC 2047 §4.2
    return decode_transfer(TransferEncoding::quoted_printable, spaced);
}

std::optional<Word> word_at(std::string_view text) {
    if (!text.starts_with("=?")) return std::nullopt;
    const auto charset_end = text.substr(0, kLongestCharset).find('?', 2);
    if (charset_end == std::string_view::npos || charset_end + 2 >= text.size() || text[charset_end + 2] != '?') return std::nullopt;
    const char how = base::to_lower(text[charset_end + 1]);
    if (how != 'b' && how != 'q') return std::nullopt;
    const auto begin = charset_end + 3;
    const auto end = text.substr(0, begin + kLongestWord).find("?=", begin);
    if (end == std::string_view::npos) return std::nullopt;
    const auto said = text.substr(begin, end - begin);
    const auto charset = text.substr(2, charset_end - 2);
    return Word{.charset = charset.substr(0, charset.find('*')),  // RFC 2231 §5
                .octets = how == 'b' ? decode_transfer(TransferEncoding::base64, said) : decode_q(said),
                .length = end + 2};
}

std::size_t blanks_at(std::string_view text) {
    const auto end = text.find_first_not_of(" \t\r\n");
    return end == std::string_view::npos ? text.size() : end;
}

}  // namespace

std::string to_utf8(std::string_view charset, std::string_view octets) {
    if (is_western(charset)) return from_western(octets);
    if (charset.empty() || base::equal_ignoring_case(charset, "utf-8") || base::equal_ignoring_case(charset, "utf8"))
        return clean_utf8(octets);
    std::string text(octets);
    std::ranges::replace_if(text, [](char c) { return !base::is_ascii(c); }, '?');
    return text;
}

std::string decode_words(std::string_view text) {
    std::string decoded;
    std::string octets;  // of words that follow each other: a character may be cut in two by their ends
    std::string_view charset;
    const auto flush = [&] {
        if (!octets.empty()) decoded += to_utf8(charset, octets);
        octets.clear();
    };
    bool after_word = false;
    while (!text.empty()) {
        const auto blanks = after_word ? blanks_at(text) : 0;  // between two words they are nothing (RFC 2047 §6.2)
        if (const auto word = word_at(text.substr(blanks))) {
            if (!base::equal_ignoring_case(word->charset, charset)) flush();
            charset = word->charset;
            octets += word->octets;
            text.remove_prefix(blanks + word->length);
            after_word = true;
            continue;
        }
        flush();
        after_word = false;
        const auto next = text.find("=?", 1);
        decoded += text.substr(0, next);
        text.remove_prefix(std::min(next, text.size()));
    }
    flush();
    return decoded;
}

}  // namespace thurn::mail
