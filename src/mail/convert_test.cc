#include "mail/convert.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace thurn::mail {
namespace {

std::string shown(const base::Result<std::string>& converted) { return converted ? *converted : "error: " + converted.error().detail; }

struct ConvertCase {
    const char* name;
    Passage passage;
    std::string message, converted;
};

class ConvertTest : public testing::TestWithParam<ConvertCase> {};

TEST_P(ConvertTest, MakesItPassOrSaysWhyNot) {
    const auto& row = GetParam();
    EXPECT_EQ(shown(convert(row.message, row.passage)), row.converted);
}

const std::string kMixed = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n";
constexpr auto kSeven = Passage::seven_bit;
constexpr auto kEight = Passage::eight_bit;

INSTANTIATE_TEST_SUITE_P(
    Rfc2045, ConvertTest,
    testing::Values(
        ConvertCase{"SevenBitStays", kSeven, "Subject: x\r\n\r\nabc\r\n", "Subject: x\r\n\r\nabc\r\n"},
        ConvertCase{"Text", kSeven,
                    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\nTo: "
                    "a\r\n\r\nf\xc3\xbcr\r\n",
                    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\nTo: "
                    "a\r\n\r\nf=C3=BCr\r\n"},
        ConvertCase{"EncodingNotSaid", kSeven, "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\xc3\xbc\r\n",
                    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
                    "quoted-printable\r\n\r\n=C3=BC\r\n"},
        ConvertCase{"NoMimeUtf8", kSeven, "Subject: x\r\n\r\n\xc3\xbc\r\n",
                    "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
                    "quoted-printable\r\n\r\n=C3=BC\r\n"},
        ConvertCase{"NoMimeUnknown", kSeven, "Subject: x\r\n\r\n\xfc\r\n",
                    "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\nContent-Transfer-Encoding: "
                    "quoted-printable\r\n\r\n=FC\r\n"},
        ConvertCase{"NotText", kSeven,
                    "MIME-Version: 1.0\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n" + std::string(58, '\xff'),
                    "MIME-Version: 1.0\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
                        [] {
                            std::string line;
                            for (int k = 0; k < 19; ++k) line += "////";
                            return line;
                        }() +
                        "\r\n/w==\r\n"},
        ConvertCase{
            "OnlyThePartThatNeedsIt", kSeven,
            kMixed + "Content-Transfer-Encoding: 8bit\r\n\r\npre\r\n--b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xc3\xbc\r\n--b\r\n"
                     "Content-Transfer-Encoding: base64\r\n\r\nQQ==\r\n--b\r\nContent-Transfer-Encoding: 8bit\r\n\r\nabc\r\n--b--\r\n",
            kMixed +
                "Content-Transfer-Encoding: 7bit\r\n\r\npre\r\n--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BC\r\n"
                "--b\r\nContent-Transfer-Encoding: base64\r\n\r\nQQ==\r\n--b\r\nContent-Transfer-Encoding: 7bit\r\n\r\nabc\r\n--b--\r\n"},
        ConvertCase{
            "MessageIsWalkedInto", kSeven,
            "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: y\r\n\r\n\xc3\xbc\r\n",
            "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\nSubject: y\r\nMIME-Version: 1.0\r\nContent-Type: "
            "text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BC\r\n"},
        ConvertCase{"MessageGlobalIsText", kSeven,
                    "MIME-Version: 1.0\r\nContent-Type: message/global\r\n\r\nSubject: \xc3\xbc\r\n\r\nx\r\n",
                    "MIME-Version: 1.0\r\nContent-Type: message/global\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nSubject: "
                    "=C3=BC\r\n\r\nx\r\n"},
        ConvertCase{"BinaryBecomesEightBit", kEight,
                    "MIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: BINARY\r\n\r\n\xc3\xbc\r\n",
                    "MIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xc3\xbc\r\n"},
        ConvertCase{"BareLineEnds", kEight,
                    "MIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: binary\r\n\r\na\nb\rc\r\n",
                    "MIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na=0Ab=0Dc\r\n"},
        ConvertCase{"LongLine", kEight, kMixed + "\r\n--b\r\n\r\n" + std::string(999, 'x') + "\r\n--b--",
                    kMixed + "\r\n--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" +
                        [] {
                            std::string text;
                            for (int k = 0; k < 13; ++k) text += std::string(75, 'x') + "=\r\n";
                            return text;
                        }() +
                        std::string(24, 'x') + "\r\n--b--\r\n"},
        ConvertCase{"NoLineEndAtTheEnd", kEight, "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nabc",
                    "MIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\nYWJj\r\n"},
        ConvertCase{
            "SignedStays", kSeven,
            "Content-Type: multipart/signed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n--b\r\nContent-Transfer-Encoding: "
            "8bit\r\n\r\nabc\r\n--b\r\n\r\nsig\r\n--b--\r\n",
            "Content-Type: multipart/signed; boundary=b\r\nContent-Transfer-Encoding: 7bit\r\n\r\n--b\r\nContent-Transfer-Encoding: "
            "8bit\r\n\r\nabc\r\n--b\r\n\r\nsig\r\n--b--\r\n"},
        ConvertCase{"SignedIsNotBroken", kSeven, "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n\xc3\xbc\r\n--b--\r\n",
                    "error: a signed part must not be changed"},
        ConvertCase{"EightBitHeader", kSeven, "Subject: \xc3\xbc\r\n\r\n\xc3\xbc\r\n", "error: a header cannot be converted"},
        ConvertCase{"EightBitPreamble", kSeven, kMixed + "\r\n\xc3\xbc\r\n--b\r\n\r\nx\r\n--b--\r\n",
                    "error: text between the parts cannot be converted"},
        ConvertCase{"EightBitEpilogue", kSeven, kMixed + "\r\n--b\r\n\r\nx\r\n--b--\r\n\xc3\xbc\r\n",
                    "error: text between the parts cannot be converted"},
        ConvertCase{"NotWhatItSays", kSeven, "Content-Transfer-Encoding: base64\r\n\r\n\xc3\xbc\r\n",
                    "error: a part is not what its Content-Transfer-Encoding says"},
        ConvertCase{"NobodyKnowsTheWord", kSeven, "Content-Transfer-Encoding: x-y\r\n\r\n\xc3\xbc\r\n",
                    "error: a part is not what its Content-Transfer-Encoding says"},
        ConvertCase{"Partial", kSeven, "Content-Type: message/partial; id=x\r\n\r\n\xc3\xbc\r\n",
                    "error: a part of its type must not be encoded"},
        ConvertCase{"BareLfInHeader", kEight, "Subject: x\ny\r\n\r\na\nb\r\n", "error: a header with a line that is no field"},
        ConvertCase{"BareCrInHeader", kEight, "Subject: x\ry\r\n\r\na\nb\r\n", "error: a header cannot be converted"}),
    [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace thurn::mail
