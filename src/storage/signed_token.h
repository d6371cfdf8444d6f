#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::storage {

/// Public keys that tokens are signed with (RFC 7517).
///
/// Threads  Immutable; any.
class TokenKeys {
public:
    /// Keys of kinds that are not known, or not for signatures, are left out: a set may hold others' (RFC 7517 §5).
    /// Errors   `syntax`: no JSON, or no key set; `invalid`: not one key that can be used.
    [[nodiscard]] static base::Result<TokenKeys> parse(std::string_view json);
    ~TokenKeys();
    TokenKeys(TokenKeys&&) noexcept;
    TokenKeys& operator=(TokenKeys&&) noexcept;

    struct Key;
    [[nodiscard]] const std::vector<Key>& all() const { return keys_; }
    [[nodiscard]] std::size_t size() const;

private:
    TokenKeys() = default;
    std::vector<Key> keys_;
};

/// What a token must say to be believed.
struct TokenExpectations {
    std::string issuer;
    std::string audience;
    std::string login_claim = "email";
};

/// The login that a signed token (RFC 7519, RFC 8725) speaks for.
///
/// Signed   RS256, ES256 or EdDSA with Ed25519, by one of the keys; never `none`, never a shared secret.
/// Checked  `iss`, `aud`, `exp` (which must be there), `nbf`; clocks may differ by a minute. A `crit` header is not understood, so refused.
/// Errors   `not_found`: signed with a key that is not in the set; newer keys may help. `refused`: all else, with the reason, which holds
///          nothing of the token.
[[nodiscard]] base::Result<std::string> verify_token(std::string_view token, const TokenKeys& keys, const TokenExpectations& expected,
                                                     base::Time now);

}  // namespace thurn::storage
