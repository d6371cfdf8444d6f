#include "mailauth/dkim_crypto.h"

#include "base/base64.h"
#include "mailauth/dkim_tag_list.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <stdexcept>

#include <openssl/err.h>

namespace thurn::mailauth {
namespace {

constexpr std::size_t kMaxRsaBits = 8192;
constexpr std::size_t kMaxExponent = 8;  // octets
constexpr std::size_t kMinRsaBits = 1024;
constexpr std::size_t kNewRsaBits = 2048;
constexpr std::size_t kEd25519Octets = 32;
constexpr std::size_t kPemLine = 64;

// DER (X.690): the few pieces keys are made of.
constexpr char kSequence = 0x30;
constexpr char kInteger = 0x02;
constexpr char kBitString = 0x03;
constexpr char kOctetString = 0x04;
constexpr std::string_view kRsaAlgorithm("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00", 15);  // rsaEncryption, NULL
constexpr std::string_view kEd25519Algorithm("\x30\x05\x06\x03\x2b\x65\x70", 7);
constexpr std::string_view kVersion0("\x02\x01\x00", 3);

using KeyContext = std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>>;
using HashContext = std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>>;
using Key = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;

const unsigned char* octets_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* octets_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

/// OpenSSL leaves why it failed in a queue of the thread, where TLS would find it and take it for its own.
struct ErrorsForgotten {
    ErrorsForgotten() = default;
    ErrorsForgotten(const ErrorsForgotten&) = delete;
    ErrorsForgotten& operator=(const ErrorsForgotten&) = delete;
    ~ErrorsForgotten() { ERR_clear_error(); }
};

/// For want of memory, or by a policy of the system's; nothing a peer can do.
void must(bool well, const char* what) {
    if (!well) throw std::runtime_error(what);
}

/// The content of an element with this tag at the front of `in`, which is put behind it.
std::optional<std::string_view> take_element(std::string_view& in, char tag) {
    if (in.size() < 2 || in[0] != tag) return std::nullopt;
    std::size_t length = static_cast<unsigned char>(in[1]);
    std::size_t head = 2;
    if (length >= 0x80) {
        const std::size_t count = length & 0x7fU;
        if (count == 0 || count > 3 || in.size() < 2 + count) return std::nullopt;  // DER has no lengths to be found out
        length = 0;
        for (; head < 2 + count; ++head) length = length << 8U | static_cast<unsigned char>(in[head]);
    }
    if (in.size() - head < length) return std::nullopt;
    const std::string_view content = in.substr(head, length);
    in.remove_prefix(head + length);
    return content;
}

std::string element(char tag, std::string_view content) {
    std::string result(1, tag);
    if (content.size() < 0x80) {
        result += static_cast<char>(content.size());
    } else {
        must(content.size() <= 0xffff, "an element too long to be of a key");
        result += static_cast<char>(content.size() <= 0xff ? 0x81 : 0x82);  // DER has the shortest form only
        if (content.size() > 0xff) result += static_cast<char>(content.size() >> 8U);
        result += static_cast<char>(content.size() & 0xffU);
    }
    return result.append(content);
}

/// The bits of an INTEGER's content; nothing for zero, negative ones and those that are padded.
std::size_t bits_of(std::string_view integer) {
    if (integer.empty() || (static_cast<unsigned char>(integer[0]) & 0x80U) != 0) return 0;
    if (integer.size() > 1 && integer[0] == 0) integer.remove_prefix(1);
    const auto first = static_cast<unsigned char>(integer[0]);
    return first == 0 ? 0 : (integer.size() - 1) * 8 + static_cast<std::size_t>(std::bit_width(first));
}

/// RSAPublicKey, out of a SubjectPublicKeyInfo where it stands in one.
std::optional<std::string_view> inner_rsa_key(std::string_view octets) {
    std::string_view rest = octets;
    auto content = take_element(rest, kSequence);
    if (!content || !rest.empty() || content->empty()) return std::nullopt;
    if (content->front() != kSequence) return octets;
    if (!content->starts_with(kRsaAlgorithm)) {
        // Parameters may be absent; the algorithm may not be another.
        auto algorithm = take_element(*content, kSequence);
        if (!algorithm || !algorithm->starts_with(kRsaAlgorithm.substr(2, 11))) return std::nullopt;
    } else {
        content->remove_prefix(kRsaAlgorithm.size());
    }
    const auto key = take_element(*content, kBitString);
    if (!key || key->empty() || key->front() != 0) return std::nullopt;
    return key->substr(1);
}

base::Result<void> check_rsa_numbers(std::string_view key) {
    const auto broken = [] { return base::fail(base::ErrorKind::syntax, "the RSA key is malformed"); };
    auto numbers = take_element(key, kSequence);
    if (!numbers || !key.empty()) return broken();
    const auto modulus = take_element(*numbers, kInteger);
    const auto exponent = take_element(*numbers, kInteger);
    if (!modulus || !exponent || !numbers->empty() || bits_of(*modulus) == 0 || bits_of(*exponent) < 2) return broken();
    if (bits_of(*modulus) > kMaxRsaBits || exponent->size() > kMaxExponent)
        return base::fail(base::ErrorKind::too_long, "the RSA key is too long");
    if ((static_cast<unsigned char>(modulus->back()) & static_cast<unsigned char>(exponent->back()) & 1U) == 0) return broken();
    return {};
}

base::Result<Key> read_rsa(std::string_view octets) {
    const auto inner = inner_rsa_key(octets);
    if (!inner) return base::fail(base::ErrorKind::syntax, "the key is no RSA key");
    if (auto well = check_rsa_numbers(*inner); !well) return base::pass_on(well);
    const unsigned char* at = octets_of(*inner);
    Key key(d2i_PublicKey(EVP_PKEY_RSA, nullptr, &at, static_cast<long>(inner->size())));
    if (!key) return base::fail(base::ErrorKind::syntax, "the RSA key is malformed");
    return key;
}

base::Result<Key> read_ed25519(std::string_view octets) {
    if (octets.size() != kEd25519Octets) return base::fail(base::ErrorKind::syntax, "an Ed25519 key has 32 octets");
    Key key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, octets_of(octets), octets.size()));
    if (!key) return base::fail(base::ErrorKind::syntax, "the Ed25519 key is malformed");
    return key;
}

/// The octets between the first pair of PEM lines that name a private key.
std::optional<std::string> decode_pem(std::string_view text) {
    for (const std::string_view label : {"PRIVATE KEY", "RSA PRIVATE KEY"}) {
        const std::string first = "-----BEGIN " + std::string(label) + "-----";
        const std::size_t begin = text.find(first);
        const std::size_t end = text.find("-----END " + std::string(label) + "-----");
        if (begin == std::string_view::npos || end == std::string_view::npos || end < begin + first.size()) continue;
        auto octets = base::decode_base64(without_space(text.substr(begin + first.size(), end - begin - first.size())));
        if (octets) return *std::move(octets);
    }
    return std::nullopt;
}

Key read_private(std::string_view text) {
    if (const auto octets = decode_pem(text)) {
        const unsigned char* at = octets_of(*octets);
        return Key(d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(octets->size())));
    }
    const auto seed = base::decode_base64(without_space(text));
    if (!seed || seed->size() != kEd25519Octets) return nullptr;
    return Key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, octets_of(*seed), seed->size()));
}

/// What `encode` writes of a key.
std::string encoded(EVP_PKEY* key, int (*encode)(const EVP_PKEY*, unsigned char**)) {
    unsigned char* octets = nullptr;
    const int size = encode(key, &octets);
    must(size > 0, "a key that cannot be written");
    std::string result(reinterpret_cast<const char*>(octets), static_cast<std::size_t>(size));
    OPENSSL_clear_free(octets, static_cast<std::size_t>(size));
    return result;
}

std::string raw(EVP_PKEY* key, int (*get)(const EVP_PKEY*, unsigned char*, std::size_t*)) {
    std::string result(kEd25519Octets, '\0');
    std::size_t size = result.size();
    must(get(key, octets_of(result), &size) == 1 && size == result.size(), "an Ed25519 key that cannot be written");
    return result;
}

}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
    must(context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1, "SHA-256 is not available");
}

void Sha256::update(std::string_view octets) {
    must(octets.empty() || EVP_DigestUpdate(context_.get(), octets.data(), octets.size()) == 1, "SHA-256 failed");
}

std::string Sha256::finish() {
    std::string digest(32, '\0');
    must(EVP_DigestFinal_ex(context_.get(), octets_of(digest), nullptr) == 1, "SHA-256 failed");
    return digest;
}

std::string Sha256::snapshot() const {
    Sha256 copy;
    must(EVP_MD_CTX_copy_ex(copy.context_.get(), context_.get()) == 1, "SHA-256 failed");
    return copy.finish();
}

std::string sha256(std::string_view octets) {
    Sha256 hash;
    hash.update(octets);
    return hash.finish();
}

std::string_view name_of(KeyType type) { return type == KeyType::rsa ? "rsa" : "ed25519"; }

base::Result<PublicKey> PublicKey::read(KeyType type, std::string_view octets) {
    const ErrorsForgotten forget;
    auto key = type == KeyType::rsa ? read_rsa(octets) : read_ed25519(octets);
    if (!key) return base::pass_on(key);
    return PublicKey(type, *std::move(key));
}

std::size_t PublicKey::bits() const { return static_cast<std::size_t>(EVP_PKEY_get_bits(key_.get())); }

bool PublicKey::verify(std::string_view digest, std::string_view signature) const {
    const ErrorsForgotten forget;
    if (type_ == KeyType::ed25519) {
        const HashContext context(EVP_MD_CTX_new());
        return context && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
               EVP_DigestVerify(context.get(), octets_of(signature), signature.size(), octets_of(digest), digest.size()) == 1;
    }
    const KeyContext context(EVP_PKEY_CTX_new(key_.get(), nullptr));
    return context && EVP_PKEY_verify_init(context.get()) == 1 && EVP_PKEY_CTX_set_signature_md(context.get(), EVP_sha256()) == 1 &&
           EVP_PKEY_verify(context.get(), octets_of(signature), signature.size(), octets_of(digest), digest.size()) == 1;
}

base::Result<PrivateKey> PrivateKey::read(std::string_view text) {
    const ErrorsForgotten forget;
    Key key = read_private(text);
    if (!key) return base::fail(base::ErrorKind::syntax, "there is no private key in it, in PEM and without a passphrase");
    const int type = EVP_PKEY_get_base_id(key.get());
    if (type == EVP_PKEY_ED25519) return PrivateKey(KeyType::ed25519, std::move(key));
    if (type != EVP_PKEY_RSA) return base::fail(base::ErrorKind::invalid, "DKIM knows RSA and Ed25519 keys only");
    if (static_cast<std::size_t>(EVP_PKEY_get_bits(key.get())) < kMinRsaBits)
        return base::fail(base::ErrorKind::invalid, "an RSA key of less than 1024 bits, which nobody trusts");
    return PrivateKey(KeyType::rsa, std::move(key));
}

PrivateKey PrivateKey::generate(KeyType type) {
    Key key(type == KeyType::rsa ? EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", kNewRsaBits)
                                 : EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    must(key != nullptr, "no key can be made");
    return {type, std::move(key)};
}

std::size_t PrivateKey::bits() const { return static_cast<std::size_t>(EVP_PKEY_get_bits(key_.get())); }

std::string PrivateKey::sign(std::string_view digest) const {
    std::string signature(static_cast<std::size_t>(EVP_PKEY_get_size(key_.get())), '\0');
    std::size_t size = signature.size();
    if (type_ == KeyType::ed25519) {
        const HashContext context(EVP_MD_CTX_new());
        must(context && EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
                 EVP_DigestSign(context.get(), octets_of(signature), &size, octets_of(digest), digest.size()) == 1,
             "Ed25519 does not sign");
    } else {
        const KeyContext context(EVP_PKEY_CTX_new(key_.get(), nullptr));
        must(context && EVP_PKEY_sign_init(context.get()) == 1 && EVP_PKEY_CTX_set_signature_md(context.get(), EVP_sha256()) == 1 &&
                 EVP_PKEY_sign(context.get(), octets_of(signature), &size, octets_of(digest), digest.size()) == 1,
             "RSA does not sign");
    }
    signature.resize(size);
    return signature;
}

std::string PrivateKey::pem() const {
    const bool rsa = type_ == KeyType::rsa;
    std::string inner = rsa ? encoded(key_.get(), i2d_PrivateKey) : element(kOctetString, raw(key_.get(), EVP_PKEY_get_raw_private_key));
    const std::string algorithm(rsa ? kRsaAlgorithm : kEd25519Algorithm);
    std::string base64 = base::encode_base64(element(kSequence, std::string(kVersion0) + algorithm + element(kOctetString, inner)));
    std::string text = "-----BEGIN PRIVATE KEY-----\n";
    for (std::size_t at = 0; at < base64.size(); at += kPemLine) text += base64.substr(at, kPemLine) + "\n";
    OPENSSL_cleanse(inner.data(), inner.size());
    OPENSSL_cleanse(base64.data(), base64.size());
    return text + "-----END PRIVATE KEY-----\n";
}

std::string PrivateKey::public_key() const {
    if (type_ == KeyType::ed25519) return raw(key_.get(), EVP_PKEY_get_raw_public_key);
    const std::string key = encoded(key_.get(), i2d_PublicKey);
    return element(kSequence, std::string(kRsaAlgorithm) + element(kBitString, '\0' + key));
}

}  // namespace thurn::mailauth
