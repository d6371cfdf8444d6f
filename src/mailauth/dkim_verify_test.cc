#include "mailauth/dkim_verify.h"

#include "base/base64.h"
#include "mailauth/dkim_key.h"
#include "mailauth/dkim_sign.h"
#include "support/dkim_example.h"

#include <gtest/gtest.h>

namespace thurn::mailauth {
namespace {

using test::TextZone;

constexpr std::chrono::seconds kNow{1528637909};

std::vector<DkimVerdict> verify(std::string_view header, std::string_view body, const TextZone& zone,
                                DkimVerifyOptions options = {.now = kNow}) {
    const MessageHeader parsed{std::string(header)};
    BodyHasher hasher;
    DkimVerifier verifier(parsed, hasher, options);
    test::answer_all(verifier, zone);
    hasher.feed(body);
    hasher.finish();
    EXPECT_TRUE(verifier.done());
    return verifier.take();
}

std::string replaced(std::string_view text, std::string_view what, std::string_view by) {
    std::string result(text);
    const std::size_t at = result.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return at == std::string::npos ? result : result.replace(at, what.size(), by);
}

/// A short message signed with the RFC's Ed25519 key; the field goes through `change` before it is put above the header.
constexpr std::string_view kHeader = "From: Joe <joe@football.example.com>\r\nTo: Suzie <suzie@example.net>\r\nSubject: dinner\r\n\r\n";
constexpr std::string_view kBody = "Are you hungry yet?\r\n";

/// Signs `value`, a tag list without b= and bh=, as its own h= and c= say.
std::string signed_header(const std::string& value, std::string_view header = kHeader, std::string_view body = kBody) {
    const auto key = PrivateKey::read(test::kBrisbaneKey);
    const std::string placeholder = "; bh=" + base::encode_base64(std::string(32, 'x')) + "; b=eA==";
    auto signature = parse_signature(value + placeholder, SignatureField::dkim_signature);
    EXPECT_TRUE(signature) << value << ": " << signature.error().detail;
    if (!signature) return std::string(header);
    BodyHasher hasher;
    hasher.want(signature->body);
    hasher.feed(body);
    hasher.finish();
    std::string field = "DKIM-Signature: " + value + "; bh=" + base::encode_base64(hasher.digest(signature->body)) + "; b=";
    const MessageHeader parsed{std::string(header)};
    field += base::encode_base64(key->sign(new_header_digest(parsed, field, *signature)));
    return field + "\r\n" + std::string(header);
}

const std::string kTags = "v=1; a=ed25519-sha256; d=football.example.com; s=brisbane; h=from:to:subject";

TEST(DkimVerify, PassesBothSignaturesOfRfc8463AppendixA) {
    const auto verdicts = verify(test::kFootballHeader, test::kFootballBody, test::football_zone());
    ASSERT_EQ(verdicts.size(), 2U);
    for (const auto& verdict : verdicts) {
        EXPECT_EQ(verdict.result, DkimResult::pass) << verdict.reason;
        EXPECT_EQ(verdict.reason, "");
        EXPECT_EQ(verdict.domain, "football.example.com");
        EXPECT_EQ(verdict.identity, "@football.example.com");
    }
    EXPECT_EQ(verdicts[0].algorithm, "ed25519-sha256");
    EXPECT_EQ(verdicts[0].selector, "brisbane");
    EXPECT_EQ(verdicts[0].b_prefix, "/gCrinpc");
    EXPECT_EQ(verdicts[1].algorithm, "rsa-sha256");
    EXPECT_EQ(verdicts[1].key_bits, 1024U);
    EXPECT_EQ(best_of(verdicts), DkimResult::pass);
}

TEST(DkimVerify, FailsWhenBodyOrHeaderChanged) {
    const auto zone = test::football_zone();
    auto verdicts = verify(test::kFootballHeader, "Hi.\r\n", zone);
    ASSERT_EQ(verdicts.size(), 2U);
    for (const auto& verdict : verdicts) {
        EXPECT_EQ(verdict.result, DkimResult::fail);
        EXPECT_EQ(verdict.reason, "body hash did not verify");
    }
    verdicts = verify(replaced(test::kFootballHeader, "dinner ready", "dinner late"), test::kFootballBody, zone);
    for (const auto& verdict : verdicts) {
        EXPECT_EQ(verdict.result, DkimResult::fail);
        EXPECT_EQ(verdict.reason, "signature did not verify");
    }
    verdicts = verify(std::string("Subject: another\r\n") + std::string(test::kFootballHeader), test::kFootballBody, zone);
    for (const auto& verdict : verdicts) EXPECT_EQ(verdict.result, DkimResult::fail) << "Subject is oversigned in the example";
}

TEST(DkimVerify, IsNoneWithoutASignature) {
    EXPECT_TRUE(verify(kHeader, kBody, {}).empty());
    EXPECT_EQ(best_of({}), DkimResult::none);
}

TEST(DkimVerify, PassesThoughWhiteSpaceAndFoldingOfRelaxedChange) {
    auto header = replaced(test::kFootballHeader, "Subject: Is dinner ready?", "SUBJECT :   Is\r\n\tdinner  ready? ");
    const auto verdicts =
        verify(header, "Hi. \r\n\r\nWe lost  the game.\tAre you hungry yet?\r\n\r\nJoe.\r\n\r\n\r\n", test::football_zone());
    EXPECT_EQ(best_of(verdicts), DkimResult::pass);
}

TEST(DkimVerify, CanonicalizesSimpleHeadersAsTheyStand) {
    const auto header = signed_header(kTags);  // c= is simple/simple where it does not stand
    EXPECT_EQ(best_of(verify(header, kBody, test::football_zone())), DkimResult::pass);
    EXPECT_EQ(best_of(verify(replaced(header, "To: Suzie", "To:  Suzie"), kBody, test::football_zone())), DkimResult::fail);
}

struct TagCase {
    const char* name;
    std::string what;
    std::string by;
    DkimResult result;
    std::string_view reason;
};
class DkimVerifyTagTest : public testing::TestWithParam<TagCase> {};

/// A change of the field after signing that is found before any key is asked.
TEST_P(DkimVerifyTagTest, IsFoundInTheField) {
    const auto& [name, what, by, result, reason] = GetParam();
    const auto header =
        replaced(signed_header(kTags + "; c=relaxed/simple; t=1528637000; x=1528638000; i=joe@football.example.com"), what, by);
    const auto verdicts = verify(header, kBody, test::football_zone());
    ASSERT_EQ(verdicts.size(), 1U);
    EXPECT_EQ(verdicts[0].result, result) << verdicts[0].reason;
    EXPECT_EQ(verdicts[0].reason, reason);
}

INSTANTIATE_TEST_SUITE_P(
    Rfc6376Section611, DkimVerifyTagTest,
    testing::Values(
        TagCase{"Version", "v=1", "v=2", DkimResult::permerror, "v= is not 1"},
        TagCase{"NoVersion", "v=1; ", "", DkimResult::permerror, "v= is missing"},
        TagCase{"NoAlgorithm", "a=ed25519-sha256; ", "", DkimResult::permerror, "a= is missing"},
        TagCase{"UnknownAlgorithm", "ed25519-sha256", "rsa-md5", DkimResult::permerror, "a= is an unknown algorithm"},
        TagCase{"AlgorithmHasCase", "ed25519-sha256", "ED25519-SHA256", DkimResult::permerror, "a= is an unknown algorithm"},
        TagCase{"NoDomain", "d=football.example.com; ", "", DkimResult::permerror, "d= is missing"},
        TagCase{"BadDomain", "d=football.example.com", "d=foot ball", DkimResult::permerror, "d= is no domain name"},
        TagCase{"LiteralDomain", "d=football.example.com", "d=[192.0.2.1]", DkimResult::permerror, "d= is no domain name"},
        TagCase{"NoSelector", "s=brisbane; ", "", DkimResult::permerror, "s= is missing"},
        TagCase{"EmptySelector", "s=brisbane", "s=", DkimResult::permerror, "s= is empty"},
        TagCase{"LongName", "s=brisbane",
                "s=" + std::string(60, 'a') + "." + std::string(60, 'b') + "." + std::string(60, 'c') + "." + std::string(60, 'd'),
                DkimResult::permerror, "s= and d= together are longer than a name can be"},
        TagCase{"BadSelector", "s=brisbane", "s=a..b", DkimResult::permerror, "s= is no domain name"},
        TagCase{"NoFields", "h=from:to:subject; ", "", DkimResult::permerror, "h= is missing"},
        TagCase{"FromNotSigned", "h=from:to", "h=to", DkimResult::permerror, "From is not signed"},
        TagCase{"EmptyFieldName", "h=from:to", "h=from::to", DkimResult::permerror, "h= has no proper field name"},
        TagCase{"NoBodyHash", "bh=", "bx=", DkimResult::permerror, "bh= is missing"},
        TagCase{"BadBodyHash", "bh=", "bh=!", DkimResult::permerror, "bh= is not base64"},
        TagCase{"ShortBodyHash", "bh=", "bh=aaaa; bz=", DkimResult::permerror, "bh= is no hash of that algorithm"},
        TagCase{"BadSignature", " b=", " b=?", DkimResult::permerror, "b= is not base64"},
        TagCase{"NoSignature", " b=", " bb=", DkimResult::permerror, "b= is missing"},
        TagCase{"BadForm", "c=relaxed/simple", "c=nofws", DkimResult::permerror, "c= is an unknown canonicalization"},
        TagCase{"ThreeForms", "c=relaxed/simple", "c=relaxed/simple/simple", DkimResult::permerror, "c= is an unknown canonicalization"},
        TagCase{"BadTime", "t=1528637000", "t=yesterday", DkimResult::permerror, "t= is no time"},
        TagCase{"Expired", "x=1528638000", "x=1528637001", DkimResult::fail, "signature did not verify"},
        TagCase{"LongExpired", "t=1528637000; x=1528638000", "t=1528600000; x=1528600001", DkimResult::fail, "signature expired"},
        TagCase{"Future", "t=1528637000; x=1528638000", "t=1528700000; x=1528800000", DkimResult::fail, "signature made in the future"},
        TagCase{"EndsBeforeItBegins", "x=1528638000", "x=1528637000", DkimResult::permerror, "x= is not after t="},
        TagCase{"IdentityElsewhere", "i=joe@football", "i=joe@notfootball", DkimResult::permerror, "i= is not within d="},
        TagCase{"IdentityAbove", "i=joe@football.", "i=joe@", DkimResult::permerror, "i= is not within d="},
        TagCase{"IdentityWithoutAt", "i=joe@", "i=joe.", DkimResult::permerror, "i= has no domain"},
        TagCase{"OtherQuery", "c=relaxed", "q=http/wellknown; c=relaxed", DkimResult::permerror, "q= has no known way to get the key"},
        TagCase{"BadLength", "c=relaxed", "l=1x; c=relaxed", DkimResult::permerror, "l= is no length"},
        TagCase{"Twice", "c=relaxed", "d=football.example.com; c=relaxed", DkimResult::permerror, "a tag stands twice"},
        TagCase{"NoTagList", "v=1; ", "v=1; ; ", DkimResult::permerror, "a tag without \"=\""},
        TagCase{"Sha1", "a=ed25519-sha256", "a=rsa-sha1", DkimResult::permerror, "bh= is no hash of that algorithm"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(DkimVerify, FailsSha1WhateverItSays) {
    auto header = replaced(signed_header(kTags), "ed25519-sha256", "rsa-sha1");
    const std::size_t at = header.find("bh=") + 3;
    header.replace(at, header.find(';', at) - at, base::encode_base64(std::string(20, 'x')));
    const auto verdicts = verify(header, kBody, test::football_zone());
    ASSERT_EQ(verdicts.size(), 1U);
    EXPECT_EQ(verdicts[0].result, DkimResult::fail);
    EXPECT_EQ(verdicts[0].reason, "rsa-sha1 is not trusted any more");
}

struct KeyCase {
    const char* name;
    std::vector<std::string> records;
    DkimResult result;
    std::string_view reason;
};
class DkimVerifyKeyTest : public testing::TestWithParam<KeyCase> {};

TEST_P(DkimVerifyKeyTest, DecidesByTheKeyRecords) {
    const auto& [name, records, result, reason] = GetParam();
    TextZone zone;
    for (const auto& record : records) zone.add(test::kBrisbaneName, record);
    const auto verdicts = verify(signed_header(kTags + "; i=@sub.football.example.com"), kBody, zone);
    ASSERT_EQ(verdicts.size(), 1U);
    EXPECT_EQ(verdicts[0].result, result) << verdicts[0].reason;
    EXPECT_EQ(verdicts[0].reason, reason);
}

const std::string kKey = "k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
INSTANTIATE_TEST_SUITE_P(
    Rfc6376Section612, DkimVerifyKeyTest,
    testing::Values(KeyCase{"Plain", {kKey}, DkimResult::pass, ""},
                    KeyCase{"AllTags", {"v=DKIM1; h=sha1:sha256; s=email:x; n=note; t=other; g=*; " + kKey}, DkimResult::pass, ""},
                    KeyCase{"Testing", {kKey + "; t=y"}, DkimResult::pass, "the domain is testing DKIM"},
                    KeyCase{"Strict", {kKey + "; t=s"}, DkimResult::permerror, "i= has a subdomain, which the key forbids"},
                    KeyCase{"None", {}, DkimResult::permerror, "no key for signature"},
                    KeyCase{"Revoked", {"v=DKIM1; k=ed25519; p="}, DkimResult::permerror, "key revoked"},
                    KeyCase{"NoKey", {"v=DKIM1; k=ed25519"}, DkimResult::permerror, "no key for signature: a record without p="},
                    KeyCase{"OtherVersion", {"v=DKIM2; " + kKey}, DkimResult::permerror, "no key for signature: no DKIM1 record"},
                    KeyCase{"VersionNotFirst", {kKey + "; v=DKIM1"}, DkimResult::permerror, "no key for signature: no DKIM1 record"},
                    KeyCase{"UnknownKind", {"k=dsa; p=aaaa"}, DkimResult::permerror, "no key for signature: a key of an unknown kind"},
                    KeyCase{"OtherKind", {std::string(test::kTestRecord)}, DkimResult::permerror, "the key is for another algorithm"},
                    KeyCase{"OtherHash", {"h=sha1; " + kKey}, DkimResult::permerror, "no key for signature: a key not for SHA-256"},
                    KeyCase{"OtherService", {"s=tlsrpt; " + kKey}, DkimResult::permerror, "no key for signature: a key not for mail"},
                    KeyCase{"NotBase64", {"k=ed25519; p=?"}, DkimResult::permerror, "no key for signature: p= is not base64"},
                    KeyCase{"Short", {"k=ed25519; p=aaaa"}, DkimResult::permerror, "an Ed25519 key has 32 octets"},
                    KeyCase{"WrongKey",
                            {"k=ed25519; p=" + base::encode_base64(std::string(31, '\1') + '\0')},
                            DkimResult::fail,
                            "signature did not verify"},
                    KeyCase{"SecondOfTwo", {"v=spf1 -all", kKey}, DkimResult::pass, ""},
                    KeyCase{"RevokedAndGood", {"v=DKIM1; k=ed25519; p=", kKey}, DkimResult::pass, ""}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(DkimVerify, PutsOffWhatDnsDoesNotKnowJustNow) {
    for (const auto status : {dns::Status::failed, dns::Status::bogus}) {
        TextZone zone;
        zone.break_down(status);
        EXPECT_EQ(best_of(verify(test::kFootballHeader, test::kFootballBody, zone)), DkimResult::temperror);
    }
}

TEST(DkimVerify, RefusesShortRsaKeys) {
    // 512 bits, as some still publish; 1024 where the policy wants 2048.
    TextZone zone;
    zone.add(test::kTestName,
             "k=rsa; "
             "p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAL+"
             "1aJYLXTm2MWhIPQ0Pp7dSyw6ug8Lbx7K1VsWTKJz7T2tz5pZTBmqrGAJkBHTiZ7XY3hZ1KXnkV6n1W0H9oasCAwEAAQ==");
    auto verdicts = verify(test::kFootballHeader, test::kFootballBody, zone);
    EXPECT_EQ(verdicts.at(1).result, DkimResult::fail);
    EXPECT_EQ(verdicts.at(1).reason, "an RSA key of 512 bits");
    verdicts = verify(test::kFootballHeader, test::kFootballBody, test::football_zone(), {.now = kNow, .policy = {.min_rsa_bits = 2048}});
    EXPECT_EQ(verdicts.at(1).result, DkimResult::policy);
    EXPECT_EQ(verdicts.at(1).reason, "an RSA key of only 1024 bits");
}

TEST(DkimVerify, DistrustsWhatIsNotSigned) {
    const std::string length = "; l=" + std::to_string(kBody.size());
    const auto header = signed_header(kTags + length);
    auto verdicts = verify(header, kBody, test::football_zone());
    EXPECT_EQ(verdicts.at(0).result, DkimResult::pass);
    EXPECT_EQ(verdicts.at(0).reason, "l= lets anybody add to the message");
    verdicts = verify(header, std::string(kBody) + "Buy!\r\n", test::football_zone());
    EXPECT_EQ(verdicts.at(0).result, DkimResult::policy);
    EXPECT_EQ(verdicts.at(0).reason, "6 octets at the end are not signed (l=)");
    EXPECT_EQ(verdicts.at(0).unsigned_octets, 6U);
    verdicts = verify(signed_header(kTags + "; l=9999"), kBody, test::football_zone());
    EXPECT_EQ(verdicts.at(0).result, DkimResult::fail);
    verdicts = verify("From: mallory@example.org\r\n" + signed_header(kTags), kBody, test::football_zone());
    EXPECT_EQ(verdicts.at(0).result, DkimResult::policy);
    EXPECT_EQ(verdicts.at(0).reason, "a From field is not signed");
}

TEST(DkimVerify, SelectsFieldsFromTheBottom) {
    const std::string header = "X: three\r\nFrom: a@b\r\nx : two\r\nX: one\r\n\r\n";
    const std::string tags = "v=1; a=ed25519-sha256; c=relaxed/relaxed; d=football.example.com; s=brisbane; h=x:from:X";
    const auto message = signed_header(tags, header);
    EXPECT_EQ(best_of(verify(message, kBody, test::football_zone())), DkimResult::pass);
    EXPECT_EQ(best_of(verify(replaced(message, "three", "other"), kBody, test::football_zone())), DkimResult::pass);
    EXPECT_EQ(best_of(verify(replaced(message, "two", "other"), kBody, test::football_zone())), DkimResult::fail);
    EXPECT_EQ(best_of(verify("DKIM-Signature: none\r\n" + message, kBody, test::football_zone())), DkimResult::pass);
}

TEST(DkimVerify, SignsSignaturesButNeverItself) {
    const auto once = signed_header(kTags);
    const auto twice = signed_header(kTags + ":dkim-signature:dkim-signature", once);
    const auto verdicts = verify(twice, kBody, test::football_zone());
    ASSERT_EQ(verdicts.size(), 2U);
    EXPECT_EQ(verdicts[0].result, DkimResult::pass) << verdicts[0].reason;
    EXPECT_EQ(verdicts[1].result, DkimResult::pass);
}

TEST(DkimVerify, ReadsNoEndlessListOfFields) {
    std::string names = ":from";
    for (int i = 0; i < 1000; ++i) names += ":x";
    const auto verdicts = verify(replaced(signed_header(kTags), "to:subject", "to:subject" + names), kBody, test::football_zone());
    EXPECT_EQ(verdicts.at(0).result, DkimResult::permerror);
    EXPECT_EQ(verdicts.at(0).reason, "h= names too many fields");
}

TEST(DkimVerify, LooksAtTenSignaturesOnly) {
    std::string header(test::kFootballHeader);
    for (int i = 0; i < 5000; ++i) header.insert(0, "DKIM-Signature: v=1; d=d" + std::to_string(i) + ".example; s=x\r\n");
    const auto verdicts = verify(header, test::kFootballBody, test::football_zone());
    ASSERT_EQ(verdicts.size(), 11U);
    EXPECT_EQ(verdicts[0].domain, "d4999.example");
    EXPECT_EQ(verdicts[0].result, DkimResult::permerror);
    EXPECT_EQ(verdicts[10].result, DkimResult::neutral);
    EXPECT_EQ(verdicts[10].reason, "4992 more signatures were not looked at");
}

TEST(DkimVerify, AsksEachKeyOnce) {
    const MessageHeader header(signed_header(kTags, signed_header(kTags)));
    BodyHasher hasher;
    DkimVerifier verifier(header, hasher, {.now = kNow});
    EXPECT_EQ(verifier.questions(), (std::vector<dns::Question>{{std::string(test::kBrisbaneName), dns::Type::txt}}));
    EXPECT_FALSE(verifier.done());
}

TEST(DkimVerify, TrustsNoHeaderThatReadersMayEndElsewhere) {
    const auto verdicts = verify(replaced(signed_header(kTags), "Subject", "no field\r\nSubject"), kBody, test::football_zone());
    ASSERT_EQ(verdicts.size(), 1U);
    EXPECT_EQ(verdicts[0].result, DkimResult::permerror);
    EXPECT_EQ(verdicts[0].reason, "the header has a line that is no field");
}

TEST(DkimSign, IsVerifiedWithEveryKeyAndForm) {
    TextZone zone = test::football_zone();
    for (const auto key_text : {test::kBrisbaneKey, test::kTestKey})
        for (const auto header_form : {Canonicalization::simple, Canonicalization::relaxed})
            for (const auto body_form : {Canonicalization::simple, Canonicalization::relaxed}) {
                const auto key = PrivateKey::read(key_text);
                ASSERT_TRUE(key);
                const MessageHeader header{std::string(kHeader)};
                BodyHasher hasher;
                const DkimSigner signer(header, *key, hasher,
                                        {.domain = "football.example.com",
                                         .selector = key->type() == KeyType::rsa ? "test" : "brisbane",
                                         .now = kNow,
                                         .lifetime = std::chrono::hours(24),
                                         .header = header_form,
                                         .body = body_form});
                hasher.feed(kBody);
                hasher.finish();
                const auto field = signer.sign();
                ASSERT_TRUE(field) << field.error().detail;
                const auto verdicts = verify(*field + std::string(kHeader), kBody, zone);
                ASSERT_EQ(verdicts.size(), 1U);
                EXPECT_EQ(verdicts[0].result, DkimResult::pass) << verdicts[0].reason << "\n" << *field;
                EXPECT_EQ(verdicts[0].reason, "");
            }
}

std::string sign(std::string_view header, DkimSignOptions options) {
    const auto key = PrivateKey::read(test::kTestKey);
    const MessageHeader parsed{std::string(header)};
    BodyHasher hasher;
    const DkimSigner signer(parsed, *key, hasher, std::move(options));
    hasher.finish();
    auto field = signer.sign();
    return field ? *field : field.error().detail;
}

TEST(DkimSign, FoldsAndOversigns) {
    const auto field = sign(kHeader, {.domain = "Football.Example.com", .selector = "test", .now = kNow});
    for (std::size_t at = 0; at < field.size();) {
        const std::size_t end = field.find("\r\n", at);
        ASSERT_NE(end, std::string::npos);
        EXPECT_LE(end - at, 78U) << field;
        at = end + 2;
    }
    EXPECT_TRUE(
        field.starts_with("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=football.example.com;\r\n\ts=test; t=1528637909; h="))
        << field;
    const auto parsed = parse_signature(field.substr(15, field.size() - 17), SignatureField::dkim_signature);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->fields,
              (std::vector<std::string>{"from", "from", "reply-to", "subject", "subject", "date", "message-id", "to", "to", "cc",
                                        "in-reply-to", "references", "mime-version", "content-type", "content-transfer-encoding"}));
}

TEST(DkimSign, SaysWhyItCannot) {
    EXPECT_EQ(sign("To: x\r\n\r\n", {.domain = "a.example", .selector = "s"}), "a message without From cannot be signed");
    EXPECT_EQ(sign("From: x\r\nno field\r\n\r\n", {.domain = "a.example", .selector = "s"}), "the header has a line that is no field");
    EXPECT_EQ(sign(kHeader, {.domain = "a b", .selector = "s"}), "the domain is no domain name");
    EXPECT_EQ(sign(kHeader, {.domain = "a.example", .selector = ""}), "the selector is no domain name");
}

TEST(DkimKeys, AreMadeReadAndPublished) {
    for (const auto type : {KeyType::rsa, KeyType::ed25519}) {
        const auto made = PrivateKey::generate(type);
        const auto read = PrivateKey::read(made.pem());
        ASSERT_TRUE(read) << read.error().detail;
        EXPECT_EQ(read->public_key(), made.public_key());
        const auto record = parse_dkim_key_record(render_dkim_key_record(made));
        ASSERT_TRUE(record) << record.error().detail;
        EXPECT_EQ(record->type, type);
        const auto key = PublicKey::read(record->type, record->key);
        ASSERT_TRUE(key) << key.error().detail;
        EXPECT_EQ(key->bits(), type == KeyType::rsa ? 2048U : 256U);
        const auto signature = made.sign(sha256("x"));
        EXPECT_TRUE(key->verify(sha256("x"), signature));
        EXPECT_FALSE(key->verify(sha256("y"), signature));
        EXPECT_FALSE(key->verify(sha256("x"), signature.substr(1)));
        EXPECT_FALSE(key->verify(sha256("x"), ""));
    }
    EXPECT_EQ(render_dkim_key_record(*PrivateKey::read(test::kTestKey)), test::kTestRecord);
    EXPECT_EQ(render_dkim_key_record(*PrivateKey::read(test::kBrisbaneKey)), test::kBrisbaneRecord);
}

TEST(DkimKeys, RefuseWhatIsNone) {
    EXPECT_FALSE(PrivateKey::read(""));
    EXPECT_FALSE(PrivateKey::read("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"));
    EXPECT_FALSE(PrivateKey::read("-----END PRIVATE KEY-----\n-----BEGIN PRIVATE KEY-----"));
    const auto record = parse_dkim_key_record(test::kTestRecord);
    for (std::size_t size = 0; size < record->key.size(); ++size)
        EXPECT_FALSE(PublicKey::read(KeyType::rsa, std::string_view(record->key).substr(0, size))) << size;
    EXPECT_TRUE(PublicKey::read(KeyType::rsa, std::string_view(record->key).substr(22))) << "RSAPublicKey alone, RFC 6376 §3.6.1";
    const std::string huge = "\x30\x82\x20\x0a\x02\x82\x20\x01" + std::string(8192, '\x7f') + "\x7f\x02\x03\x01\x01\x01";
    const auto refused = PublicKey::read(KeyType::rsa, huge);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, base::ErrorKind::too_long) << refused.error().detail;
}

TEST(DkimKeys, AreSplitIntoStringsForZones) {
    const std::string text(600, 'x');
    EXPECT_EQ(render_dkim_zone_line("s._domainkey.a.example", text), "s._domainkey.a.example. IN TXT ( \"" + std::string(255, 'x') +
                                                                         "\" \"" + std::string(255, 'x') + "\" \"" + std::string(90, 'x') +
                                                                         "\" )");
}

TEST(HeaderCollector, GivesTheSameForEverySplit) {
    for (const std::string message : {"A: b\r\nC: d\r\n\r\nbody\r\n\r\n", "\r\nbody", "A: b\r\n\r\n"}) {
        const std::size_t end = message.starts_with("\r\n") ? 2 : message.find("\r\n\r\n") + 4;
        for (std::size_t cut = 0; cut <= message.size(); ++cut) {
            HeaderCollector collector;
            std::string body(collector.feed(std::string_view(message).substr(0, cut)));
            body += collector.feed(std::string_view(message).substr(cut));
            EXPECT_TRUE(collector.ended());
            EXPECT_EQ(body, message.substr(end)) << cut;
            EXPECT_EQ(collector.take(), message.substr(0, end));
        }
    }
}

TEST(HeaderCollector, SwallowsWhatIsTooLong) {
    HeaderCollector collector(10);
    EXPECT_EQ(collector.feed("A: 2345678"), "");
    EXPECT_FALSE(collector.overflowed());
    EXPECT_EQ(collector.feed("9\r\n\r\nbody"), "");
    EXPECT_TRUE(collector.overflowed());
    EXPECT_FALSE(collector.ended());
    EXPECT_EQ(collector.feed("more"), "");
}

}  // namespace
}  // namespace thurn::mailauth
