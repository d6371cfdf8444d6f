#pragma once

#include "base/result.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include <openssl/evp.h>

namespace thurn::mailauth {

template <auto Free>
struct FreeWith {
    template <class T>
    void operator()(T* object) const {
        Free(object);
    }
};

/// SHA-256 of octets that come in pieces.
class Sha256 {
public:
    Sha256();
    void update(std::string_view octets);
    [[nodiscard]] std::string snapshot() const;  // of all so far; goes on
    [[nodiscard]] std::string finish();

private:
    std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>> context_;
};
[[nodiscard]] std::string sha256(std::string_view octets);

/// What `k=` of a key record and the first half of `a=` name.
enum class KeyType { rsa, ed25519 };
[[nodiscard]] std::string_view name_of(KeyType type);

/// What `p=` of a key record holds.
///
/// Limits   RSA keys of more than 8192 bits, and exponents of more than 64, are refused before any arithmetic is done with them.
/// Threads  verify() may be called from many.
class PublicKey {
public:
    /// RSA: SubjectPublicKeyInfo, or RSAPublicKey alone as RFC 6376 §3.6.1 says and some publish. Ed25519: 32 octets (RFC 8463 §4).
    /// Errors   `syntax`: no such key. `too_long`: see Limits.
    [[nodiscard]] static base::Result<PublicKey> read(KeyType type, std::string_view octets);
    [[nodiscard]] KeyType type() const { return type_; }
    [[nodiscard]] std::size_t bits() const;
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8301), or Ed25519 over the SHA-256 digest (RFC 8463 §3).
    [[nodiscard]] bool verify(std::string_view digest, std::string_view signature) const;

private:
    using Key = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
    PublicKey(KeyType type, Key key) : type_(type), key_(std::move(key)) {}
    KeyType type_;
    Key key_;
};

/// What signs. Never printed but by pem().
class PrivateKey {
public:
    /// PEM, PKCS#8 or PKCS#1, without a passphrase; or the 32 octets of an Ed25519 key in base64, as RFC 8463 §A.2 prints them.
    /// Errors   `syntax`: nothing of the kind. `invalid`: of another algorithm, or RSA below 1024 bits (RFC 8301 §3.2).
    [[nodiscard]] static base::Result<PrivateKey> read(std::string_view text);
    /// A new key; RSA with 2048 bits. Takes its numbers from the system. Throws when there are none.
    [[nodiscard]] static PrivateKey generate(KeyType type);

    [[nodiscard]] KeyType type() const { return type_; }
    [[nodiscard]] std::size_t bits() const;
    [[nodiscard]] std::string sign(std::string_view digest) const;
    /// PKCS#8 between its PEM lines.
    [[nodiscard]] std::string pem() const;
    /// As PublicKey::read() takes it: what goes into `p=`.
    [[nodiscard]] std::string public_key() const;

private:
    using Key = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
    PrivateKey(KeyType type, Key key) : type_(type), key_(std::move(key)) {}
    KeyType type_;
    Key key_;
};

}  // namespace thurn::mailauth
