#include "smtp/extensions.h"

#include "base/ascii.h"

#include <algorithm>
#include <charconv>

namespace thurn::smtp {

namespace {

std::string_view take_word(std::string_view& text, std::string_view separators) {
    text.remove_prefix(std::min(text.find_first_not_of(separators), text.size()));
    const auto word = text.substr(0, text.find_first_of(separators));
    text.remove_prefix(word.size());
    return word;
}

std::string upper(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(),
                           [](char octet) { return base::is_letter(octet) ? static_cast<char>(octet & ~0x20) : octet; });
    return result;
}

/// A SIZE that cannot be read says nothing; one beyond 64 bits is none.
std::optional<base::Octets> parse_size(std::string_view text) {
    base::Octets size;
    if (text.empty()) return size;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), size.count);
    if (end != text.data() + text.size() || failure == std::errc::invalid_argument) return std::nullopt;
    if (failure != std::errc{}) size.count = 0;
    return size;
}

void add_mechanisms(std::string_view text, std::vector<std::string>& mechanisms) {
    for (auto word = take_word(text, " "); !word.empty(); word = take_word(text, " ")) {
        auto name = upper(word);
        if (std::ranges::find(mechanisms, name) == mechanisms.end()) mechanisms.push_back(std::move(name));
    }
}

void add_line(std::string_view text, Extensions& extensions) {
    const auto keyword = upper(take_word(text, " ="));
    if (text.starts_with('=')) text.remove_prefix(1);
    if (keyword == "PIPELINING") extensions.pipelining = true;
    if (keyword == "8BITMIME") extensions.eight_bit_mime = true;
    if (keyword == "ENHANCEDSTATUSCODES") extensions.enhanced_status = true;
    if (keyword == "STARTTLS") extensions.starttls = true;
    if (keyword == "SIZE") extensions.size = parse_size(take_word(text, " "));
    if (keyword == "AUTH") add_mechanisms(text, extensions.auth);
}

}  // namespace

Extensions parse_extensions(const Reply& reply) {
    Extensions extensions;
    extensions.extended = true;
    for (std::size_t line = 1; line < reply.lines.size(); ++line) add_line(reply.lines[line], extensions);
    return extensions;
}

}  // namespace thurn::smtp
