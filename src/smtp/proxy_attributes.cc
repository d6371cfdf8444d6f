#include "smtp/proxy_attributes.h"

#include "base/ascii.h"
#include "base/xtext.h"
#include "mail/mailbox.h"
#include "smtp/words.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace thurn::smtp {

namespace {

using Name = ProxyAttribute::Name;
using Known = ProxyAttribute::Known;

constexpr FixedReply kBadAttribute{501, {5, 5, 4}, "Bad attribute"};
constexpr FixedReply kNoAttribute{501, {5, 5, 4}, "An attribute is needed"};

constexpr std::size_t kValue = 255;  // octets, decoded

struct Row {
    Name name;
    std::string_view word;
    bool xclient;
    bool xforward;
};
constexpr std::array<Row, 10> kRows{{
    {Name::name, "NAME", true, true},
    {Name::addr, "ADDR", true, true},
    {Name::port, "PORT", true, true},
    {Name::proto, "PROTO", true, true},
    {Name::helo, "HELO", true, true},
    {Name::login, "LOGIN", true, false},
    {Name::destaddr, "DESTADDR", true, false},
    {Name::destport, "DESTPORT", true, false},
    {Name::ident, "IDENT", false, true},
    {Name::source, "SOURCE", false, true},
}};

bool takes(const Row& row, ProxyCommand command) { return command == ProxyCommand::xclient ? row.xclient : row.xforward; }

/// `192.0.2.1` or `IPV6:2001:db8::1` in normal form.
std::optional<std::string> normal_address(const std::string& text) {
    const auto literal = mail::parse_domain("[" + text + "]");
    if (!literal) return std::nullopt;
    std::string_view inside = literal->text();
    inside = inside.substr(1, inside.size() - 2);
    constexpr std::string_view kIpv6 = "IPv6:";
    if (inside.starts_with(kIpv6)) inside.remove_prefix(kIpv6.size());
    return std::string(inside);
}

bool is_port(std::string_view text) {
    if (text.empty() || text.size() > 5 || !std::ranges::all_of(text, base::is_digit)) return false;
    int port = 0;
    for (const char c : text) port = port * 10 + (c - '0');
    return port <= 65535;
}

/// False where the value cannot be one of that attribute.
bool normalize(Name name, std::string& value) {
    switch (name) {
        case Name::addr:
        case Name::destaddr: {
            auto address = normal_address(value);
            if (address) value = *std::move(address);
            return address.has_value();
        }
        case Name::port:
        case Name::destport:
            return is_port(value);
        case Name::source:
            return same_word(value, "LOCAL") || same_word(value, "REMOTE");
        default:
            return true;
    }
}

bool is_text(std::string_view value) {
    return !value.empty() && value.size() <= kValue &&
           std::ranges::all_of(value, [](char c) { return !base::is_ascii(c) || base::is_printable(c); });
}

std::optional<ProxyAttribute> parse_attribute(std::string_view word, ProxyCommand command) {
    const auto equals = word.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const auto row = std::ranges::find_if(
        kRows, [&](const Row& candidate) { return takes(candidate, command) && same_word(word.substr(0, equals), candidate.word); });
    if (row == kRows.end()) return std::nullopt;
    const auto text = word.substr(equals + 1);
    ProxyAttribute attribute{.name = row->name, .known = Known::given, .value = {}};
    if (same_word(text, "[UNAVAILABLE]")) attribute.known = Known::unavailable;
    if (same_word(text, "[TEMPUNAVAIL]")) attribute.known = Known::temporarily_unavailable;
    if (attribute.known != Known::given) return attribute;
    auto value = base::decode_xtext(text);
    if (!value || !is_text(*value) || !normalize(row->name, *value)) return std::nullopt;
    attribute.value = *std::move(value);
    return attribute;
}

}  // namespace

std::string render_attribute_names(ProxyCommand command) {
    std::string text;
    for (const auto& row : kRows) {
        if (takes(row, command)) text.append(" ").append(row.word);
    }
    return text;
}

std::expected<std::vector<ProxyAttribute>, FixedReply> parse_attributes(std::string_view text, ProxyCommand command) {
    std::vector<ProxyAttribute> attributes;
    for (auto word = take_word(text); !word.empty(); word = take_word(text)) {
        auto attribute = parse_attribute(word, command);
        if (!attribute || find_attribute(attributes, attribute->name)) return std::unexpected(kBadAttribute);
        attributes.push_back(*std::move(attribute));
    }
    if (attributes.empty()) return std::unexpected(kNoAttribute);
    return attributes;
}

const ProxyAttribute* find_attribute(const std::vector<ProxyAttribute>& attributes, ProxyAttribute::Name name) {
    const auto found = std::ranges::find(attributes, name, &ProxyAttribute::name);
    return found == attributes.end() ? nullptr : &*found;
}

}  // namespace thurn::smtp
