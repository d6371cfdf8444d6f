#include "base/base64.h"

#include "support/fake_random.h"

#include <string>

#include <gtest/gtest.h>

namespace thurn::base {
namespace {

using namespace std::string_literals;

struct Pair {
    std::string octets;
    std::string_view text;
};

TEST(Base64, HasTheVectorsOfRfc4648Section10) {
    const Pair pairs[] = {{"", ""},
                          {"f", "Zg=="},
                          {"fo", "Zm8="},
                          {"foo", "Zm9v"},
                          {"foob", "Zm9vYg=="},
                          {"fooba", "Zm9vYmE="},
                          {"foobar", "Zm9vYmFy"},
                          {"\0\xff\xfe"s, "AP/+"}};
    for (const auto& [octets, text] : pairs) {
        EXPECT_EQ(encode_base64(octets), text);
        EXPECT_EQ(decode_base64(text), octets);
    }
}

TEST(Base64, TakesEveryLengthBack) {
    support::FakeRandom random;
    std::string octets;
    for (int length = 0; length < 300; ++length) {
        const std::string text = encode_base64(octets);
        EXPECT_EQ(text.size(), (octets.size() + 2) / 3 * 4);
        EXPECT_EQ(decode_base64(text), octets);
        octets.push_back(static_cast<char>(random.next()));
    }
}

TEST(Base64, RefusesWhatIsNotStrict) {
    const std::string wrong[] = {
        "A",   "AA", "AAA",  "A===", "====",   "=AAA",     "AA=A", "A=AA",  "AAAAA", "AAAA=",    "AA==AAAA",         "AAA=AAAA",
        "Zg=", "Zg", "Zh==", "Zm9=", "Z\0=="s, "Zm9v\r\n", "Zm 9", "Zm9v ", "-_-_",  "Zm9v====", "\xff\xff\xff\xff", "AB==",
        "AAB="};
    for (const auto& text : wrong) {
        const auto octets = decode_base64(text);
        ASSERT_FALSE(octets) << text;
        EXPECT_EQ(octets.error().kind, ErrorKind::syntax) << text;
    }
}

TEST(Base64, RefusesEachTruncationThatIsNoGroup) {
    const std::string text = encode_base64("\0user\0password of some length"s);
    for (std::size_t length = 0; length <= 64 && length <= text.size(); ++length) {
        EXPECT_EQ(decode_base64(text.substr(0, length)).has_value(), length % 4 == 0) << length;
    }
}

}  // namespace
}  // namespace thurn::base
