#pragma once

#include "base/result.h"
#include "sasl/hash.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace thurn::sasl {

inline constexpr std::uint32_t kMinIterations = 4096;      // RFC 5802 §5.1, RFC 7677 §4
inline constexpr std::uint32_t kUsualIterations = 15'000;  // RFC 7677 §4: what takes a modern machine some hundredths of a second
/// A client pays for each; at the most we let a server ask for, some 60 ms.
inline constexpr std::uint32_t kMaxIterations = 200'000;
inline constexpr std::size_t kSaltOctets = 16;
inline constexpr std::size_t kMaxSalt = 256;

/// What a server keeps to check SCRAM with: not the password, and not enough to log in with elsewhere; but who steals it may guess
/// passwords offline, at the price of the iterations.
///
/// Shape    `stored_key` and `server_key` have hash_size(hash) octets, `salt` 1..kMaxSalt. `hash` is not md5.
/// Source   RFC 5802 §3
struct ScramSecret {
    Hash hash = Hash::sha256;
    std::uint32_t iterations = kUsualIterations;
    std::string salt;
    std::string stored_key;
    std::string server_key;
    friend bool operator==(const ScramSecret&, const ScramSecret&) = default;
};

/// The password is prepared first, see saslprep.h. Takes the time of the iterations: not on an event loop.
/// Precondition: `hash` is not md5, the salt has 1..kMaxSalt octets, iterations > 0.
[[nodiscard]] ScramSecret derive_scram_secret(std::string_view password, std::string salt, std::uint32_t iterations, Hash hash);

/// For a login that has no secret: always the same one for a login and key, and no password fits. Keep `key` secret and for good, or
/// the changing salts tell who does not exist.
[[nodiscard]] ScramSecret make_decoy_secret(std::string_view login, std::string_view key, Hash hash);

/// `SCRAM-SHA-256$15000:salt$StoredKey:ServerKey`, the last three in base64, in the manner of RFC 5803 and as PostgreSQL keeps it.
[[nodiscard]] std::string render_scram_secret(const ScramSecret& secret);
/// Errors   `corrupt`, without a word of the secret.
[[nodiscard]] base::Result<ScramSecret> parse_scram_secret(std::string_view text);

}  // namespace thurn::sasl
