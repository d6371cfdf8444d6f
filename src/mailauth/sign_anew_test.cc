#include "mailauth/sign_anew.h"

#include "mailauth/arc_seal.h"
#include "mailauth/dkim_key.h"
#include "mailauth/signature_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::mailauth {
namespace {

using testing::HasSubstr;

constexpr base::Time kNow{std::chrono::seconds(1'700'000'000)};

SigningKey key_of(const std::string& domain, const std::string& selector, KeyType type = KeyType::ed25519) {
    return {.domain = domain, .selector = selector, .key = std::make_shared<const PrivateKey>(PrivateKey::generate(type))};
}

std::shared_ptr<const Signatory> signatory_of(std::vector<SigningKey> keys, std::string fallback = {}) {
    return std::make_shared<const Signatory>(Signatory::Options{.keys = std::move(keys), .fallback_domain = std::move(fallback)});
}

constexpr std::string_view kMessage = "From: Anna <anna@a.example>\r\nTo: b@b.example\r\nSubject: x\r\n\r\nHello.\r\n";

/// Verifies with the public keys of `keys`.
SignatureFindings check(const std::string& message, const std::vector<SigningKey>& keys) {
    const auto body = message.find("\r\n\r\n") + 4;
    SignatureCheck checked(message.substr(0, body), {.now = std::chrono::seconds(1'700'000'001)});
    checked.feed(std::string_view(message).substr(body));
    checked.finish();
    for (const auto& question : checked.questions())
        for (const auto& key : keys)
            if (question.name == key.selector + "._domainkey." + key.domain)
                checked.answer(question, {.status = dns::Status::ok,
                                          .records = {dns::Text{render_dkim_key_record(*key.key)}},
                                          .canonical_name = {},
                                          .detail = {}});
    EXPECT_TRUE(checked.done());
    return checked.take();
}

std::vector<DkimVerdict> verify(const std::string& message, const std::vector<SigningKey>& keys) { return check(message, keys).dkim; }

/// As a conversion would change it.
std::string changed(std::string message) { return message.replace(message.find("Hello."), 6, "Hallo."); }

TEST(SignAnew, ReplacesOurSignaturesAndKeepsThoseOfOthers) {
    const std::vector ours = {key_of("a.example", "e")};
    const std::vector theirs = {key_of("a.example", "theirs")};
    const auto signatory = signatory_of(ours);
    auto message = *sign_message(signatory_of(theirs), kMessage, kNow) + std::string(kMessage);
    message = *sign_message(signatory, message, kNow) + message;
    const auto anew = sign_anew(signatory, message, changed(message), kNow);
    ASSERT_TRUE(anew);
    auto both = ours;
    both.push_back(theirs.front());
    const auto verdicts = verify(*anew, both);
    ASSERT_EQ(verdicts.size(), 2U);
    EXPECT_EQ(verdicts[0].selector, "e");
    EXPECT_EQ(verdicts[0].result, DkimResult::pass) << verdicts[0].reason;
    EXPECT_EQ(verdicts[1].selector, "theirs");
    EXPECT_EQ(verdicts[1].result, DkimResult::fail);
}

TEST(SignAnew, LeavesAMessageWithoutOurSignatureAsItIs) {
    EXPECT_EQ(sign_anew(signatory_of({key_of("a.example", "e")}), kMessage, std::string(kMessage), kNow), kMessage);
}

/// A stranger can write our names into a field; we must not make it true for him.
TEST(SignAnew, SignsNothingForASignatureThatIsMadeUp) {
    const auto ours = key_of("a.example", "e");
    const auto signatory = signatory_of({ours});
    const auto signed_by_us = *sign_message(signatory, kMessage, kNow) + std::string(kMessage);
    for (const auto& forged : {
             *sign_message(signatory_of({key_of("a.example", "e")}), kMessage, kNow) + std::string(kMessage),  // another key
             changed(signed_by_us),                                                                            // another text
             "Subject: another\r\n" + signed_by_us,
             "DKIM-Signature: v=1; a=ed25519-sha256; d=a.example; s=e; h=from; bh=; b=\r\n" + std::string(kMessage),
         })
        EXPECT_EQ(sign_anew(signatory, forged, forged, kNow), forged);
}

/// With a set of `key` on top.
std::string seal(const std::string& message, const SigningKey& key, const ArcVerdict& chain) {
    const auto body = message.find("\r\n\r\n") + 4;
    const MessageHeader header(message.substr(0, body));
    BodyHasher hasher;
    const ArcSealer sealer(header, *key.key, hasher,
                           {.domain = key.domain, .selector = key.selector, .now = std::chrono::seconds(1'700'000'000)});
    hasher.feed(std::string_view(message).substr(body));
    hasher.finish();
    return *sealer.seal(chain, "mx." + key.domain + "; spf=pass smtp.mailfrom=anna@a.example") + message;
}

TEST(SealAnew, PutsAnotherSealInThePlaceOfOurs) {
    const auto theirs = key_of("list.example", "l");
    const auto ours = key_of("b.example", "s", KeyType::rsa);
    const auto message = seal(seal(std::string(kMessage), theirs, {}), ours, {.result = ArcResult::pass, .instance = 1});
    EXPECT_EQ(check(message, {theirs, ours}).arc.result, ArcResult::pass);
    EXPECT_EQ(check(changed(message), {theirs, ours}).arc.result, ArcResult::fail);
    const auto anew = seal_anew(signatory_of({ours}), message, changed(message), kNow);
    ASSERT_TRUE(anew) << anew.error().detail;
    const auto chain = check(*anew, {theirs, ours}).arc;
    EXPECT_EQ(chain.result, ArcResult::pass) << chain.reason;
    EXPECT_EQ(chain.instance, 2U);
    EXPECT_THAT(*anew, HasSubstr("ARC-Authentication-Results: i=2; mx.b.example; spf=pass smtp.mailfrom=anna@a.example\r\n"));
}

TEST(SealAnew, LeavesTheSealsOfOthersAlone) {
    const auto theirs = key_of("list.example", "l");
    const auto signatory = signatory_of({key_of("b.example", "s")});
    EXPECT_EQ(seal_anew(signatory, kMessage, std::string(kMessage), kNow), kMessage);
    const auto sealed = seal(std::string(kMessage), theirs, {});
    EXPECT_EQ(seal_anew(signatory, sealed, changed(sealed), kNow), changed(sealed));
}

TEST(SealAnew, FailsWithoutAKeyThatSignsNow) {
    auto ours = key_of("b.example", "s");
    const auto sealed = seal(std::string(kMessage), ours, {});
    ours.until = kNow;
    EXPECT_FALSE(seal_anew(signatory_of({ours}), sealed, changed(sealed), kNow));
}

/// A true seal of ours on another message, and one that only names us.
TEST(SealAnew, SealsNothingForASealThatIsMadeUp) {
    const auto ours = key_of("b.example", "s");
    const auto signatory = signatory_of({ours});
    for (const auto& forged : {changed(seal(std::string(kMessage), ours, {})), seal(std::string(kMessage), key_of("b.example", "s"), {})})
        EXPECT_EQ(seal_anew(signatory, forged, forged, kNow), forged);
    auto results = seal(std::string(kMessage), ours, {});
    results.replace(results.find("spf=pass"), 8, "spf=fail");
    EXPECT_EQ(seal_anew(signatory, results, results, kNow), results);
}

TEST(SealAnew, SealsAChainThatFailedAsFailed) {
    const auto ours = key_of("b.example", "s");
    const auto message =
        seal(seal(std::string(kMessage), key_of("list.example", "l"), {}), ours, {.result = ArcResult::fail, .instance = 1});
    const auto anew = seal_anew(signatory_of({ours}), message, changed(message), kNow);
    ASSERT_TRUE(anew) << anew.error().detail;
    EXPECT_NE(*anew, changed(message));
    EXPECT_THAT(*anew, HasSubstr("i=2; a=ed25519-sha256; t=1700000000; cv=fail"));
}

}  // namespace
}  // namespace thurn::mailauth
