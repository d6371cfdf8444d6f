#include "mail/address_literal.h"

#include "base/ascii.h"
#include "mail/grammar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace thurn::mail {
namespace {

using base::ErrorKind;
using base::fail;

constexpr std::size_t kGroups = 8;
constexpr std::string_view kIpv6Tag = "IPv6:";

/// Takes a run of `digits` digits at most of that base off the front of `text`.
template <class Number>
std::optional<Number> take_number(std::string_view& text, std::size_t digits, int number_base) {
    const std::string_view window = text.substr(0, digits);
    Number number = 0;
    const auto [end, problem] = std::from_chars(window.data(), window.data() + window.size(), number, number_base);
    if (problem != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - window.data()));
    return number;
}

bool skip(std::string_view& text, std::string_view what) {
    if (!text.starts_with(what)) return false;
    text.remove_prefix(what.size());
    return true;
}

/// IPv4-address-literal of RFC 5321 §4.1.3: four numbers of one to three digits; leading zeros do not make them octal.
std::optional<std::uint32_t> parse_ipv4(std::string_view text) {
    std::uint32_t address = 0;
    for (int i = 0; i < 4; ++i) {
        if (i > 0 && !skip(text, ".")) return std::nullopt;
        const auto number = take_number<std::uint16_t>(text, 3, 10);
        if (!number || *number > 255) return std::nullopt;
        address = address << 8 | *number;
    }
    if (!text.empty()) return std::nullopt;
    return address;
}

/// The groups of an IPv6 address while it is read; where `::` stands is remembered until the count is known.
struct Ipv6Reader {
    std::array<std::uint16_t, kGroups> groups{};
    std::size_t count = 0;
    std::optional<std::size_t> gap;

    bool add(std::uint16_t group) {
        if (count == kGroups) return false;
        groups[count++] = group;
        return true;
    }
    bool mark_gap() {
        if (gap) return false;
        gap = count;
        return true;
    }
    /// RFC 5321 §4.1.3: `::` stands for at least two groups, so at most six are written beside it.
    bool finish() {
        if (!gap) return count == kGroups;
        if (count + 2 > kGroups) return false;
        std::rotate(groups.begin() + static_cast<std::ptrdiff_t>(*gap), groups.begin() + static_cast<std::ptrdiff_t>(count), groups.end());
        return true;
    }
};

/// Reads one group, or the dotted quad that may take the place of the last two.
bool take_group(std::string_view& text, Ipv6Reader& reader) {
    if (text.substr(0, 4).find('.') != std::string_view::npos) {
        const auto address = parse_ipv4(text);
        text = {};
        return address && reader.add(static_cast<std::uint16_t>(*address >> 16)) &&
               reader.add(static_cast<std::uint16_t>(*address & 0xffff));
    }
    const auto group = take_number<std::uint16_t>(text, 4, 16);
    return group && reader.add(*group);
}

std::optional<std::array<std::uint16_t, kGroups>> parse_ipv6(std::string_view text) {
    Ipv6Reader reader;
    if (skip(text, "::")) {
        reader.mark_gap();
    } else if (!take_group(text, reader)) {
        return std::nullopt;
    }
    while (!text.empty()) {
        const bool behind_gap = reader.gap == reader.count;  // `::` is its own separator, and may end the address
        if (!behind_gap && skip(text, "::")) {
            if (!reader.mark_gap()) return std::nullopt;
            continue;
        }
        if (!behind_gap && !skip(text, ":")) return std::nullopt;
        if (!take_group(text, reader)) return std::nullopt;
    }
    if (!reader.finish()) return std::nullopt;
    return reader.groups;
}

struct Run {
    std::size_t begin = 0;
    std::size_t length = 0;
};

/// RFC 5952 §4.2: the longest run of two or more zero groups, the first of equals.
Run longest_zero_run(const std::array<std::uint16_t, kGroups>& groups) {
    Run best{0, 1};
    Run current;
    for (std::size_t i = 0; i < kGroups; ++i) {
        current = groups[i] != 0 ? Run{i + 1, 0} : Run{current.begin, current.length + 1};
        if (current.length > best.length) best = current;
    }
    return best.length >= 2 ? best : Run{kGroups, 0};
}

template <class Number>
void append_number(std::string& to, Number number, int number_base) {
    std::array<char, 8> digits{};
    const auto [end, problem] = std::to_chars(digits.data(), digits.data() + digits.size(), number, number_base);
    to.append(digits.data(), end);
}

std::string render_ipv6(const std::array<std::uint16_t, kGroups>& groups) {
    const Run zeros = longest_zero_run(groups);
    std::string text = "[IPv6:";
    for (std::size_t i = 0; i < kGroups; ++i) {
        if (i == zeros.begin) {
            text += "::";
            i += zeros.length - 1;
            continue;
        }
        if (i != 0 && i != zeros.begin + zeros.length) text += ':';
        append_number(text, groups[i], 16);
    }
    return text += ']';
}

std::string render_ipv4(std::uint32_t address) {
    std::string text = "[";
    for (int shift = 24; shift >= 0; shift -= 8) {
        append_number(text, address >> shift & 0xff, 10);
        text += shift == 0 ? ']' : '.';
    }
    return text;
}

bool starts_with_tag(std::string_view text, std::string_view tag) { return base::equal_ignoring_case(text.substr(0, tag.size()), tag); }

/// General-address-literal of RFC 5321 §4.1.3, well-formed.
bool is_general_literal(std::string_view text) {
    const std::size_t colon = text.find(':');
    if (colon == 0 || colon == std::string_view::npos || colon + 1 == text.size() || text[colon - 1] == '-') return false;
    const auto is_tag_octet = [](char c) { return is(OctetClass::label, c) && c != '_'; };
    const auto is_content = [](char c) { return c >= '!' && c <= '~' && c != '[' && c != '\\' && c != ']'; };
    return std::ranges::all_of(text.substr(0, colon), is_tag_octet) && std::ranges::all_of(text.substr(colon + 1), is_content);
}

}  // namespace

base::Result<std::string> normalize_address_literal(std::string_view text) {
    if (text.size() < 2 || text.front() != '[' || text.back() != ']')
        return fail(ErrorKind::syntax, "an address literal stands in brackets");
    const std::string_view content = text.substr(1, text.size() - 2);
    if (const auto address = parse_ipv4(content)) return render_ipv4(*address);
    if (starts_with_tag(content, kIpv6Tag)) {
        const auto groups = parse_ipv6(content.substr(kIpv6Tag.size()));
        if (!groups) return fail(ErrorKind::syntax, "a wrong IPv6 address in an address literal");
        return render_ipv6(*groups);
    }
    if (is_general_literal(content)) return fail(ErrorKind::invalid, "an address literal of an unregistered kind");
    return fail(ErrorKind::syntax, "a wrong address literal");
}

}  // namespace thurn::mail
