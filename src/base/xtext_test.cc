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

TEST(Utf8Xtext, EmbedsWhatIsNotXtext) {
    EXPECT_EQ(encode_utf8_xtext("m\xc3\xbcller+a=\\ b@\xf0\x9f\x93\xac.example"),
              R"(m\x{FC}ller\x{2B}a\x{3D}\x{5C}\x{20}b@\x{1F4EC}.example)");
    for (const std::string& text : {"abc"s, "\xc2\x80"s, "\xdf\xbf\xe0\xa0\x80"s, "\xef\xbf\xbd"s, "\xf4\x8f\xbf\xbf"s, " +=\\"s})
        EXPECT_EQ(decode_utf8_xtext(encode_utf8_xtext(text)), text);
}

TEST(Utf8Xtext, TakesUtf8AsItIs) { EXPECT_EQ(decode_utf8_xtext("m\xc3\xbcller@x\\x{E4}"), "m\xc3\xbcller@x\xc3\xa4"); }

TEST(Utf8Xtext, RefusesWhatItsGrammarHasNot) {
    for (const std::string& text : {"a b"s,     "a+b"s,      "a=b"s,     "\\"s,      "\\x"s,       "\\x{"s,        "\\x{}"s,
                                    "\\x{E}"s,  "\\x{0E4}"s, "\\x{e4}"s, "\\x{41}"s, "\\x{D800}"s, "\\x{110000}"s, "\\x{1000000}"s,
                                    "\\x{0A}"s, "\\x{10}"s,  "\\x{7F}"s, "\\X{E4}"s, "\xc3"s,      "a\nb"s,        "a\0"s})
        EXPECT_FALSE(decode_utf8_xtext(text)) << text;
}

}  // namespace
}  // namespace thurn::base
