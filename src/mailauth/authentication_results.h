#pragma once

#include "base/result.h"
#include "mail/header.h"

#include <string>
#include <string_view>
#include <vector>

namespace thurn::mailauth {

/// `header.d=example.com`: what of the message a method looked at.
struct AuthenticationProperty {
    std::string type;  // smtp, header, body, policy, …
    std::string name;
    std::string value;
    friend bool operator==(const AuthenticationProperty&, const AuthenticationProperty&) = default;
};

/// One method's result: `dkim=pass (1024-bit key) header.d=example.com`.
struct AuthenticationResult {
    std::string method;     // spf, dkim, dmarc, arc, iprev, auth, …; in lower case
    unsigned version = 1;   // of the method
    std::string result;     // pass, fail, …; in lower case
    std::string comment{};  // for people; of a parsed field always empty
    std::string reason{};
    std::vector<AuthenticationProperty> properties{};
    friend bool operator==(const AuthenticationResult&, const AuthenticationResult&) = default;
};

/// The content of an Authentication-Results field (RFC 8601 §2.2).
struct AuthenticationResults {
    std::string authserv_id;                      // who says so
    std::vector<AuthenticationResult> results{};  // empty: `none`
    friend bool operator==(const AuthenticationResults&, const AuthenticationResults&) = default;
};

/// Reads a field's value, folded or not; comments are skipped.
/// Errors   `syntax`. `invalid`: another version than 1 (§2.5: such a field is to be ignored). `too_long`: over 100 results, or over 100
///          properties of one.
[[nodiscard]] base::Result<AuthenticationResults> parse_authentication_results(std::string_view value);

/// The value: `mx.example.com;\r\n\tspf=pass …`, without a CRLF at its end. Values are quoted where the grammar wants it; octets that cannot
/// stand in a header come out as `?`.
[[nodiscard]] std::string render_authentication_results(const AuthenticationResults& results);

/// Whether a field says, or may be read to say, that the results in it are ours: the name is Authentication-Results, and the authserv-id is
/// `own_id` in any case, or cannot be told while the text holds `own_id` somewhere. Such fields of arriving mail are forged, and go (RFC 8601
/// §5).
[[nodiscard]] bool claims_to_be_ours(const mail::HeaderField& field, std::string_view own_id);

}  // namespace thurn::mailauth
