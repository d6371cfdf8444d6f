#include "base/base64url.h"

#include <gtest/gtest.h>

namespace thurn::base {
namespace {

TEST(Base64url, UsesItsOwnAlphabetAndNoPadding) {
    EXPECT_EQ(encode_base64url("\xfb\xff\xfe"), "-__-");
    EXPECT_EQ(encode_base64url("\x03\xec\xff\xe0\xc1"), "A-z_4ME") << "RFC 7515 appendix C";
    EXPECT_EQ(encode_base64url(""), "");
}

TEST(Base64url, ReadsBackWhatItWrites) {
    std::string octets;
    for (int octet = 0; octet < 256; ++octet) {
        EXPECT_EQ(decode_base64url(encode_base64url(octets)), octets);
        octets += static_cast<char>(octet);
    }
}

TEST(Base64url, RefusesTheOtherAlphabetPaddingAndWhatIsCut) {
    for (const auto* text : {"+__-", "/w", "AA==", "A", "AB C", "A-z_4MF", "\xff\xff"}) EXPECT_FALSE(decode_base64url(text)) << text;
}

}  // namespace
}  // namespace thurn::base
