#include "base/xtext.h"

#include <string>

#include <gtest/gtest.h>

namespace thurn::base {
namespace {

using namespace std::string_literals;

TEST(Xtext, EscapesWhatIsNotPrintableAndItsOwnSigns) {
    EXPECT_EQ(encode_xtext(""), "");
    EXPECT_EQ(encode_xtext("rfc822;Bob@Example.COM"), "rfc822;Bob@Example.COM");
    EXPECT_EQ(encode_xtext("a+b=c d"), "a+2Bb+3Dc+20d");
    EXPECT_EQ(encode_xtext("\0\r\n\x7f\xff"s), "+00+0D+0A+7F+FF");
}

TEST(Xtext, TakesEveryOctetBack) {
    std::string octets;
    for (int octet = 0; octet < 256; ++octet) octets.push_back(static_cast<char>(octet));
    EXPECT_EQ(decode_xtext(encode_xtext(octets)), octets);
}

TEST(Xtext, RefusesWhatItsGrammarHasNot) {
    for (const std::string& text :
         {"+"s, "+2"s, "+2b"s, "+G0"s, "+ 0"s, "a b"s, "a=b"s, "\x7f"s, "\xc3\xa4"s, "a\0b"s, "a\r\nb"s, "++2B"s, "+2"s}) {
        const auto octets = decode_xtext(text);
        ASSERT_FALSE(octets) << text;
        EXPECT_EQ(octets.error().kind, ErrorKind::syntax) << text;
    }
}

}  // namespace
}  // namespace thurn::base
