#include "mailauth/dkim_canonical.h"

#include "base/base64.h"

#include <gtest/gtest.h>

namespace thurn::mailauth {
namespace {

constexpr auto kSimple = Canonicalization::simple;
constexpr auto kRelaxed = Canonicalization::relaxed;

std::string field(std::string_view raw, Canonicalization form) {
    std::string text;
    append_canonical_field(text, raw, form);
    return text;
}

/// The hash of a body that comes in two parts.
std::string hash_of(std::string_view body, BodyHash wanted, std::size_t cut = 0) {
    BodyHasher hasher;
    hasher.want(wanted);
    hasher.feed(body.substr(0, cut));
    hasher.feed(body.substr(cut));
    hasher.finish();
    return hasher.digest(wanted);
}

TEST(DkimCanonicalField, FollowsRfc6376Section345) {
    EXPECT_EQ(field("A: X", kRelaxed), "a:X");
    EXPECT_EQ(field("B : Y\t\r\n\tZ  ", kRelaxed), "b:Y Z");
    EXPECT_EQ(field("A: X", kSimple), "A: X");
    EXPECT_EQ(field("B : Y\t\r\n\tZ  ", kSimple), "B : Y\t\r\n\tZ  ");
}

TEST(DkimCanonicalField, OfNothingIsNothing) {
    EXPECT_EQ(field("Subject:", kRelaxed), "subject:");
    EXPECT_EQ(field("Subject: \r\n ", kRelaxed), "subject:");
}

struct BodyCase {
    const char* name;
    std::string_view body;
    std::string_view simple;
    std::string_view relaxed;
};
class DkimCanonicalBodyTest : public testing::TestWithParam<BodyCase> {};

TEST_P(DkimCanonicalBodyTest, IsTheSameForEverySplit) {
    const auto& [name, body, simple, relaxed] = GetParam();
    for (std::size_t cut = 0; cut <= body.size(); ++cut) {
        EXPECT_EQ(hash_of(body, {kSimple}, cut), sha256(simple)) << "cut at " << cut;
        EXPECT_EQ(hash_of(body, {kRelaxed}, cut), sha256(relaxed)) << "cut at " << cut;
    }
}

TEST_P(DkimCanonicalBodyTest, IsTheSameOctetByOctet) {
    const auto& [name, body, simple, relaxed] = GetParam();
    BodyHasher hasher;
    hasher.want({kSimple});
    hasher.want({kRelaxed});
    for (const char octet : body) hasher.feed({&octet, 1});
    hasher.finish();
    EXPECT_EQ(hasher.digest({kSimple}), sha256(simple));
    EXPECT_EQ(hasher.digest({kRelaxed}), sha256(relaxed));
    EXPECT_EQ(hasher.size(kSimple), simple.size());
    EXPECT_EQ(hasher.size(kRelaxed), relaxed.size());
}

TEST_P(DkimCanonicalBodyTest, IsCutAtEveryLength) {
    const auto& [name, body, simple, relaxed] = GetParam();
    BodyHasher hasher;
    for (std::size_t length = 0; length <= relaxed.size(); ++length) hasher.want({kRelaxed, length});
    hasher.feed(body);
    hasher.finish();
    for (std::size_t length = 0; length <= relaxed.size(); ++length)
        EXPECT_EQ(hasher.digest({kRelaxed, length}), sha256(relaxed.substr(0, length))) << length;
}

INSTANTIATE_TEST_SUITE_P(Rfc6376Section34, DkimCanonicalBodyTest,
                         testing::Values(BodyCase{"Example", " C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n"},
                                         BodyCase{"Empty", "", "\r\n", ""}, BodyCase{"OnlyALineEnd", "\r\n", "\r\n", ""},
                                         BodyCase{"OnlyLineEnds", "\r\n\r\n\r\n", "\r\n", ""},
                                         BodyCase{"OnlyBlanks", " \t\r\n  \r\n", " \t\r\n  \r\n", ""},
                                         BodyCase{"NoLineEnd", "abc", "abc\r\n", "abc\r\n"},
                                         BodyCase{"BlankAndNoLineEnd", "abc ", "abc \r\n", "abc\r\n"},
                                         BodyCase{"EmptyLinesFirst", "\r\n\r\nabc\r\n", "\r\n\r\nabc\r\n", "\r\n\r\nabc\r\n"},
                                         BodyCase{"EmptyLinesBetween", "a\r\n \r\n\r\nb", "a\r\n \r\n\r\nb\r\n", "a\r\n\r\n\r\nb\r\n"},
                                         BodyCase{"LoneCr", "a\rb \rc\r", "a\rb \rc\r\r\n", "a\rb \rc\r\r\n"},
                                         BodyCase{"CrCrLf", "a\r\r\nb\r\n", "a\r\r\nb\r\n", "a\r\r\nb\r\n"},
                                         BodyCase{"LoneLf", "a\nb \nc", "a\nb \nc\r\n", "a\nb \nc\r\n"},
                                         BodyCase{"Eight", "\xc3\xa4 \xff\t\xfe\r\n", "\xc3\xa4 \xff\t\xfe\r\n", "\xc3\xa4 \xff \xfe\r\n"},
                                         BodyCase{"Blanks", "a \t b\t\tc  \r\n", "a \t b\t\tc  \r\n", "a b c\r\n"},
                                         BodyCase{"DotAndNul", std::string_view(".\0 .", 4), std::string_view(".\0 .\r\n", 6),
                                                  std::string_view(".\0 .\r\n", 6)}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(DkimBodyHash, OfEmptyBodiesIsKnown) {
    EXPECT_EQ(base::encode_base64(hash_of("", {kSimple})), "frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=");
    EXPECT_EQ(base::encode_base64(hash_of("", {kRelaxed})), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
}

TEST(DkimBodyHash, CountsBeyondItsBuffer) {
    std::string body;
    for (int line = 0; line < 3000; ++line) body += "word  " + std::string(static_cast<std::size_t>(line % 90), 'x') + " \r\n";
    body += std::string(20000, 'y') + "\r\n";
    std::string relaxed = body;
    for (std::size_t at = 0; (at = relaxed.find("  ", at)) != std::string::npos;) relaxed.erase(at, 1);
    for (std::size_t at = 0; (at = relaxed.find(" \r\n", at)) != std::string::npos;) relaxed.erase(at, 1);
    for (const std::size_t cut : {0U, 1U, 777U, 4096U, 50000U}) {
        EXPECT_EQ(hash_of(body, {kSimple}, cut), sha256(body));
        EXPECT_EQ(hash_of(body, {kRelaxed}, cut), sha256(relaxed));
    }
    EXPECT_EQ(hash_of(body, {kRelaxed, 70000}, 12345), sha256(relaxed.substr(0, 70000)));
}

TEST(DkimBodyHash, OfALengthBeyondTheEndIsOfAll) { EXPECT_EQ(hash_of("abc", {kRelaxed, 99}), sha256("abc\r\n")); }

}  // namespace
}  // namespace thurn::mailauth
