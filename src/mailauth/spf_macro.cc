#include "mailauth/spf_macro.h"

#include "base/ascii.h"
#include "dns/name.h"
#include "mail/grammar.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

namespace thurn::mailauth {
namespace {

using base::ErrorKind;
using base::Result;
using Part = SpfMacroString::Part;

constexpr std::size_t kLongestText = 4096;
constexpr std::size_t kLongestDomain = 253;  // RFC 7208 §7.3
constexpr std::size_t kLongestLabel = 63;
constexpr unsigned kManyParts = 128;  // more than any value has; RFC 7208 §7.1 wants 127 at least
constexpr std::string_view kDelimiters = ".-+,/_=";

/// Where a macro string stands decides what may be in it.
struct Place {
    std::string_view letters;
    char lowest;  // literal
};
constexpr Place kDomain{"slodiphv", '!'};
constexpr Place kModifier{"slodiphvcrt", '!'};
constexpr Place kExplanation{"slodiphvcrt", ' '};

std::unexpected<base::Error> bad_macro(std::string_view what) { return base::fail(ErrorKind::syntax, std::string(what)); }

/// What stands between `%{` and `}`: a letter, digits, `r`, delimiters.
Result<SpfMacro> parse_macro(std::string_view text, const Place& place) {
    if (text.empty()) return bad_macro("a macro without a letter");
    SpfMacro macro;
    macro.letter = base::to_lower(text.front());
    if (!place.letters.contains(macro.letter)) return bad_macro("a macro letter that is not allowed here");
    if (text.front() != macro.letter) macro.escaping = SpfMacro::Escaping::url;  // RFC 7208 §7.3: upper case asks for it
    text.remove_prefix(1);
    const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
    if (digits > 0) {
        unsigned keep = kManyParts;  // stays if the number is too large for an unsigned
        std::from_chars(text.data(), text.data() + digits, keep);
        if (keep == 0) return bad_macro("a macro that keeps no part");  // RFC 7208 §7.1
        macro.keep = std::min(keep, kManyParts);
        text.remove_prefix(digits);
    }
    if (!text.empty() && base::to_lower(text.front()) == 'r') {
        macro.order = SpfMacro::Order::reversed;
        text.remove_prefix(1);
    }
    if (text.find_first_not_of(kDelimiters) != std::string_view::npos) return bad_macro("a macro with a wrong delimiter");
    if (!text.empty()) macro.delimiters = text;
    return macro;
}

class MacroStringReader {
public:
    MacroStringReader(std::string_view text, const Place& place) : text_(text), place_(place) {}

    Result<SpfMacroString> read() {
        while (at_ < text_.size()) {
            if (auto taken = text_[at_] == '%' ? take_expand() : take_literal(); !taken) return base::pass_on(taken);
        }
        return std::move(string_);
    }
    [[nodiscard]] bool ended_with_expand() const { return ended_with_expand_; }

private:
    Result<void> take_literal() {
        const char c = text_[at_++];
        ended_with_expand_ = false;
        if (c < place_.lowest || c > '~') return bad_macro("an octet that may not stand in a macro string");
        add_literal(c);
        return {};
    }

    Result<void> take_expand() {
        ended_with_expand_ = true;
        if (at_ + 1 == text_.size()) return bad_macro("'%' at the end");
        const char kind = text_[at_ + 1];
        if (kind == '{') return take_macro();
        if (kind == '%')
            add_literal('%');
        else if (kind == '_')
            add_literal(' ');
        else if (kind == '-')
            for (const char c : std::string_view("%20")) add_literal(c);
        else
            return bad_macro("'%' before something else than '{', '%', '_' or '-'");
        at_ += 2;
        return {};
    }

    Result<void> take_macro() {
        const auto end = text_.find('}', at_);
        if (end == std::string_view::npos) return bad_macro("'%{' without '}'");
        auto macro = parse_macro(text_.substr(at_ + 2, end - at_ - 2), place_);
        if (!macro) return base::pass_on(macro);
        string_.parts.emplace_back(*std::move(macro));
        at_ = end + 1;
        return {};
    }

    void add_literal(char c) {
        if (string_.parts.empty() || !std::holds_alternative<std::string>(string_.parts.back())) string_.parts.emplace_back(std::string());
        std::get<std::string>(string_.parts.back()).push_back(c);
    }

    std::string_view text_;
    const Place& place_;
    std::size_t at_ = 0;
    bool ended_with_expand_ = false;
    SpfMacroString string_;
};

/// RFC 7208 §7.1: letters, digits and hyphens, no hyphen at an end, not digits alone.
bool is_top_label(std::string_view label) {
    const auto is_alphanumeric = [](char c) { return base::is_letter(c) || base::is_digit(c); };
    if (label.empty() || !is_alphanumeric(label.front()) || !is_alphanumeric(label.back())) return false;
    return std::ranges::all_of(label, [&](char c) { return is_alphanumeric(c) || c == '-'; }) &&
           !std::ranges::all_of(label, base::is_digit);
}

/// The half of `domain-end` (RFC 7208 §7.1) that is no macro: a dot, a top label, perhaps a dot.
bool ends_with_top_label(std::string_view text) {
    if (text.ends_with('.')) text.remove_suffix(1);
    const auto dot = text.rfind('.');
    return dot != std::string_view::npos && is_top_label(text.substr(dot + 1));
}

std::vector<std::string_view> split(std::string_view value, std::string_view delimiters) {
    std::vector<std::string_view> parts;
    for (;;) {
        const auto end = value.find_first_of(delimiters);
        parts.push_back(value.substr(0, end));
        if (end == std::string_view::npos) return parts;
        value.remove_prefix(end + 1);
    }
}

/// RFC 3986 §2.3: all but unreserved octets.
std::string url_escaped(std::string_view text) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string escaped;
    for (const char c : text) {
        if (base::is_letter(c) || base::is_digit(c) || std::string_view("-._~").contains(c)) {
            escaped.push_back(c);
            continue;
        }
        const auto octet = static_cast<unsigned char>(c);
        escaped.append({'%', kHex[octet >> 4U], kHex[octet & 0xfU]});
    }
    return escaped;
}

/// RFC 7208 §7.3: IPv6 addresses as nibbles with dots between; in upper case, as in the examples of §7.4.
std::string dotted(const dns::IpAddress& address) {
    if (std::holds_alternative<dns::Ipv4>(address)) return dns::render_ip(address);
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string text;
    for (const unsigned octet : std::get<dns::Ipv6>(address).octets) {
        if (!text.empty()) text.push_back('.');
        text.append({kHex[octet >> 4U], '.', kHex[octet & 0xfU]});
    }
    return text;
}

std::string value_of(char letter, const SpfMacroValues& values) {
    switch (letter) {
        case 's':
            return values.sender_local + "@" + values.sender_domain;
        case 'l':
            return values.sender_local;
        case 'o':
            return values.sender_domain;
        case 'd':
            return values.domain;
        case 'i':
            return dotted(values.client);
        case 'p':
            return values.client_name;
        case 'v':
            return std::holds_alternative<dns::Ipv4>(values.client) ? "in-addr" : "ip6";
        case 'h':
            return values.helo;
        case 'c':
            return dns::render_ip(values.client);
        case 'r':
            return values.receiver;
        case 't':
            return std::to_string(std::chrono::floor<std::chrono::seconds>(values.now).time_since_epoch().count());
        default:
            return {};  // Invariant: the parser lets no other letter in
    }
}

std::string expand(const SpfMacro& macro, const SpfMacroValues& values) {
    const std::string value = value_of(macro.letter, values);
    auto parts = split(value, macro.delimiters);
    if (macro.order == SpfMacro::Order::reversed) std::ranges::reverse(parts);
    if (macro.keep && *macro.keep < parts.size()) parts.erase(parts.begin(), parts.end() - static_cast<std::ptrdiff_t>(*macro.keep));
    std::string joined;
    for (std::size_t i = 0; i < parts.size(); ++i) joined.append(i > 0 ? "." : "").append(parts[i]);
    return macro.escaping == SpfMacro::Escaping::url ? url_escaped(joined) : joined;
}

std::string expand(const Part& part, const SpfMacroValues& values) {
    const auto* literal = std::get_if<std::string>(&part);
    return literal != nullptr ? *literal : expand(std::get<SpfMacro>(part), values);
}

}  // namespace

bool SpfMacroString::uses(char letter) const {
    return std::ranges::any_of(parts, [letter](const Part& part) {
        const auto* macro = std::get_if<SpfMacro>(&part);
        return macro != nullptr && macro->letter == letter;
    });
}

Result<SpfMacroString> parse_spf_explanation(std::string_view text) { return MacroStringReader(text, kExplanation).read(); }

Result<SpfMacroString> parse_spf_macro_string(std::string_view text) { return MacroStringReader(text, kModifier).read(); }

Result<SpfMacroString> parse_spf_domain_spec(std::string_view text) {
    if (text.empty()) return bad_macro("an empty domain");
    MacroStringReader reader(text, kDomain);
    auto string = reader.read();
    if (string && !reader.ended_with_expand() && !ends_with_top_label(text))
        return bad_macro("a domain without a top-level name at its end");
    return string;
}

std::string expand_spf_text(const SpfMacroString& text, const SpfMacroValues& values) {
    std::string expanded;
    for (const Part& part : text.parts) {
        expanded += expand(part, values);
        if (expanded.size() > kLongestText) expanded.resize(kLongestText);
    }
    return expanded;
}

std::string expand_spf_domain(const SpfMacroString& text, const SpfMacroValues& values) {
    std::string domain;
    for (const Part& part : text.parts) {
        domain += expand(part, values);
        // What is so far to the left is cut off in the end whatever follows.
        if (domain.size() > kLongestText) domain.erase(0, domain.size() - kLongestText);
    }
    if (domain.ends_with('.')) domain.pop_back();
    while (domain.size() > kLongestDomain) {
        const auto dot = domain.find('.');
        if (dot == std::string::npos) break;
        domain.erase(0, dot + 1);
    }
    return domain;
}

std::optional<std::string> spf_question_name(std::string_view domain) {
    if (domain.ends_with('.')) domain.remove_suffix(1);
    if (domain.empty() || domain.size() > kLongestDomain) return std::nullopt;
    dns::WireName name;
    for (const std::string_view label : split(domain, ".")) {
        if (label.empty() || label.size() > kLongestLabel) return std::nullopt;
        name.labels.push_back(static_cast<char>(label.size()));
        std::ranges::transform(label, std::back_inserter(name.labels), base::to_lower);
    }
    return dns::render_name(name);
}

}  // namespace thurn::mailauth
