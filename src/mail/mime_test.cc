#include "mail/mime.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace thurn::mail {
namespace {

struct TypeCase {
    const char* name;
    const char* value;
    const char* type;  // `type/subtype boundary`, or nothing when it cannot be read
};

TEST(MediaType, IsReadAsWritten) {
    const std::vector<TypeCase> cases{
        {"Plain", " text/plain", "text/plain "},
        {"Case", " TEXT/HTML; Charset=x", "text/html "},
        {"Boundary", " multipart/mixed; boundary=abc", "multipart/mixed abc"},
        {"Quoted", " multipart/mixed;\r\n boundary=\"a b\\\"c(d)\"", "multipart/mixed a b\"c(d)"},
        {"Comments", " (a (b) \\)) multipart (x) / mixed (y); (z) boundary (q) = abc (end)", "multipart/mixed abc"},
        {"EmptyParameter", " text/plain;", "text/plain "},
        {"OtherPieces", " text/plain; name*0=\"a\"; name*1=b", "text/plain "},
        {"NoSubtype", " text", nullptr},
        {"NoSlash", " text plain", nullptr},
        {"Empty", "", nullptr},
        {"BoundaryInPieces", " multipart/mixed; boundary*0=a; boundary*1=b", nullptr},
        {"TwoBoundaries", " multipart/mixed; boundary=a; boundary=b", nullptr},
        {"OpenQuote", " multipart/mixed; boundary=\"abc", nullptr},
        {"OpenComment", " text/plain (abc", nullptr},
        {"NoValue", " text/plain; charset", nullptr},
        {"Rubbish", " text/plain charset=x", nullptr},
    };
    for (const auto& row : cases) {
        const auto media = parse_media_type(row.value);
        const auto text = media ? media->type + "/" + media->subtype + " " + media->boundary : std::string("none");
        EXPECT_EQ(text, row.type ? row.type : "none") << row.name;
    }
}

/// Each part as `kind(body)`; of containers only the kind.
std::string describe(const std::string& message) {
    const auto parts = parse_mime(message);
    if (!parts) return "error: " + parts.error().detail;
    std::string text;
    for (const auto& part : *parts) {
        if (!text.empty()) text += ' ';
        if (part.within_signed) text += "signed-";
        if (part.kind == MimePart::Kind::multipart) text += "multipart";
        if (part.kind == MimePart::Kind::message) text += "message";
        if (part.kind == MimePart::Kind::leaf) text += "leaf(" + message.substr(part.body, part.end - part.body) + ")";
    }
    return text;
}

struct StructureCase {
    const char* name;
    std::string message, structure;
};

const std::string kMixed = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";

TEST(Mime, FindsTheParts) {
    const std::vector<StructureCase> cases{
        {"NoMime", "Subject: x\r\n\r\nbody\r\n", "leaf(body\r\n)"},
        {"Empty", "", "leaf()"},
        {"HeaderOnly", "Subject: x\r\n", "leaf()"},
        {"NoHeader", "\r\nbody", "leaf(body)"},
        {"Parts", kMixed + "preamble\r\n--b\r\n\r\none\r\n--b  \r\nA: b\r\n\r\ntwo\r\n\r\n--b--\r\nepilogue\r\n--b\r\n",
         "multipart leaf(one) leaf(two\r\n)"},
        {"EmptyParts", kMixed + "--b\r\n\r\n--b\r\nA: b\r\n--b\r\n--b\r\n\r\n\r\n--b--", "multipart leaf() leaf() leaf() leaf()"},
        {"NeverEnds", kMixed + "--b\r\n\r\none\r\n", "multipart leaf(one\r\n)"},
        {"NoParts", kMixed + "text\r\n", "multipart"},
        {"Nested",
         kMixed +
             "--b\r\nContent-Type: multipart/alternative; boundary=bc\r\n\r\n--bc\r\n\r\none\r\n--bc--\r\n\r\n--b\r\n\r\ntwo\r\n--b--\r\n",
         "multipart multipart leaf(one) leaf(two)"},
        {"OuterEndsInner",
         kMixed + "--b\r\nContent-Type: multipart/x; boundary=c\r\n\r\n--c\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--c\r\n--b--\r\n",
         "multipart multipart leaf(one) leaf(two\r\n--c)"},
        {"Message", "Content-Type: message/rfc822\r\n\r\nSubject: y\r\n\r\ninner\r\n", "message leaf(inner\r\n)"},
        {"MessageInPart", kMixed + "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: y\r\n\r\ninner\r\n--b--\r\n",
         "multipart message leaf(inner)"},
        {"Digest",
         "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: y\r\n\r\ninner\r\n--b\r\nContent-Type: "
         "a/b\r\n\r\nx\r\n--b--",
         "multipart message leaf(inner) leaf(x)"},
        {"Signed",
         "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nA: "
         "b\r\n\r\nx\r\n--b\r\n\r\nsig\r\n--b--\r\n",
         "multipart signed-message signed-leaf(x) signed-leaf(sig)"},
        {"EncodedMessage", "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nQQ==\r\n", "leaf(QQ==\r\n)"},
        {"DelimiterInHeader", kMixed + "--b\r\nA: b\r\n--b--\r\n", "multipart leaf()"},
        {"LineThatIsLonger", kMixed + "--b\r\n\r\none\r\n--bc\r\n--b--\r\n", "error: a boundary with something behind it"},
        {"BareLf", kMixed + "--b\r\n\r\none\n--b--\r\n", "error: a boundary behind a bare CR or LF"},
        {"BareCr", kMixed + "--b\r\n\r\none\r--b--\r\n", "error: a boundary behind a bare CR or LF"},
        {"InsideALine", kMixed + "--b\r\n\r\none --b--\r\n", "multipart leaf(one --b--\r\n)"},
        {"NoBoundary", "Content-Type: multipart/mixed\r\n\r\nx\r\n", "error: a multipart without a good boundary"},
        {"EndlessBoundary", "Content-Type: multipart/mixed; boundary=" + std::string(71, 'x') + "\r\n\r\nx\r\n",
         "error: a multipart without a good boundary"},
        {"NoField", "Subject: x\r\nno field\r\n\r\nx\r\n", "error: a header with a line that is no field"},
        {"WhiteLine", "Subject: x\r\n \r\n\r\nx\r\n", "error: a line of nothing but white space in a header"},
        {"TwoTypes", "Content-Type: a/b\r\ncontent-type: a/b\r\n\r\nx\r\n", "error: more than one Content-Type"},
        {"TwoEncodings", "Content-Transfer-Encoding: 8bit\r\nContent-Transfer-Encoding: 8bit\r\n\r\nx\r\n",
         "error: more than one Content-Transfer-Encoding"},
        {"SpaceBehindName", "Content-Type : a/b\r\n\r\nx\r\n", "error: white space behind Content-Type"},
        {"BadType", "Content-Type: a\r\n\r\nx\r\n", "error: a Content-Type that cannot be read"},
    };
    for (const auto& row : cases) EXPECT_EQ(describe(row.message), row.structure) << row.name;
}

TEST(Mime, HasBounds) {
    std::string chain;
    for (int k = 0; k < 60; ++k) chain += "Content-Type: message/rfc822\r\n\r\n";
    EXPECT_EQ(describe(chain), "error: parts nested deeper than they are taken apart");
    std::string many = kMixed;
    for (int k = 0; k < 6000; ++k) many += "--b\r\n";
    EXPECT_EQ(describe(many), "error: more parts than are taken apart");
}

TEST(Mime, TellsHowAPartIsEncoded) {
    const std::string message = "A: b\r\nContent-Transfer-Encoding:\r\n 8BIT\r\nC: d\r\n\r\nx";
    const auto parts = parse_mime(message);
    ASSERT_TRUE(parts);
    const auto& part = parts->front();
    EXPECT_EQ(part.encoding, TransferEncoding::eight_bit);
    EXPECT_EQ(message.substr(part.encoding_field, part.encoding_length), "Content-Transfer-Encoding:\r\n 8BIT\r\n");
    EXPECT_EQ(parse_mime("Content-Transfer-Encoding: x-uuencode\r\n\r\n")->front().encoding, TransferEncoding::unknown);
    EXPECT_EQ(parse_mime("A: b\r\n\r\n")->front().encoding, TransferEncoding::seven_bit);
}

}  // namespace
}  // namespace thurn::mail
