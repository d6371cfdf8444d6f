#pragma once

#include "base/result.h"
#include "dns/ip_address.h"
#include "mailauth/spf_macro.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::mailauth {

/// RFC 7208 §2.6.
enum class SpfResult { none, neutral, pass, fail, softfail, temperror, permerror };
[[nodiscard]] std::string_view spf_result_name(SpfResult result);

enum class SpfMechanism { all, include, a, mx, ptr, ip4, ip6, exists };

/// A mechanism with its qualifier.
/// Shape    `domain` is set for `include` and `exists`, perhaps for `a`, `mx`, `ptr`; without it the current domain is meant. `network` is
///          set for `ip4` and `ip6`. `text` is the term as written.
struct SpfDirective {
    SpfMechanism mechanism = SpfMechanism::all;
    SpfResult on_match = SpfResult::pass;
    std::optional<SpfMacroString> domain{};
    std::optional<dns::IpAddress> network{};
    unsigned ipv4_bits = 32;
    unsigned ipv6_bits = 128;
    std::string text;
};

/// A record without any syntax error: one error anywhere spoils all of it (RFC 7208 §4.6).
struct SpfRecord {
    std::vector<SpfDirective> directives;
    std::optional<SpfMacroString> redirect;
    std::optional<SpfMacroString> explanation;
    [[nodiscard]] bool has_all() const;
};

/// Whether a TXT record is meant for SPF: `v=spf1`, in any case, then a space or nothing (RFC 7208 §4.5).
[[nodiscard]] bool is_spf_record(std::string_view octets);
/// Precondition: is_spf_record().
/// Errors   `syntax`: what is wrong, for people.
/// Source   RFC 7208 §4.6, §5, §6, §12.
[[nodiscard]] base::Result<SpfRecord> parse_spf_record(std::string_view octets);

}  // namespace thurn::mailauth
