#include "storage/signed_token.h"

#include "base/base64url.h"

#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include <boost/json.hpp>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

namespace thurn::storage {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxToken = 16384;
constexpr double kLeeway = 60;  // seconds that clocks may differ

struct Free {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    void operator()(OSSL_PARAM_BLD* builder) const { OSSL_PARAM_BLD_free(builder); }
    void operator()(OSSL_PARAM* parameters) const { OSSL_PARAM_free(parameters); }
    void operator()(BIGNUM* number) const { BN_free(number); }
    void operator()(ECDSA_SIG* signature) const { ECDSA_SIG_free(signature); }
};
template <class T>
using Ptr = std::unique_ptr<T, Free>;

enum class Algorithm { rs256, es256, eddsa };

std::optional<Algorithm> parse_algorithm(std::string_view name) {
    if (name == "RS256") return Algorithm::rs256;
    if (name == "ES256") return Algorithm::es256;
    if (name == "EdDSA") return Algorithm::eddsa;
    return std::nullopt;
}

const unsigned char* bytes(std::string_view octets) { return reinterpret_cast<const unsigned char*>(octets.data()); }

Ptr<BIGNUM> number(std::string_view octets) { return Ptr<BIGNUM>(BN_bin2bn(bytes(octets), static_cast<int>(octets.size()), nullptr)); }

/// A member that is a text; empty: there is none.
std::string_view text_of(const json::object& object, std::string_view name) {
    const auto* const member = object.if_contains(name);
    const auto* const text = member ? member->if_string() : nullptr;
    return text ? std::string_view(*text) : std::string_view();
}

std::string octets_of(const json::object& object, std::string_view name) {
    return base::decode_base64url(text_of(object, name)).value_or(std::string());
}

Ptr<EVP_PKEY> make_key(const char* kind, OSSL_PARAM_BLD* builder) {
    const Ptr<OSSL_PARAM> parameters(OSSL_PARAM_BLD_to_param(builder));
    const Ptr<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_from_name(nullptr, kind, nullptr));
    EVP_PKEY* key = nullptr;
    if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1) return nullptr;
    if (EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) return nullptr;
    return Ptr<EVP_PKEY>(key);
}

Ptr<EVP_PKEY> make_rsa(const json::object& member) {
    const auto modulus = number(octets_of(member, "n"));
    const auto exponent = number(octets_of(member, "e"));
    const Ptr<OSSL_PARAM_BLD> builder(OSSL_PARAM_BLD_new());
    if (!modulus || !exponent || BN_num_bits(modulus.get()) < 2048) return nullptr;  // RFC 7518 §3.3
    if (!builder || OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) != 1 ||
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) != 1)
        return nullptr;
    return make_key("RSA", builder.get());
}

Ptr<EVP_PKEY> make_p256(const json::object& member) {
    const auto x = octets_of(member, "x");
    const auto y = octets_of(member, "y");
    const Ptr<OSSL_PARAM_BLD> builder(OSSL_PARAM_BLD_new());
    if (text_of(member, "crv") != "P-256" || x.size() != 32 || y.size() != 32 || !builder) return nullptr;  // RFC 7518 §6.2.1
    const std::string point = '\4' + x + y;
    if (OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) != 1)
        return nullptr;
    return make_key("EC", builder.get());
}

Ptr<EVP_PKEY> make_ed25519(const json::object& member) {
    const auto x = octets_of(member, "x");
    if (text_of(member, "crv") != "Ed25519" || x.size() != 32) return nullptr;  // RFC 8037 §2
    return Ptr<EVP_PKEY>(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes(x), x.size()));
}

/// R and S one behind the other (RFC 7518 §3.4), as OpenSSL wants them; empty: no such signature.
std::string der_signature(std::string_view raw) {
    if (raw.size() != 64) return {};
    const Ptr<ECDSA_SIG> signature(ECDSA_SIG_new());
    if (!signature || ECDSA_SIG_set0(signature.get(), number(raw.substr(0, 32)).release(), number(raw.substr(32)).release()) != 1)
        return {};
    unsigned char* der = nullptr;
    const int size = i2d_ECDSA_SIG(signature.get(), &der);
    if (size <= 0) return {};
    std::string octets(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
    OPENSSL_free(der);
    return octets;
}

bool is_signature_of(std::string_view text, std::string_view signature, EVP_PKEY* key, const EVP_MD* hash) {
    ERR_clear_error();
    const Ptr<EVP_MD_CTX> context(EVP_MD_CTX_new());
    const bool good = context && EVP_DigestVerifyInit(context.get(), nullptr, hash, nullptr, key) == 1 &&
                      EVP_DigestVerify(context.get(), bytes(signature), signature.size(), bytes(text), text.size()) == 1;
    ERR_clear_error();
    return good;
}

std::unexpected<base::Error> refuse(std::string_view why) { return base::fail(base::ErrorKind::refused, std::string(why)); }

base::Result<json::object> parse_object(std::string_view base64url) {
    const auto octets = base::decode_base64url(base64url);
    if (!octets) return refuse("the token is not in base64url");
    json::error_code failed;
    auto value = json::parse(*octets, failed, {}, {.max_depth = 8});
    if (failed || !value.is_object()) return refuse("the token holds no JSON object");
    return std::move(value.as_object());
}

/// `name` in seconds since 1970 (RFC 7519 §2), which may have a fraction.
std::optional<double> seconds_of(const json::object& claims, std::string_view name) {
    const auto* const member = claims.if_contains(name);
    if (!member || !member->is_number()) return std::nullopt;
    json::error_code failed;
    const auto value = member->to_number<double>(failed);
    return failed || !std::isfinite(value) ? std::nullopt : std::optional(value);
}

/// One text or a list of them (RFC 7519 §4.1.3).
bool is_meant_for(const json::object& claims, std::string_view audience) {
    const auto* const member = claims.if_contains("aud");
    if (!member) return false;
    if (const auto* const text = member->if_string()) return *text == audience;
    const auto* const list = member->if_array();
    if (!list) return false;
    for (const auto& entry : *list)
        if (entry.is_string() && entry.as_string() == audience) return true;
    return false;
}

base::Result<std::string> login_in(const json::object& claims, const TokenExpectations& expected, base::Time now) {
    const double seconds = std::chrono::duration<double>(now.time_since_epoch()).count();
    const auto until = seconds_of(claims, "exp");
    const auto from = seconds_of(claims, "nbf");
    if (text_of(claims, "iss") != expected.issuer) return refuse("the token is of another issuer");
    if (!is_meant_for(claims, expected.audience)) return refuse("the token is meant for others");
    if (!until || seconds > *until + kLeeway)
        return refuse(until ? "the token has expired" : "the token does not say until when it is good");
    if (from && seconds < *from - kLeeway) return refuse("the token is not good yet");
    const auto login = text_of(claims, expected.login_claim);
    if (login.empty()) return refuse("the token names no " + expected.login_claim);
    return std::string(login);
}

}  // namespace

struct TokenKeys::Key {
    std::string id;  // may be empty
    Algorithm algorithm;
    Ptr<EVP_PKEY> key;
};

namespace {

/// nullopt: of another kind, or not for signatures.
std::optional<TokenKeys::Key> parse_key(const json::object& member) {
    const auto use = text_of(member, "use");
    if (!use.empty() && use != "sig") return std::nullopt;
    const auto kind = text_of(member, "kty");
    const auto algorithm = kind == "RSA" ? Algorithm::rs256 : kind == "EC" ? Algorithm::es256 : Algorithm::eddsa;
    const auto named = text_of(member, "alg");
    if (!named.empty() && parse_algorithm(named) != algorithm) return std::nullopt;  // RFC 8725 §3.1: a key is for one algorithm
    auto key = kind == "RSA" ? make_rsa(member) : kind == "EC" ? make_p256(member) : kind == "OKP" ? make_ed25519(member) : nullptr;
    ERR_clear_error();
    if (!key) return std::nullopt;
    return TokenKeys::Key{std::string(text_of(member, "kid")), algorithm, std::move(key)};
}

bool is_signed_by(std::string_view text, std::string_view signature, const TokenKeys::Key& key) {
    switch (key.algorithm) {
        case Algorithm::rs256:
            return is_signature_of(text, signature, key.key.get(), EVP_sha256());
        case Algorithm::es256:
            return is_signature_of(text, der_signature(signature), key.key.get(), EVP_sha256());
        case Algorithm::eddsa:
            return is_signature_of(text, signature, key.key.get(), nullptr);
    }
    return false;
}

}  // namespace

std::size_t TokenKeys::size() const { return keys_.size(); }
TokenKeys::~TokenKeys() = default;
TokenKeys::TokenKeys(TokenKeys&&) noexcept = default;
TokenKeys& TokenKeys::operator=(TokenKeys&&) noexcept = default;

base::Result<TokenKeys> TokenKeys::parse(std::string_view text) {
    json::error_code failed;
    const auto value = json::parse(text, failed, {}, {.max_depth = 8});
    const auto* const set = !failed ? value.if_object() : nullptr;
    const auto* const member = set ? set->if_contains("keys") : nullptr;
    const auto* const list = member ? member->if_array() : nullptr;
    if (!list) return base::fail(base::ErrorKind::syntax, "not a JSON Web Key Set");
    TokenKeys keys;
    for (const auto& entry : *list) {
        const auto* const object = entry.if_object();
        if (auto key = object ? parse_key(*object) : std::nullopt) keys.keys_.push_back(*std::move(key));
    }
    if (keys.keys_.empty()) return base::fail(base::ErrorKind::invalid, "the key set holds no key for RS256, ES256 or EdDSA");
    return keys;
}

base::Result<std::string> verify_token(std::string_view token, const TokenKeys& keys, const TokenExpectations& expected, base::Time now) {
    const auto first = token.find('.');
    const auto last = token.rfind('.');
    if (token.size() > kMaxToken || first == std::string_view::npos || token.find('.', first + 1) != last)
        return refuse("not a signed token");
    auto header = parse_object(token.substr(0, first));
    if (!header) return base::pass_on(header);
    const auto algorithm = parse_algorithm(text_of(*header, "alg"));
    if (!algorithm) return refuse("the token is not signed by RS256, ES256 or EdDSA");
    if (header->contains("crit")) return refuse("the token demands what is not understood");  // RFC 7515 §4.1.11
    const auto signature = base::decode_base64url(token.substr(last + 1));
    if (!signature) return refuse("the signature is not in base64url");
    const auto id = text_of(*header, "kid");
    bool known = false;
    for (const auto& key : keys.all()) {
        if (key.algorithm != *algorithm || (!id.empty() && !key.id.empty() && key.id != id)) continue;
        known = true;
        if (!is_signed_by(token.substr(0, last), *signature, key)) continue;
        auto claims = parse_object(token.substr(first + 1, last - first - 1));
        if (!claims) return base::pass_on(claims);
        return login_in(*claims, expected, now);
    }
    if (!known) return base::fail(base::ErrorKind::not_found, "the token is signed with a key that is not in the set");
    return refuse("the signature is wrong");
}

}  // namespace thurn::storage
