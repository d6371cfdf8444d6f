#include "sasl/hash.h"

#include <stdexcept>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace thurn::sasl {
namespace {

const EVP_MD* function_of(Hash hash) {
    switch (hash) {
        case Hash::md5:
            return EVP_md5();
        case Hash::sha1:
            return EVP_sha1();
        case Hash::sha256:
            break;
    }
    return EVP_sha256();
}

const unsigned char* octets_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* octets_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

/// These functions fail for want of memory, or where the system's policy has banned the hash; nothing a peer can do.
void expect(bool done) {
    if (!done) throw std::runtime_error("OpenSSL has failed to hash");
}

}  // namespace

std::size_t hash_size(Hash hash) { return static_cast<std::size_t>(EVP_MD_get_size(function_of(hash))); }

std::string digest(Hash hash, std::string_view octets) {
    std::string result(hash_size(hash), '\0');
    expect(EVP_Digest(octets.data(), octets.size(), octets_of(result), nullptr, function_of(hash), nullptr) == 1);
    return result;
}

std::string hmac(Hash hash, std::string_view key, std::string_view octets) {
    std::string result(hash_size(hash), '\0');
    const char* const some_key = key.empty() ? "" : key.data();  // a null pointer would mean the key of the call before
    expect(HMAC(function_of(hash), some_key, static_cast<int>(key.size()), octets_of(octets), octets.size(), octets_of(result), nullptr) !=
           nullptr);
    return result;
}

std::string stretch(Hash hash, std::string_view password, std::string_view salt, std::uint32_t iterations) {
    std::string result(hash_size(hash), '\0');
    expect(PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), octets_of(salt), static_cast<int>(salt.size()),
                             static_cast<int>(iterations), function_of(hash), static_cast<int>(result.size()), octets_of(result)) == 1);
    return result;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void wipe(std::string& secret) {
    OPENSSL_cleanse(secret.data(), secret.size());
    secret.clear();
}

}  // namespace thurn::sasl
