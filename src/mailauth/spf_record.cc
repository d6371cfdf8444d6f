#include "mailauth/spf_record.h"

#include "base/ascii.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace thurn::mailauth {
namespace {

using base::ErrorKind;
using base::Result;

constexpr std::string_view kVersion = "v=spf1";

enum class DomainUse { none, optional, required };
enum class LengthUse { none, optional };

/// What may follow a mechanism's name (RFC 7208 §5).
struct MechanismRule {
    std::string_view name;
    SpfMechanism mechanism;
    DomainUse domain;
    LengthUse lengths;
};
constexpr std::array<MechanismRule, 6> kMechanisms{{
    {"all", SpfMechanism::all, DomainUse::none, LengthUse::none},
    {"include", SpfMechanism::include, DomainUse::required, LengthUse::none},
    {"a", SpfMechanism::a, DomainUse::optional, LengthUse::optional},
    {"mx", SpfMechanism::mx, DomainUse::optional, LengthUse::optional},
    {"ptr", SpfMechanism::ptr, DomainUse::optional, LengthUse::none},
    {"exists", SpfMechanism::exists, DomainUse::required, LengthUse::none},
}};

/// For people; a foreign record may be of any length.
std::unexpected<base::Error> bad_term(std::string_view term, std::string_view what) {
    constexpr std::size_t kShown = 60;
    const std::string shown = std::string(term.substr(0, kShown)) + (term.size() > kShown ? "…" : "");
    return base::fail(ErrorKind::syntax, "\"" + shown + "\": " + std::string(what));
}

std::size_t name_length(std::string_view term) {
    const auto is_name_octet = [](char c) { return base::is_letter(c) || base::is_digit(c) || c == '-' || c == '_' || c == '.'; };
    if (term.empty() || !base::is_letter(term.front())) return 0;
    return static_cast<std::size_t>(std::ranges::find_if_not(term, is_name_octet) - term.begin());
}

/// A prefix length: no leading zero, at most `most`.
std::optional<unsigned> parse_length(std::string_view digits, unsigned most) {
    if (digits.empty() || digits.size() > 3 || (digits.size() > 1 && digits.front() == '0')) return std::nullopt;
    unsigned length = 0;
    const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (problem != std::errc{} || end != digits.data() + digits.size() || length > most) return std::nullopt;
    return length;
}

/// Cuts `/…` or `//…` with nothing but digits behind it off the end of `text`.
std::optional<std::string_view> cut_length(std::string_view& text, std::string_view slashes) {
    const auto digits = text.find_last_not_of("0123456789");
    const std::size_t begin = digits == std::string_view::npos ? 0 : digits + 1;
    if (begin == text.size() || !text.substr(0, begin).ends_with(slashes)) return std::nullopt;
    const auto length = text.substr(begin);
    text.remove_suffix(length.size() + slashes.size());
    return length;
}

/// `dual-cidr-length` of RFC 7208 §5.6 at the end of `text`, which keeps what stands before it.
Result<void> take_lengths(std::string_view& text, SpfDirective& directive) {
    if (const auto digits = cut_length(text, "//")) {
        const auto bits = parse_length(*digits, 128);
        if (!bits) return bad_term(directive.text, "a wrong IPv6 prefix length");
        directive.ipv6_bits = *bits;
    }
    if (const auto digits = cut_length(text, "/")) {
        const auto bits = parse_length(*digits, 32);
        if (!bits) return bad_term(directive.text, "a wrong IPv4 prefix length");
        directive.ipv4_bits = *bits;
    }
    return {};
}

/// Reads what follows the name: `:domain-spec` and prefix lengths, as the rule allows.
Result<SpfDirective> parse_name_mechanism(const MechanismRule& rule, std::string_view rest, SpfDirective directive) {
    directive.mechanism = rule.mechanism;
    if (rule.lengths == LengthUse::optional) {
        if (auto taken = take_lengths(rest, directive); !taken) return base::pass_on(taken);
    }
    if (rest.empty() && rule.domain != DomainUse::required) return directive;
    if (rest.empty()) return bad_term(directive.text, "a domain is missing");
    if (rule.domain == DomainUse::none || rest.front() != ':') return bad_term(directive.text, "nothing of the kind may follow the name");
    auto domain = parse_spf_domain_spec(rest.substr(1));
    if (!domain) return bad_term(directive.text, domain.error().detail);
    directive.domain = *std::move(domain);
    return directive;
}

/// `ip4:` and `ip6:`, RFC 7208 §5.6.
Result<SpfDirective> parse_network_mechanism(std::string_view rest, SpfDirective directive) {
    const bool is_ipv4 = directive.mechanism == SpfMechanism::ip4;
    if (!rest.starts_with(':')) return bad_term(directive.text, "an address is missing");
    rest.remove_prefix(1);
    const auto slash = rest.find('/');
    const auto network = dns::parse_ip(rest.substr(0, slash));
    if (!network || std::holds_alternative<dns::Ipv4>(*network) != is_ipv4) return bad_term(directive.text, "a wrong address");
    directive.network = *network;
    if (slash == std::string_view::npos) return directive;
    const auto bits = parse_length(rest.substr(slash + 1), is_ipv4 ? 32 : 128);
    if (!bits) return bad_term(directive.text, "a wrong prefix length");
    (is_ipv4 ? directive.ipv4_bits : directive.ipv6_bits) = *bits;
    return directive;
}

std::optional<SpfResult> result_of_qualifier(char c) {
    switch (c) {
        case '+':
            return SpfResult::pass;
        case '-':
            return SpfResult::fail;
        case '~':
            return SpfResult::softfail;
        case '?':
            return SpfResult::neutral;
        default:
            return std::nullopt;
    }
}

Result<SpfDirective> parse_directive(std::string_view term) {
    SpfDirective directive{.text = std::string(term)};
    std::string_view rest = term;
    if (const auto result = result_of_qualifier(term.front())) {
        directive.on_match = *result;
        rest.remove_prefix(1);
    }
    const auto name = rest.substr(0, name_length(rest));
    rest.remove_prefix(name.size());
    for (const auto& [network, mechanism] : {std::pair{"ip4", SpfMechanism::ip4}, std::pair{"ip6", SpfMechanism::ip6}}) {
        directive.mechanism = mechanism;
        if (base::equal_ignoring_case(name, network)) return parse_network_mechanism(rest, std::move(directive));
    }
    const auto rule =
        std::ranges::find_if(kMechanisms, [name](const auto& candidate) { return base::equal_ignoring_case(name, candidate.name); });
    if (rule == kMechanisms.end()) return bad_term(term, "no mechanism has this name");
    return parse_name_mechanism(*rule, rest, std::move(directive));
}

/// RFC 7208 §6: `redirect` and `exp` at most once each; others are checked and forgotten.
Result<void> take_modifier(std::string_view term, std::string_view name, std::string_view value, SpfRecord& record) {
    const bool is_redirect = base::equal_ignoring_case(name, "redirect");
    if (!is_redirect && !base::equal_ignoring_case(name, "exp")) {
        if (auto checked = parse_spf_macro_string(value); !checked) return bad_term(term, checked.error().detail);
        return {};
    }
    auto& into = is_redirect ? record.redirect : record.explanation;
    if (into) return bad_term(term, "this modifier may stand once only");
    auto domain = parse_spf_domain_spec(value);
    if (!domain) return bad_term(term, domain.error().detail);
    into = *std::move(domain);
    return {};
}

Result<void> take_term(std::string_view term, SpfRecord& record) {
    const auto name = term.substr(0, name_length(term));
    const auto rest = term.substr(name.size());
    if (!name.empty() && rest.starts_with('=')) return take_modifier(term, name, rest.substr(1), record);
    auto directive = parse_directive(term);
    if (!directive) return base::pass_on(directive);
    record.directives.push_back(*std::move(directive));
    return {};
}

}  // namespace

std::string_view spf_result_name(SpfResult result) {
    switch (result) {
        case SpfResult::none:
            return "none";
        case SpfResult::neutral:
            return "neutral";
        case SpfResult::pass:
            return "pass";
        case SpfResult::fail:
            return "fail";
        case SpfResult::softfail:
            return "softfail";
        case SpfResult::temperror:
            return "temperror";
        case SpfResult::permerror:
            return "permerror";
    }
    return "";
}

bool SpfRecord::has_all() const { return std::ranges::find(directives, SpfMechanism::all, &SpfDirective::mechanism) != directives.end(); }

bool is_spf_record(std::string_view octets) {
    if (!base::equal_ignoring_case(octets.substr(0, kVersion.size()), kVersion)) return false;
    return octets.size() == kVersion.size() || octets[kVersion.size()] == ' ';
}

Result<SpfRecord> parse_spf_record(std::string_view octets) {
    // RFC 7208 §3.1: US-ASCII; and §12 has no octet but visible ones and the space, so a tab parts nothing.
    if (!std::ranges::all_of(octets, base::is_printable)) return base::fail(ErrorKind::syntax, "an octet that may not stand in a record");
    SpfRecord record;
    octets.remove_prefix(std::min(kVersion.size(), octets.size()));
    while (!octets.empty()) {
        const auto end = std::min(octets.find(' '), octets.size());
        if (end > 0) {
            if (auto taken = take_term(octets.substr(0, end), record); !taken) return base::pass_on(taken);
        }
        octets.remove_prefix(std::min(end + 1, octets.size()));
    }
    return record;
}

}  // namespace thurn::mailauth
