#include "base/base64.h"
#include "mailauth/arc_seal.h"
#include "mailauth/arc_verify.h"
#include "support/dkim_example.h"

#include <gtest/gtest.h>

namespace thurn::mailauth {
namespace {

using test::TextZone;

constexpr std::chrono::seconds kNow{1528637909};
constexpr std::string_view kHeader = "From: Joe <joe@football.example.com>\r\nSubject: dinner\r\n\r\n";
constexpr std::string_view kBody = "Are you hungry yet?\r\n";

ArcVerdict verify(std::string_view header, std::string_view body = kBody, const TextZone& zone = test::football_zone()) {
    const MessageHeader parsed{std::string(header)};
    BodyHasher hasher;
    ArcVerifier verifier(parsed, hasher, {.now = kNow});
    test::answer_all(verifier, zone);
    hasher.feed(body);
    hasher.finish();
    EXPECT_TRUE(verifier.done());
    return verifier.take();
}

/// The header with one more set above it, by whoever takes the chain for what is said.
std::string sealed_as(const ArcVerdict& chain, std::string_view header, std::string_view key_text = test::kTestKey,
                      std::string_view body = kBody) {
    const auto key = PrivateKey::read(key_text);
    const MessageHeader parsed{std::string(header)};
    BodyHasher hasher;
    const ArcSealer sealer(parsed, *key, hasher,
                           {.domain = "football.example.com", .selector = key->type() == KeyType::rsa ? "test" : "brisbane", .now = kNow});
    hasher.feed(body);
    hasher.finish();
    auto set = sealer.seal(chain, "mx.football.example.com;\r\n\tspf=pass smtp.mailfrom=a.example");
    EXPECT_TRUE(set) << set.error().detail;
    return set ? *set + std::string(header) : std::string(header);
}

std::string sealed(std::string_view header) { return sealed_as(verify(header), header); }

std::string replaced(std::string_view text, std::string_view what, std::string_view by) {
    std::string result(text);
    const std::size_t at = result.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return at == std::string::npos ? result : result.replace(at, what.size(), by);
}

TEST(Arc, IsNoneWithoutAnyField) {
    const auto verdict = verify(kHeader);
    EXPECT_EQ(verdict.result, ArcResult::none);
    EXPECT_EQ(verdict.instance, 0U);
}

TEST(Arc, PassesChainsOfAllLengths) {
    std::string header(kHeader);
    for (unsigned instance = 1; instance <= 50; ++instance) {
        const ArcVerdict before{.result = instance == 1 ? ArcResult::none : ArcResult::pass, .instance = instance - 1};
        header = sealed_as(before, header, instance % 2 == 0 ? test::kBrisbaneKey : test::kTestKey);
        if (instance > 4 && instance < 49) continue;
        const auto verdict = verify(header);
        ASSERT_EQ(verdict.result, ArcResult::pass) << instance << ": " << verdict.reason;
        EXPECT_EQ(verdict.instance, instance);
        EXPECT_EQ(verdict.oldest_pass, 0U);
        ASSERT_EQ(verdict.links.size(), instance);
        EXPECT_EQ(verdict.links[0].domain, "football.example.com");
        EXPECT_EQ(verdict.links[0].selector, "test");
        EXPECT_EQ(verdict.links[0].authentication_results, "mx.football.example.com;\r\n\tspf=pass smtp.mailfrom=a.example");
    }
    const MessageHeader full(header);
    BodyHasher hasher;
    const auto key = PrivateKey::read(test::kTestKey);
    const ArcSealer sealer(full, *key, hasher, {.domain = "a.example", .selector = "s"});
    hasher.finish();
    EXPECT_FALSE(sealer.seal(verify(header), "x; none")) << "RFC 8617 §4.2.1: no 51st set";
}

TEST(Arc, TellsSinceWhenTheMessageIsAsItIs) {
    std::string header = sealed(sealed(kHeader));
    header = replaced(header, "Subject: dinner", "Subject: [list] dinner");
    auto broken = verify(header);
    EXPECT_EQ(broken.result, ArcResult::fail);
    EXPECT_EQ(broken.reason, "message signature 2: signature did not verify");
    // A list that changes the message seals what it sends; the chain holds, and says from where on the message is unchanged.
    const std::string first = sealed(kHeader);
    const auto chain = verify(first);
    const MessageHeader changed(replaced(first, "Subject: dinner", "Subject: [list] dinner"));
    BodyHasher hasher;
    const auto key = PrivateKey::read(test::kTestKey);
    const ArcSealer sealer(changed, *key, hasher, {.domain = "football.example.com", .selector = "test", .now = kNow});
    hasher.feed("List footer\r\n");
    hasher.finish();
    const auto set = sealer.seal(chain, "x; none");
    ASSERT_TRUE(set);
    const auto verdict = verify(*set + replaced(first, "Subject: dinner", "Subject: [list] dinner"), "List footer\r\n");
    EXPECT_EQ(verdict.result, ArcResult::pass) << verdict.reason;
    EXPECT_EQ(verdict.oldest_pass, 2U);
}

TEST(Arc, SealsAFailedChainOnce) {
    const std::string header = replaced(sealed(kHeader), "spf=pass", "spf=fail");
    const auto verdict = verify(header);
    EXPECT_EQ(verdict.result, ArcResult::fail);
    EXPECT_EQ(verdict.reason, "seal 1: signature did not verify");
    const std::string ended = sealed(header);
    EXPECT_TRUE(ended.contains("cv=fail;")) << ended;
    const auto after = verify(ended);
    EXPECT_EQ(after.result, ArcResult::fail);
    EXPECT_TRUE(after.ended);
    EXPECT_EQ(after.instance, 2U);
    const MessageHeader parsed(ended);
    BodyHasher hasher;
    const auto key = PrivateKey::read(test::kTestKey);
    const ArcSealer sealer(parsed, *key, hasher, {.domain = "a.example", .selector = "s"});
    hasher.finish();
    EXPECT_FALSE(sealer.seal(after, "x; none"));
}

struct ChainCase {
    const char* name;
    std::string what;
    std::string by;
    std::string_view reason;
};
class ArcChainTest : public testing::TestWithParam<ChainCase> {};

/// A change of a chain of two, by which it must fail.
TEST_P(ArcChainTest, Fails) {
    static const std::string header = sealed(sealed(kHeader));
    const auto& [name, what, by, reason] = GetParam();
    const auto verdict = verify(replaced(header, what, by));
    EXPECT_EQ(verdict.result, ArcResult::fail);
    EXPECT_EQ(verdict.reason, reason);
}

INSTANTIATE_TEST_SUITE_P(
    Rfc8617Section52, ArcChainTest,
    testing::Values(ChainCase{"NoSeal", "ARC-Seal", "X-Seal", "an ARC set is not whole"},
                    ChainCase{"NoMessageSignature", "ARC-Message-Signature", "X-Signature", "an ARC set is not whole"},
                    ChainCase{"NoResults", "ARC-Authentication-Results", "X-Results", "an ARC set is not whole"},
                    ChainCase{"SealTwice", "ARC-Seal: i=2", "ARC-Seal: i=1", "an ARC set has a field twice"},
                    ChainCase{"InstanceZero", "ARC-Seal: i=2", "ARC-Seal: i=0", "an ARC field without an instance from 1 to 50"},
                    ChainCase{"Instance51", "ARC-Seal: i=2", "ARC-Seal: i=51", "an ARC field without an instance from 1 to 50"},
                    ChainCase{"NoInstance", "ARC-Seal: i=2;", "ARC-Seal:", "an ARC field without an instance from 1 to 50"},
                    ChainCase{"ResultsWithoutInstance", "Results: i=2;", "Results:", "an ARC field without an instance from 1 to 50"},
                    ChainCase{"Gap", "ARC-Seal: i=2", "ARC-Seal: i=3", "an ARC set is not whole"},
                    ChainCase{"CvNone", "cv=pass", "cv=none", "cv=none in seal 2"},
                    ChainCase{"CvOfTheFirst", "cv=none", "cv=pass", "cv=pass in seal 1"},
                    ChainCase{"CvFail", "cv=pass", "cv=fail", "the last seal says that the chain had failed"},
                    ChainCase{"CvOfTheFirstFail", "cv=none", "cv=fail", "cv=fail in seal 1"},
                    ChainCase{"CvUnknown", "cv=pass", "cv=maybe", "ARC-Seal 2: cv= is not none, pass or fail"},
                    ChainCase{"NoCv", "cv=pass; ", "", "ARC-Seal 2: cv= is missing"},
                    ChainCase{"SealWithFields", "cv=pass", "h=from; cv=pass", "ARC-Seal 2: an ARC-Seal with h="},
                    ChainCase{"SealIsSigned", "h=from:", "h=arc-seal:from:", "ARC-Message-Signature 2: h= names ARC-Seal"},
                    ChainCase{"Sha1", "ARC-Seal: i=2; a=rsa-sha256", "ARC-Seal: i=2; a=rsa-sha1",
                              "seal 2: rsa-sha1 is not trusted any more"},
                    ChainCase{"SealChanged", "ARC-Seal: i=2; a=", "ARC-Seal: i=2; x1=; a=", "seal 2: signature did not verify"},
                    ChainCase{"FirstSealChanged", "ARC-Seal: i=1; a=", "ARC-Seal: i=1; x1=; a=", "seal 2: signature did not verify"},
                    ChainCase{"FirstResultsChanged", "Results: i=1; mx.", "Results: i=1; mx2.", "seal 2: signature did not verify"},
                    ChainCase{"FromChanged", "joe@", "jim@", "message signature 2: signature did not verify"},
                    ChainCase{"FromAdded", "From: ", "From: mallory\r\nFrom: ", "message signature 2: signature did not verify"},
                    ChainCase{"NoField", "Subject: ", "no field\r\nSubject: ", "the header has a line that is no field"}),
    [](const auto& row) { return std::string(row.param.name); });

/// One set, by whoever takes any message signature for good.
std::string sealed_over(const std::string& tags, Canonicalization form) {
    const auto key = PrivateKey::read(test::kTestKey);
    const MessageHeader parsed{std::string(kHeader)};
    BodyHasher hasher;
    hasher.want({.canonicalization = form});
    hasher.feed(kBody);
    hasher.finish();
    TagWriter message("ARC-Message-Signature");
    message.put("i", "1; a=rsa-sha256; d=football.example.com; s=test; " + tags);
    message.put("bh", base::encode_base64(hasher.digest({.canonicalization = form})));
    const std::string unsigned_message = message.unsigned_field();
    const std::string signature =
        message.finish(key->sign(new_header_digest(parsed, unsigned_message, {.header = form, .fields = {"subject"}})));
    const std::string results = "ARC-Authentication-Results: i=1; a.example; none";
    TagWriter seal("ARC-Seal");
    seal.put("i", "1; a=rsa-sha256; d=football.example.com; s=test; cv=none");
    const std::string unsigned_seal = seal.unsigned_field();
    const auto without_end = std::string_view(signature).substr(0, signature.size() - 2);
    return seal.finish(key->sign(arc_seal_digest({results, without_end, unsigned_seal}))) + signature + results + "\r\n" +
           std::string(kHeader);
}

TEST(Arc, TakesMessageSignaturesAsSimpleWithoutCanonicalization) {
    EXPECT_EQ(verify(sealed_over("h=subject", Canonicalization::simple)).reason, "");
    EXPECT_EQ(verify(sealed_over("h=subject", Canonicalization::relaxed)).result, ArcResult::fail);
}

TEST(Arc, AllowsAMessageSignatureOfFewFields) {
    EXPECT_EQ(verify(sealed_over("c=relaxed/relaxed; h=subject::", Canonicalization::relaxed)).reason, "");
    EXPECT_EQ(verify(sealed_over("c=relaxed/relaxed; h=", Canonicalization::relaxed)).reason,
              "message signature 1: signature did not verify");  // read, but made over another h=
}

TEST(Arc, FailsForAChangedBodyAndMissingKeys) {
    const std::string header = sealed(kHeader);
    EXPECT_EQ(verify(header, "changed\r\n").reason, "message signature 1: body hash did not verify");
    TextZone zone = test::football_zone();
    zone.remove(test::kTestName);
    EXPECT_EQ(verify(header, kBody, zone).reason, "message signature 1: no key for signature");
    zone.break_down(dns::Status::failed);
    const auto verdict = verify(header, kBody, zone);
    EXPECT_EQ(verdict.result, ArcResult::fail) << "RFC 8617 §5.2.1: failures of DNS are permanent too";
}

TEST(Arc, HeedsNoOrderOfFields) {
    const std::string header = sealed(sealed(kHeader));
    const MessageHeader parsed(header);
    std::string turned;
    for (std::size_t i = parsed.fields().size(); i > 0; --i) turned += std::string(parsed.raw(i - 1)) + "\r\n";
    EXPECT_EQ(verify(turned + "\r\n").result, ArcResult::pass);
}

TEST(Arc, ReadsInstancesOfResults) {
    std::string_view rest;
    EXPECT_EQ(read_arc_results_instance(" i=1; mx; none", rest), 1U);
    EXPECT_EQ(rest, "mx; none");
    EXPECT_EQ(read_arc_results_instance(" (c) i (i=5;) = 50 (x) ;", rest), 50U);
    for (const char* bad : {"", "i", "i=", "i=1", "i=;", "j=1;", "i=51;", "i=0;", "i=-1;", "i=1 2;", "(i=1;", "i=001;"})
        EXPECT_EQ(read_arc_results_instance(bad, rest), 0U) << bad;
}

}  // namespace
}  // namespace thurn::mailauth
