#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace thurn::sasl {

/// What a server keeps to check CRAM-MD5 with: the two states of MD5 that HMAC begins with, and not the password (RFC 2195 §2). It is as good
/// as the password to who wants in by CRAM-MD5, here or anywhere else the same password is used; and there is no salt, and nothing that
/// slows down who steals it and guesses the password. Hence kept only where it is asked for.
///
/// Shape    16 octets each. Never printed.
struct CramMd5Secret {
    std::string outer;
    std::string inner;
    friend bool operator==(const CramMd5Secret&, const CramMd5Secret&) = default;
};

[[nodiscard]] CramMd5Secret derive_cram_md5_secret(std::string_view password);
/// For a login that has none: no password fits, whatever the key. Keep `key` secret.
[[nodiscard]] CramMd5Secret make_decoy_cram_md5_secret(std::string_view login, std::string_view key);
/// HMAC-MD5 (RFC 2104) of the octets under the password the secret was derived from.
[[nodiscard]] std::string hmac_md5(const CramMd5Secret& secret, std::string_view octets);

/// 64 hexadecimal digits, as Dovecot keeps them in its scheme CRAM-MD5.
[[nodiscard]] std::string render_cram_md5_secret(const CramMd5Secret& secret);
/// Errors   `corrupt`, without a word of the secret.
[[nodiscard]] base::Result<CramMd5Secret> parse_cram_md5_secret(std::string_view text);

}  // namespace thurn::sasl
