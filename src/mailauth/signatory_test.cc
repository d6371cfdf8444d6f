#include "mailauth/signatory.h"

#include "mailauth/dkim_key.h"
#include "mailauth/signature_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::mailauth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr base::Time kNow{std::chrono::seconds(1'700'000'000)};

SigningKey key_of(const std::string& domain, const std::string& selector, KeyType type = KeyType::ed25519) {
    return {.domain = domain, .selector = selector, .key = std::make_shared<const PrivateKey>(PrivateKey::generate(type))};
}

std::shared_ptr<const Signatory> signatory_of(std::vector<SigningKey> keys, std::string fallback = {}) {
    return std::make_shared<const Signatory>(Signatory::Options{.keys = std::move(keys), .fallback_domain = std::move(fallback)});
}

std::vector<std::string> selectors(const std::vector<const SigningKey*>& keys) {
    std::vector<std::string> names;
    for (const auto* key : keys) names.push_back(key->domain + " " + key->selector);
    return names;
}

TEST(Signatory, TakesTheKeysOfTheNearestDomain) {
    const auto signatory =
        signatory_of({key_of("a.example", "one"), key_of("a.example", "two"), key_of("news.a.example", "n")}, "a.example");
    EXPECT_THAT(selectors(signatory->keys_for("a.example", kNow)), ElementsAre("a.example one", "a.example two"));
    EXPECT_THAT(selectors(signatory->keys_for("news.a.example", kNow)), ElementsAre("news.a.example n"));
    EXPECT_THAT(selectors(signatory->keys_for("deep.news.a.example", kNow)), ElementsAre("news.a.example n"));
    EXPECT_THAT(selectors(signatory->keys_for("other.a.example", kNow)), ElementsAre("a.example one", "a.example two"));
    EXPECT_THAT(selectors(signatory->keys_for("b.example", kNow)), ElementsAre("a.example one", "a.example two")) << "the fallback";
    EXPECT_THAT(selectors(signatory->keys_for("", kNow)), ElementsAre("a.example one", "a.example two"));
}

TEST(Signatory, LetsTheThirdPartySignBesidesAndSealNothing) {
    const Signatory signatory({.keys = {key_of("a.example", "one"), key_of("p.example", "two", KeyType::rsa)},
                               .fallback_domain = {},
                               .third_party_domain = "p.example"});
    EXPECT_THAT(selectors(signatory.keys_for("a.example", kNow)), ElementsAre("a.example one", "p.example two"));
    EXPECT_THAT(selectors(signatory.keys_for("b.example", kNow)), ElementsAre("p.example two"));
    EXPECT_THAT(selectors(signatory.keys_for("p.example", kNow)), ElementsAre("p.example two")) << "once";
    EXPECT_EQ(signatory.sealing_key("a.example", kNow)->selector, "one");
    EXPECT_EQ(signatory.sealing_key("b.example", kNow), nullptr);
}

TEST(Signatory, SignsForNobodyElseWithoutAFallback) {
    const auto signatory = signatory_of({key_of("a.example", "one")});
    EXPECT_THAT(signatory->keys_for("b.example", kNow), IsEmpty());
    EXPECT_THAT(signatory->keys_for("nota.example", kNow), IsEmpty());
    EXPECT_THAT(signatory->keys_for("example", kNow), IsEmpty());
    EXPECT_THAT(signatory->keys_for("", kNow), IsEmpty());
}

TEST(Signatory, GoesByTheTimesOfKeys) {
    auto old_key = key_of("a.example", "old");
    old_key.until = kNow;
    auto new_key = key_of("a.example", "new");
    new_key.from = kNow;
    const auto signatory = signatory_of({old_key, new_key});
    EXPECT_THAT(selectors(signatory->keys_for("a.example", kNow - base::Duration(1))), ElementsAre("a.example old"));
    EXPECT_THAT(selectors(signatory->keys_for("a.example", kNow)), ElementsAre("a.example new"));
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

TEST(SignMessage, SignsWithEveryKeyAndVerifies) {
    const std::vector keys = {key_of("a.example", "e"), key_of("a.example", "r", KeyType::rsa)};
    const auto fields = sign_message(signatory_of(keys), kMessage, kNow);
    ASSERT_TRUE(fields);
    const auto verdicts = verify(*fields + std::string(kMessage), keys);
    ASSERT_EQ(verdicts.size(), 2U);
    for (const auto& verdict : verdicts) EXPECT_EQ(verdict.result, DkimResult::pass) << verdict.reason;
}

TEST(SignMessage, LeavesTheMailOfOthersAlone) {
    EXPECT_EQ(sign_message(signatory_of({key_of("b.example", "e")}), kMessage, kNow), "");
    EXPECT_EQ(sign_message(signatory_of({}), kMessage, kNow), "");
}

TEST(SignMessage, RefusesAHeaderThatIsNone) {
    EXPECT_FALSE(sign_message(signatory_of({key_of("a.example", "e")}), "From: a@a.example\r\nno field\r\n\r\nx\r\n", kNow));
}

TEST(Signatory, TellsWhyNothingIsSigned) {
    auto later = key_of("a.example", "later");
    later.from = kNow + std::chrono::hours(1);
    auto over = key_of("b.example", "over");
    over.until = kNow;
    const auto signatory = signatory_of({later, over});
    EXPECT_EQ(signatory->why_unsigned("a.example", kNow), "the key for a.example signs from 2023-11-14T23:13:20.000Z on");
    EXPECT_EQ(signatory->why_unsigned("b.example", kNow), "all keys for b.example have ended");
    EXPECT_EQ(signatory->why_unsigned("c.example", kNow), "there is no key for c.example");
    EXPECT_EQ(signatory->why_unsigned("", kNow), "there is no author's domain in From");
}

TEST(MessageSigning, TellsItsKeys) {
    MessageSigning signing(signatory_of({key_of("a.example", "e"), key_of("a.example", "r", KeyType::rsa)}), std::string(kMessage), kNow);
    EXPECT_EQ(signing.keys(), "d=a.example s=e a=ed25519-sha256, d=a.example s=r a=rsa-sha256");
    EXPECT_EQ(signing.reason(), "");
    EXPECT_EQ(MessageSigning(signatory_of({}), std::string(kMessage), kNow).reason(), "there is no key for a.example");
}

}  // namespace
}  // namespace thurn::mailauth
