#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "dns/ip_address.h"

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace thurn::mailauth {

/// `%{…}`: which value, and what is done with it.
struct SpfMacro {
    enum class Escaping { none, url };
    enum class Order { written, reversed };
    char letter = 'd';  // lower case: s l o d i p h c r t v
    Escaping escaping = Escaping::none;
    Order order = Order::written;
    std::optional<unsigned> keep{};  // so many parts from the right; never 0
    std::string delimiters = ".";
    friend bool operator==(const SpfMacro&, const SpfMacro&) = default;
};

/// Text with macros in it; `%%`, `%_` and `%-` are literals already.
///
/// Shape    Literals are US-ASCII, visible, with spaces in an explanation only (`%_` may bring one anywhere).
/// Source   RFC 7208 §7.
struct SpfMacroString {
    using Part = std::variant<std::string, SpfMacro>;
    std::vector<Part> parts;
    /// Whether a macro of that letter, in lower case, is in it.
    [[nodiscard]] bool uses(char letter) const;
    friend bool operator==(const SpfMacroString&, const SpfMacroString&) = default;
};

/// `explain-string`: the text an `exp` leads to. Macros `c`, `r` and `t` are allowed here only (RFC 7208 §7.2).
/// Errors   `syntax`.
[[nodiscard]] base::Result<SpfMacroString> parse_spf_explanation(std::string_view text);
/// `macro-string`: the value of a modifier nobody knows; only checked.
/// Errors   `syntax`.
[[nodiscard]] base::Result<SpfMacroString> parse_spf_macro_string(std::string_view text);
/// `domain-spec`: ends with a macro or a dot and a top label, perhaps a further dot.
/// Errors   `syntax`.
[[nodiscard]] base::Result<SpfMacroString> parse_spf_domain_spec(std::string_view text);

/// What the letters stand for.
struct SpfMacroValues {
    std::string sender_local;          // l
    std::string sender_domain;         // o; s is both
    std::string domain;                // d: the domain whose record is evaluated
    dns::IpAddress client;             // i, v, c; never an IPv4 address in IPv6 form
    std::string helo;                  // h
    std::string client_name{};         // p: validated, or "unknown"
    std::string receiver = "unknown";  // r
    base::Time now{};                  // t
};

/// The expanded text.
/// Limits   4096 octets, the rest is cut off: values may be long and macros many.
[[nodiscard]] std::string expand_spf_text(const SpfMacroString& text, const SpfMacroValues& values);
/// The expanded domain without its trailing dot; over 253 octets, labels go from the left until it fits (RFC 7208 §7.3). It may still be
/// no domain: see spf_question_name().
[[nodiscard]] std::string expand_spf_domain(const SpfMacroString& text, const SpfMacroValues& values);

/// A domain in the form questions have, odd octets of its labels escaped; nothing if a label is empty or over 63 octets, or the whole over
/// 253. A trailing dot is ignored.
[[nodiscard]] std::optional<std::string> spf_question_name(std::string_view domain);

}  // namespace thurn::mailauth
