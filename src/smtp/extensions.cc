#include "smtp/extensions.h"

#include "base/ascii.h"
#include "mail/date.h"

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

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
    Number number{};
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || end != text.data() + text.size() || failure != std::errc{}) return std::nullopt;
    return number;
}

/// A limit of 0, or one that cannot be read, is none: nobody could be sent anything by it.
void add_limits(std::string_view text, OfferedLimits& limits) {
    for (auto word = take_word(text, " "); !word.empty(); word = take_word(text, " ")) {
        const auto equals = word.find('=');
        if (equals == std::string_view::npos) continue;
        const auto value = parse_number<std::uint32_t>(word.substr(equals + 1));
        if (!value || *value == 0) continue;
        const auto name = upper(word.substr(0, equals));
        if (name == "MAILMAX") limits.messages = value;
        if (name == "RCPTMAX") limits.recipients = value;
        if (name == "RCPTDOMAINMAX") limits.recipient_domains = value;
    }
}

std::optional<FutureRelease> parse_future_release(std::string_view text) {
    const auto interval = parse_number<std::uint32_t>(take_word(text, " "));
    const auto until = mail::parse_timestamp(take_word(text, " "));
    if (!interval || !until) return std::nullopt;
    return FutureRelease{.interval = std::chrono::seconds(*interval), .until = *until};
}

void add_line(std::string_view text, Extensions& extensions) {
    const auto keyword = upper(take_word(text, " ="));
    if (text.starts_with('=')) text.remove_prefix(1);
    if (keyword == "PIPELINING") extensions.pipelining = true;
    if (keyword == "8BITMIME") extensions.eight_bit_mime = true;
    if (keyword == "ENHANCEDSTATUSCODES") extensions.enhanced_status = true;
    if (keyword == "STARTTLS") extensions.starttls = true;
    if (keyword == "SIZE") extensions.size = parse_size(take_word(text, " "));
    if (keyword == "CHUNKING") extensions.chunking = true;
    if (keyword == "BINARYMIME") extensions.binary_mime = true;
    if (keyword == "SMTPUTF8") extensions.smtputf8 = true;
    if (keyword == "DSN") extensions.dsn = true;
    if (keyword == "REQUIRETLS") extensions.require_tls = true;
    if (keyword == "FUTURERELEASE") extensions.future_release = parse_future_release(text);
    if (keyword == "DELIVERBY") extensions.deliver_by = std::chrono::seconds(parse_number<std::uint32_t>(take_word(text, " ")).value_or(0));
    if (keyword == "MT-PRIORITY") extensions.mt_priority = take_word(text, " ");
    if (keyword == "LIMITS") add_limits(text, extensions.limits);
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
