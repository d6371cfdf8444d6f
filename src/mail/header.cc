#include "mail/header.h"

#include "base/ascii.h"
#include "mail/grammar.h"

#include <algorithm>

namespace thurn::mail {
namespace {

constexpr bool is_space(char c) { return c == ' ' || c == '\t'; }
constexpr bool is_fold_octet(char c) { return is_space(c) || c == '\r' || c == '\n'; }
constexpr bool ends_line(char c) { return c == '\r' || c == '\n'; }

/// Position behind the line that begins at `from`.
std::size_t line_end(std::string_view text, std::size_t from) {
    const std::size_t feed = text.find('\n', from);
    return feed == std::string_view::npos ? text.size() : feed + 1;
}

std::string_view without_line_end(std::string_view line) {
    if (!line.ends_with('\n')) return line;  // a bare CR at the end of the message ends no line either
    line.remove_suffix(1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

/// The length of the field name at the front of a line, with a colon behind it, perhaps after white space (obs-optional of RFC 5322 §4.5);
/// 0 for none.
struct NameEnd {
    std::size_t name = 0;
    std::size_t colon = 0;
};
NameEnd find_name(std::string_view line) {
    const auto end = std::ranges::find_if_not(line, [](char c) { return is(OctetClass::field_name, c); });
    const auto colon = std::find_if_not(end, line.end(), is_space);
    if (end == line.begin() || colon == line.end() || *colon != ':') return {};
    return {.name = static_cast<std::size_t>(end - line.begin()), .colon = static_cast<std::size_t>(colon - line.begin())};
}

/// Position behind a field that begins at `from`: its line and those that continue it.
std::size_t field_end(std::string_view message, std::size_t from) {
    std::size_t end = line_end(message, from);
    while (end < message.size() && is_space(message[end])) end = line_end(message, end);
    return end;
}

}  // namespace

const HeaderField* Header::find(std::string_view name) const {
    const auto found =
        std::ranges::find_if(fields, [name](const HeaderField& field) { return base::equal_ignoring_case(field.name, name); });
    return found == fields.end() ? nullptr : &*found;
}

std::size_t Header::count(std::string_view name) const {
    const auto same = [name](const HeaderField& field) { return base::equal_ignoring_case(field.name, name); };
    return static_cast<std::size_t>(std::ranges::count_if(fields, same));
}

Header parse_header(std::string_view message) {
    Header header;
    while (header.size < message.size()) {
        const std::string_view line = message.substr(header.size, line_end(message, header.size) - header.size);
        if (line == "\r\n" || line == "\n") {
            header.size += line.size();
            return header;
        }
        const NameEnd ends = find_name(line);
        if (ends.name == 0) return header;
        const std::size_t end = field_end(message, header.size);
        const std::string_view field = without_line_end(message.substr(header.size, end - header.size));
        header.fields.push_back({.name = field.substr(0, ends.name), .value = field.substr(ends.colon + 1)});
        header.size = end;
    }
    return header;
}

std::string unfold(std::string_view value) {
    std::string text;
    text.reserve(value.size());
    for (std::size_t i = 0; i < value.size();) {
        const auto rest = value.substr(i);
        const auto end = std::ranges::find_if_not(rest, is_fold_octet);
        const std::string_view space = rest.substr(0, static_cast<std::size_t>(end - rest.begin()));
        if (space.empty()) {
            text += value[i++];
            continue;
        }
        i += space.size();
        if (text.empty() || i == value.size()) continue;  // the ends are trimmed
        if (std::ranges::any_of(space, ends_line)) {
            text += ' ';
        } else {
            text += space;
        }
    }
    return text;
}

}  // namespace thurn::mail
