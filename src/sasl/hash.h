#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace thurn::sasl {

/// The hash functions mechanisms are built on. MD5 serves CRAM-MD5 only.
enum class Hash { md5, sha1, sha256 };

[[nodiscard]] std::size_t hash_size(Hash hash);  // octets
[[nodiscard]] std::string digest(Hash hash, std::string_view octets);
/// RFC 2104.
[[nodiscard]] std::string hmac(Hash hash, std::string_view key, std::string_view octets);
/// `Hi` of RFC 5802 §2.2: PBKDF2 with one block. Costs some 100 ns per iteration and more. Precondition: iterations > 0.
[[nodiscard]] std::string stretch(Hash hash, std::string_view password, std::string_view salt, std::uint32_t iterations);

/// The time depends on the lengths only.
[[nodiscard]] bool equal_in_constant_time(std::string_view a, std::string_view b);
/// Overwrites octets that were a secret; they are gone then.
void wipe(std::string& secret);

}  // namespace thurn::sasl
