#include "mailauth/dkim_tag_list.h"

#include "base/ascii.h"
#include "base/base64.h"

#include <algorithm>

namespace thurn::mailauth {
namespace {

constexpr std::size_t kMaxTags = 100;

constexpr bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

/// tag-name = ALPHA *ALNUMPUNC.
bool is_name(std::string_view text) {
    const auto alnumpunc = [](char c) { return base::is_letter(c) || base::is_digit(c) || c == '_'; };
    return !text.empty() && base::is_letter(text.front()) && std::ranges::all_of(text, alnumpunc);
}

/// tval characters and white space; UTF-8 as RFC 8616 §3 and real records have it.
bool is_value(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return is_space(c) || (c > ' ' && c <= '~') || !base::is_ascii(c); });
}

base::Result<Tag> parse_tag(std::string_view part) {
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos) return base::fail(base::ErrorKind::syntax, "a tag without \"=\"");
    const Tag tag{.name = trimmed(part.substr(0, equals)), .value = trimmed(part.substr(equals + 1))};
    if (!is_name(tag.name)) return base::fail(base::ErrorKind::syntax, "a tag without a proper name");
    if (!is_value(tag.value)) return base::fail(base::ErrorKind::syntax, "a tag with control characters in its value");
    return tag;
}

}  // namespace

const Tag* TagList::find(std::string_view name) const {
    const auto found = std::ranges::find(tags, name, &Tag::name);
    return found == tags.end() ? nullptr : &*found;
}

std::optional<std::string_view> TagList::value(std::string_view name) const {
    const Tag* tag = find(name);
    return tag == nullptr ? std::nullopt : std::optional(tag->value);
}

base::Result<TagList> parse_tag_list(std::string_view text) {
    TagList list;
    for (bool more = true; more;) {
        const std::size_t semicolon = text.find(';');
        more = semicolon != std::string_view::npos;
        const auto tag = parse_tag(text.substr(0, semicolon));
        if (!tag) return std::unexpected(tag.error());
        if (list.find(tag->name) != nullptr) return base::fail(base::ErrorKind::syntax, "a tag stands twice");
        if (list.tags.size() == kMaxTags) return base::fail(base::ErrorKind::too_long, "too many tags");
        list.tags.push_back(*tag);
        if (!more) break;
        text.remove_prefix(semicolon + 1);
        more = !trimmed(text).empty();  // a semicolon may stand behind the last tag
    }
    return list;
}

std::string without_space(std::string_view value) {
    std::string text(value);
    std::erase_if(text, is_space);
    return text;
}

base::Result<std::string> decode_tag_base64(std::string_view value) {
    std::string digits = without_space(value);
    for (int i = 0; i < 2 && digits.ends_with('='); ++i) digits.pop_back();
    const std::size_t missing = (4 - digits.size() % 4) % 4;
    if (missing == 3 || digits.ends_with('=')) return base::fail(base::ErrorKind::syntax, "base64 with a wrong end");
    digits.append(missing, 'A');  // whole groups, of which the last octets are left out again
    auto octets = base::decode_base64(digits);
    if (octets) octets->resize(octets->size() - missing);
    return octets;
}

std::vector<std::string_view> split_value(std::string_view value, char separator) {
    std::vector<std::string_view> parts;
    for (std::size_t end = value.find(separator); end != std::string_view::npos; end = value.find(separator)) {
        parts.push_back(trimmed(value.substr(0, end)));
        value.remove_prefix(end + 1);
    }
    parts.push_back(trimmed(value));
    return parts;
}

std::optional<std::uint64_t> parse_digits(std::string_view value, std::size_t max_digits) {
    if (value.empty() || value.size() > max_digits || !std::ranges::all_of(value, base::is_digit)) return std::nullopt;
    std::uint64_t number = 0;
    for (const char c : value) number = number * 10 + static_cast<std::uint64_t>(c - '0');
    return number;
}

}  // namespace thurn::mailauth
