#include "storage/signed_token.h"

#include "base/base64url.h"

#include <functional>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

namespace thurn::storage {
namespace {

namespace json = boost::json;
using base::encode_base64url;
using testing::HasSubstr;

using KeyPtr = std::unique_ptr<EVP_PKEY, decltype([](EVP_PKEY* key) { EVP_PKEY_free(key); })>;

std::string parameter(EVP_PKEY* key, const char* name) {
    BIGNUM* number = nullptr;
    EVP_PKEY_get_bn_param(key, name, &number);
    std::string octets(static_cast<std::size_t>(BN_num_bytes(number)), '\0');
    BN_bn2bin(number, reinterpret_cast<unsigned char*>(octets.data()));
    BN_free(number);
    return octets;
}

std::string padded(std::string octets) { return std::string(32 - octets.size(), '\0') + octets; }

/// Someone who gives out tokens.
struct Issuer {
    enum class Kind { rsa, ec, ed };
    Kind kind;
    KeyPtr key;

    explicit Issuer(Kind of) : kind(of) {
        key.reset(of == Kind::rsa  ? EVP_RSA_gen(2048)
                  : of == Kind::ec ? EVP_EC_gen("P-256")
                                   : EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    }
    [[nodiscard]] std::string algorithm() const { return kind == Kind::rsa ? "RS256" : kind == Kind::ec ? "ES256" : "EdDSA"; }

    [[nodiscard]] json::object published(const std::string& id = "k1") const {
        json::object member{{"kid", id}, {"use", "sig"}, {"alg", algorithm()}};
        if (kind == Kind::rsa) {
            member["kty"] = "RSA";
            member["n"] = encode_base64url(parameter(key.get(), OSSL_PKEY_PARAM_RSA_N));
            member["e"] = encode_base64url(parameter(key.get(), OSSL_PKEY_PARAM_RSA_E));
        } else if (kind == Kind::ec) {
            member["kty"] = "EC";
            member["crv"] = "P-256";
            member["x"] = encode_base64url(padded(parameter(key.get(), OSSL_PKEY_PARAM_EC_PUB_X)));
            member["y"] = encode_base64url(padded(parameter(key.get(), OSSL_PKEY_PARAM_EC_PUB_Y)));
        } else {
            std::string x(32, '\0');
            std::size_t size = x.size();
            EVP_PKEY_get_raw_public_key(key.get(), reinterpret_cast<unsigned char*>(x.data()), &size);
            member["kty"] = "OKP";
            member["crv"] = "Ed25519";
            member["x"] = encode_base64url(x);
        }
        return member;
    }
    [[nodiscard]] TokenKeys keys() const { return TokenKeys::parse(json::serialize(json::object{{"keys", {published()}}})).value(); }

    [[nodiscard]] std::string sign(const json::object& header, const json::object& claims) const {
        const auto text = encode_base64url(json::serialize(header)) + '.' + encode_base64url(json::serialize(claims));
        return text + '.' + encode_base64url(signature(text));
    }
    [[nodiscard]] std::string sign(const json::object& claims) const { return sign({{"alg", algorithm()}, {"kid", "k1"}}, claims); }

    [[nodiscard]] std::string signature(const std::string& text) const {
        EVP_MD_CTX* const context = EVP_MD_CTX_new();
        EVP_DigestSignInit(context, nullptr, kind == Kind::ed ? nullptr : EVP_sha256(), nullptr, key.get());
        std::string octets(512, '\0');
        std::size_t size = octets.size();
        EVP_DigestSign(context, reinterpret_cast<unsigned char*>(octets.data()), &size, reinterpret_cast<const unsigned char*>(text.data()),
                       text.size());
        EVP_MD_CTX_free(context);
        octets.resize(size);
        return kind == Kind::ec ? raw(octets) : octets;
    }
    static std::string raw(const std::string& der) {
        const auto* at = reinterpret_cast<const unsigned char*>(der.data());
        ECDSA_SIG* const parts = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
        std::string octets(64, '\0');
        auto* const out = reinterpret_cast<unsigned char*>(octets.data());
        BN_bn2binpad(ECDSA_SIG_get0_r(parts), out, 32);
        BN_bn2binpad(ECDSA_SIG_get0_s(parts), out + 32, 32);
        ECDSA_SIG_free(parts);
        return octets;
    }
};

constexpr std::int64_t kNow = 1'700'000'000;
const base::Time kTime{std::chrono::seconds(kNow)};
const TokenExpectations kExpected{.issuer = "https://id.example", .audience = "mail"};

json::object claims() { return {{"iss", "https://id.example"}, {"aud", "mail"}, {"exp", kNow + 300}, {"email", "anna@example.org"}}; }

class SignedTokenTest : public testing::TestWithParam<Issuer::Kind> {
protected:
    Issuer issuer_{GetParam()};
    TokenKeys keys_ = issuer_.keys();
};

TEST_P(SignedTokenTest, IsBelieved) {
    EXPECT_EQ(verify_token(issuer_.sign(claims()), keys_, kExpected, kTime), "anna@example.org");
    EXPECT_EQ(verify_token(issuer_.sign({{"alg", issuer_.algorithm()}}, claims()), keys_, kExpected, kTime), "anna@example.org")
        << "which key it was need not be said";
}

TEST_P(SignedTokenTest, OfAnotherKeyIsNot) {
    const Issuer other(GetParam());
    const auto verified = verify_token(other.sign(claims()), keys_, kExpected, kTime);
    ASSERT_FALSE(verified);
    EXPECT_EQ(verified.error().kind, base::ErrorKind::refused);
    const auto unknown = verify_token(other.sign({{"alg", other.algorithm()}, {"kid", "k2"}}, claims()), keys_, kExpected, kTime);
    EXPECT_EQ(unknown.error().kind, base::ErrorKind::not_found) << "newer keys may help";
}

TEST_P(SignedTokenTest, ThatWasChangedIsNot) {
    const auto token = issuer_.sign(claims());
    const auto dot = token.find('.');
    for (const auto at : {std::size_t{3}, dot + 5, token.rfind('.') + 5}) {
        auto changed = token;
        changed[at] = changed[at] == 'A' ? 'B' : 'A';
        EXPECT_FALSE(verify_token(changed, keys_, kExpected, kTime)) << at;
    }
    EXPECT_FALSE(verify_token(token.substr(0, token.rfind('.') + 1), keys_, kExpected, kTime)) << "no signature";
    EXPECT_FALSE(verify_token(token.substr(0, token.size() - 8), keys_, kExpected, kTime)) << "cut";
    EXPECT_FALSE(verify_token(token + ".x", keys_, kExpected, kTime));
}

TEST_P(SignedTokenTest, MustSayWhatIsExpected) {
    struct Row {
        std::function<void(json::object&)> change;
        std::string reason;  // empty: fine all the same
    };
    const std::vector<Row> rows{
        {[](auto& c) { c["iss"] = "https://evil.example"; }, "another issuer"},
        {[](auto& c) { c.erase("iss"); }, "another issuer"},
        {[](auto& c) { c["aud"] = "calendar"; }, "for others"},
        {[](auto& c) { c["aud"] = json::array{"calendar", "mail"}; }, ""},
        {[](auto& c) { c["aud"] = json::array{"calendar", 7}; }, "for others"},
        {[](auto& c) { c.erase("aud"); }, "for others"},
        {[](auto& c) { c["exp"] = kNow - 61; }, "expired"},
        {[](auto& c) { c["exp"] = kNow - 30; }, ""},
        {[](auto& c) { c["exp"] = static_cast<double>(kNow) + 0.5; }, ""},
        {[](auto& c) { c["exp"] = "never"; }, "until when"},
        {[](auto& c) { c.erase("exp"); }, "until when"},
        {[](auto& c) { c["nbf"] = kNow + 61; }, "not good yet"},
        {[](auto& c) { c["nbf"] = kNow + 30; }, ""},
        {[](auto& c) { c.erase("email"); }, "names no email"},
        {[](auto& c) { c["email"] = 7; }, "names no email"},
    };
    for (const auto& row : rows) {
        auto changed = claims();
        row.change(changed);
        const auto verified = verify_token(issuer_.sign(changed), keys_, kExpected, kTime);
        if (row.reason.empty())
            EXPECT_TRUE(verified) << json::serialize(changed);
        else
            EXPECT_THAT(verified ? "believed" : verified.error().detail, HasSubstr(row.reason)) << json::serialize(changed);
    }
}

/// RFC 8725 §2.1: what others fell for.
TEST_P(SignedTokenTest, CannotChooseAWeakAlgorithm) {
    for (const auto* algorithm : {"none", "None", "HS256", "RS1", "", "rs256"}) {
        const auto verified = verify_token(issuer_.sign({{"alg", algorithm}, {"kid", "k1"}}, claims()), keys_, kExpected, kTime);
        ASSERT_FALSE(verified) << algorithm;
        EXPECT_EQ(verified.error().kind, base::ErrorKind::refused);
    }
    const json::object critical{{"alg", issuer_.algorithm()}, {"kid", "k1"}, {"crit", {"exp"}}};
    EXPECT_FALSE(verify_token(issuer_.sign(critical, claims()), keys_, kExpected, kTime));
}

INSTANTIATE_TEST_SUITE_P(, SignedTokenTest, testing::Values(Issuer::Kind::rsa, Issuer::Kind::ec, Issuer::Kind::ed), [](const auto& row) {
    return row.param == Issuer::Kind::rsa ? "Rs256" : row.param == Issuer::Kind::ec ? "Es256" : "EdDsa";
});

TEST(SignedToken, OfAnotherKindOfKeyIsNot) {
    const Issuer rsa(Issuer::Kind::rsa);
    const Issuer ec(Issuer::Kind::ec);
    EXPECT_EQ(verify_token(ec.sign(claims()), rsa.keys(), kExpected, kTime).error().kind, base::ErrorKind::not_found);
}

TEST(SignedToken, ThatIsNoneIsRefused) {
    const auto keys = Issuer(Issuer::Kind::ed).keys();
    for (const std::string& token : {std::string(), std::string("."), std::string(".."), std::string("a.b.c"), std::string("e30.e30.e30"),
                                     std::string(20'000, 'a'), std::string(10'000, '.'), std::string("\0\0.\0.\0", 7)}) {
        const auto verified = verify_token(token, keys, kExpected, kTime);
        ASSERT_FALSE(verified);
        EXPECT_EQ(verified.error().kind, base::ErrorKind::refused);
    }
}

TEST(TokenKeys, AreThoseThatCanBeUsed) {
    const Issuer issuer(Issuer::Kind::ec);
    const Issuer small(Issuer::Kind::ed);
    auto encryption = issuer.published();
    encryption["use"] = "enc";
    auto other_curve = issuer.published();
    other_curve["crv"] = "P-521";
    auto off_the_curve = issuer.published();
    off_the_curve["x"] = off_the_curve["y"];
    const json::object set{
        {"keys", {encryption, other_curve, off_the_curve, 7, json::object{{"kty", "oct"}, {"k", "AAAA"}}, issuer.published()}}};
    EXPECT_EQ(TokenKeys::parse(json::serialize(set)).value().size(), 1U);
    for (const auto* text : {"", "[]", "{}", R"({"keys":7})", R"({"keys":[)"})
        EXPECT_EQ(TokenKeys::parse(text).error().kind, base::ErrorKind::syntax) << text;
    EXPECT_EQ(TokenKeys::parse(R"({"keys":[]})").error().kind, base::ErrorKind::invalid);
}

}  // namespace
}  // namespace thurn::storage
