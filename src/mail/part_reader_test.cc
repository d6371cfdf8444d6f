#include "mail/part_reader.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

namespace thurn::mail {
namespace {

/// What the sink heard, a line for each part: `depth type [names] content`.
class Story : public PartSink {
public:
    void begin(const PartHead& head) override {
        parts.push_back(fmt::format("{} {} {}{}", head.depth, head.type, fmt::join(head.names, "|"), head.attached ? " attached" : ""));
        if (head.kind == MimePart::Kind::leaf) parts.back() += ": ";
    }
    void octets(std::string_view decoded) override { parts.back() += decoded; }
    void end() override { parts.back() += "."; }
    std::vector<std::string> parts;
};

using Parts = std::vector<std::string>;

Parts read(std::string_view message, std::size_t cut) {
    Story story;
    PartReader reader(story);
    reader.feed(message.substr(0, cut));
    reader.feed(message.substr(cut));
    reader.finish();
    return story.parts;
}

struct Case {
    const char* name;
    std::string message;
    Parts parts;
};

/// Lines with CRLF.
std::string lines(std::string_view text) {
    std::string wire;
    for (const char c : text) wire += c == '\n' ? "\r\n" : std::string(1, c);
    return wire;
}

class PartReaderTest : public testing::TestWithParam<Case> {};

TEST_P(PartReaderTest, FindsTheSamePartsForEverySplit) {
    const auto& [name, message, parts] = GetParam();
    for (std::size_t cut = 0; cut <= message.size(); ++cut) ASSERT_EQ(read(message, cut), parts) << "cut at " << cut;
}

TEST_P(PartReaderTest, ReadsBareLineFeedsLikewise) {
    auto [name, message, parts] = GetParam();
    std::erase(message, '\r');
    for (auto& part : parts) std::erase(part, '\r');
    EXPECT_EQ(read(message, 0), parts);
}

const std::string kMixed = "Content-Type: multipart/mixed; boundary=b\n\n";

INSTANTIATE_TEST_SUITE_P(
    Messages, PartReaderTest,
    testing::Values(
        Case{"Empty", "", {"0 text/plain : ."}}, Case{"PlainText", lines("Subject: x\n\nHello\n"), {"0 text/plain : Hello\r\n."}},
        Case{"TwoParts",
             lines(kMixed + "preamble\n--b\n\nfirst\n\n--b\nContent-Type: image/png; name=a.png\nContent-Disposition: "
                            "attachment\n\nsecond\n--b--\nepilogue\n"),
             {"0 multipart/mixed ", "1 text/plain : first\r\n.", "1 image/png a.png attached: second."}},
        Case{"Base64", lines("Content-Transfer-Encoding: BASE64\n\naGVs\nbG8=\n"), {"0 text/plain : hello."}},
        Case{"QuotedPrintable",
             lines("Content-Transfer-Encoding: quoted-printable\n\na=3Db=\nc =  \nd=zz\n"),
             {"0 text/plain : a=bc d=zz\r\n."}},
        Case{"Message",
             lines(kMixed + "--b\nContent-Type: message/rfc822\n\nSubject: y\nContent-Type: text/html\n\ninner\n--b--\n"),
             {"0 multipart/mixed ", "1 message/rfc822 ", "2 text/html : inner."}},
        Case{"Digest",
             lines("Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: y\n\ninner\n--b--\n"),
             {"0 multipart/digest ", "1 message/rfc822 ", "2 text/plain : inner."}},
        Case{
            "Nested",
            lines(
                kMixed +
                "--b\nContent-Type: multipart/alternative; boundary=\"b c\"\n\n--b c\n\none\n--b c\n\ntwo\n--b c--\n--b\n\nthree\n--b--\n"),
            {"0 multipart/mixed ", "1 multipart/alternative ", "2 text/plain : one.", "2 text/plain : two.", "1 text/plain : three."}}),
    [](const auto& row) { return std::string(row.param.name); });

INSTANTIATE_TEST_SUITE_P(
    BrokenOnPurpose, PartReaderTest,
    testing::Values(
        Case{"NoEnd",
             lines(kMixed + "--b\n\nfirst\n--b\nContent-Type: a/b; name=x.exe\n\nMZ\n"),
             {"0 multipart/mixed ", "1 text/plain : first.", "1 a/b x.exe: MZ\r\n."}},
        Case{"EndsWithinAHeader", lines(kMixed + "--b\nContent-Type: a/b; name=x.exe"), {"0 multipart/mixed ", "1 a/b x.exe: ."}},
        Case{"HeaderWithoutABody", lines(kMixed + "--b\nContent-Type: a/b\n--b--\n"), {"0 multipart/mixed ", "1 a/b : ."}},
        Case{"MessageThatIsNone",
             lines(kMixed + "--b\nContent-Type: message/rfc822\n--b--\n"),
             {"0 multipart/mixed ", "1 message/rfc822 ", "2 text/plain : ."}},
        Case{"BoundaryWithSomethingBehindIt",
             lines(kMixed + "--b x\nContent-Type: a/b\n\nfirst\n--b--\n"),
             {"0 multipart/mixed ", "1 a/b : first."}},
        Case{"PartBehindTheEnd",
             lines(kMixed + "--b--\n--b\nContent-Type: a/b; name=x.exe\n\nMZ"),
             {"0 multipart/mixed ", "1 a/b x.exe: MZ."}},
        Case{"NoBoundary",
             lines("Content-Type: multipart/mixed\n\n--bb\nContent-Type: a/b; name=x.exe\n\nMZ\n--bb--\n"),
             {"0 multipart/mixed ", "1 a/b x.exe: MZ."}},
        Case{"TwoBoundaries",
             lines("Content-Type: multipart/mixed; boundary=c; boundary=b\n\n--b\nContent-Type: a/b\n\n1\n--c\nContent-Type: c/d\n\n2\n"),
             {"0 multipart/mixed ", "1 a/b : 1.", "1 c/d : 2\r\n."}},
        Case{"BoundaryInPieces",
             lines("Content-Type: multipart/mixed; boundary*1=c; boundary*0=b\n\n--bc\nContent-Type: a/b\n\n1\n--bc--\n"),
             {"0 multipart/mixed ", "1 a/b : 1."}},
        Case{"TwoTypes",
             lines("Content-Type: text/plain\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: a/b\n\n1\n--b--\n"),
             {"0 multipart/mixed ", "1 a/b : 1."}},
        Case{"TwoEncodings", lines("Content-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: base64\n\nTVo=\n"), {"0 text/plain : MZ."}},
        Case{"Base64WithJunk", lines("Content-Transfer-Encoding : base64 (yes);\n\n!T V-\no=\nTVo=\n"), {"0 text/plain : MZMZ."}},
        Case{"MessageInBase64",
             lines(kMixed + "--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: "
                            "base64\n\nQ29udGVudC1UeXBlOiBhL2I7IG5hbWU9eC5leGUNCg0KTVo=\n--b--\n"),
             {"0 multipart/mixed ", "1 message/rfc822 ", "2 a/b x.exe: MZ."}},
        Case{"MultipartSaysBase64",
             lines("Content-Transfer-Encoding: base64\n" + kMixed + "--b\nContent-Type: a/b\n\n1\n--b--\n"),
             {"0 multipart/mixed ", "1 a/b : 1."}},
        Case{"LineInAHeader",
             lines(kMixed + "--b\nthis is no field\n and goes on\nContent-Type: a/b; name=x.exe\n\nMZ\n--b--\n"),
             {"0 multipart/mixed ", "1 a/b x.exe: MZ."}},
        Case{"OuterDelimiterEndsAll",
             lines(kMixed + "--b\nContent-Type: multipart/mixed; boundary=i\n\n--i\n\none\n--b\nContent-Type: a/b\n\n2\n--b--\n"),
             {"0 multipart/mixed ", "1 multipart/mixed ", "2 text/plain : one.", "1 a/b : 2."}},
        Case{"LongerBoundaryBeginsWithAShorter",
             lines(kMixed + "--b\nContent-Type: multipart/mixed; boundary=bb\n\n--bb\n\none\n--bb--\n--b\n\ntwo\n--b--\n"),
             {"0 multipart/mixed ", "1 multipart/mixed ", "2 text/plain : one.", "1 text/plain : two."}}),
    [](const auto& row) { return std::string(row.param.name); });

struct NameCase {
    const char* field;
    Parts names;
};

TEST(PartNames, AreAllThatSomeReaderSees) {
    const std::vector<NameCase> cases{
        {"Content-Type: a/b; name=x.exe", {"x.exe"}},
        {"Content-Type: a/b; name=\"x y.exe\"", {"x y.exe"}},
        {"Content-Type: a/b; name=x y.exe", {"x y.exe"}},
        {"Content-Type: a/b; NAME = \"x.e\\xe\" ; charset=z", {"x.exe"}},
        {"Content-Type: a/b; name=\"x.exe", {"x.exe"}},
        {"Content-Type: a/b; name=\"a.txt\"; name=\"b.exe\"", {"a.txt", "b.exe"}},
        {"Content-Type: a/b; name=a(1).exe", {"a(1).exe"}},
        {"Content-Type: a/b; name=(comment)a.exe (comment)", {"a.exe"}},
        {"Content-Type: a/b; name=\"a;b.exe\"", {"a;b.exe"}},
        {"Content-Type: a/b;\r\n name=\"a\r\n b.exe\"", {"a b.exe"}},
        {"Content-Type: a/b; name*=utf-8'de'%C3%BCber.exe",
         {"\xC3\xBC"
          "ber.exe"}},
        {"Content-Type: a/b; name*=iso-8859-1''%FCber.exe",
         {"\xC3\xBC"
          "ber.exe"}},
        {"Content-Type: a/b; name*=%61.exe", {"a.exe"}},
        {"Content-Type: a/b; name*0=\"a.\"; name*1=exe", {"a.exe"}},
        {"Content-Type: a/b; name*1=exe; name*0*=utf-8''%61.", {"a.exe"}},
        {"Content-Type: a/b; name*0*=utf-8''a%3D; name*1*=%2E; name*2=exe; name=a.txt", {"a.txt", "a=.exe"}},
        {"Content-Type: a/b; name=\"=?utf-8?B?eC5leGU=?=\"", {"x.exe"}},
        {"Content-Type: a/b; name=\"=?utf-8?Q?x=2E?=\r\n =?utf-8?q?e_xe?=\"", {"x.e xe"}},
        {"Content-Type: a/b; name=\"=?windows-1252?Q?=80.exe?=\"", {"\xE2\x82\xAC.exe"}},
        {"Content-Type: a/b; name=\"=?big5?Q?=A4=A4.exe?=\"", {"??.exe"}},
        {"Content-Type: a/b; name=\"=?utf-8?Q?never ends.exe\"", {"=?utf-8?Q?never ends.exe"}},
        {"Content-Type: a/b; name=\"\xFF.exe\"", {"?.exe"}},
        {"Content-Disposition: attachment; filename=x.exe\r\nContent-Type: a/b; name=a.txt", {"x.exe", "a.txt"}},
        {"Content-Disposition: inline;filename=x.exe\r\nContent-Disposition: inline;filename=y.exe", {"x.exe", "y.exe"}},
        {"Content-Type: a/b; filename=x.exe", {}},
    };
    for (const auto& [field, names] : cases) {
        struct Names : PartSink {
            void begin(const PartHead& head) override { heard = head.names; }
            void octets(std::string_view) override {}
            void end() override {}
            Parts heard;
        } sink;
        PartReader reader(sink);
        reader.feed(std::string(field) + "\r\n\r\n");
        reader.finish();
        EXPECT_EQ(sink.heard, names) << field;
    }
}

std::string nested(std::size_t levels) {
    std::string message;
    for (std::size_t i = 0; i < levels; ++i) message += fmt::format("Content-Type: multipart/mixed; boundary=b{0}.\r\n\r\n--b{0}.\r\n", i);
    return message + "\r\ninnermost\r\n";
}

TEST(PartReader, GoesNoDeeperThanItsLimit) {
    for (const auto& [levels, too_deep] : {std::pair{50UZ, false}, std::pair{51UZ, true}, std::pair{1000UZ, true}}) {
        Story story;
        PartReader reader(story);
        reader.feed(nested(levels));
        reader.finish();
        EXPECT_EQ(reader.has(PartFault::too_deep), too_deep) << levels;
        EXPECT_EQ(reader.deepest(), 50U) << levels;
    }
}

TEST(PartReader, CountsMessagesInBase64InItsDepth) {
    Story story;
    PartReader reader(story, {.depth = 2});
    std::string message = "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n";
    for (int i = 0; i < 4; ++i) message += "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n";
    reader.feed(message);
    reader.finish();
    EXPECT_EQ(reader.deepest(), 2U);
    EXPECT_TRUE(reader.has(PartFault::too_deep));
    EXPECT_TRUE(reader.has(PartFault::encoded_container));
}

TEST(PartReader, ReadsNoMorePartsThanItsLimit) {
    Story story;
    PartReader reader(story, {.parts = 3});
    reader.feed("Content-Type: multipart/mixed; boundary=b\r\n\r\n");
    for (int i = 0; i < 10; ++i) reader.feed("--b\r\n\r\nx\r\n");
    reader.finish();
    EXPECT_EQ(reader.parts(), 3U);
    EXPECT_EQ(story.parts.size(), 3U);
    EXPECT_TRUE(reader.has(PartFault::too_many));
}

TEST(PartReader, KeepsNoMoreOfAHeaderThanItsLimit) {
    Story story;
    PartReader reader(story, {.header = 100});
    reader.feed("X: " + std::string(100'000, 'x') + "\r\nContent-Type: a/b\r\n\r\nbody");
    reader.finish();
    EXPECT_EQ(story.parts, Parts{"0 text/plain : body."});
    EXPECT_TRUE(reader.has(PartFault::long_header));
}

TEST(PartReader, TellsWhatItMet) {
    struct FaultCase {
        PartFault fault;
        std::string message;
    };
    const std::vector<FaultCase> cases{
        {PartFault::no_boundary, "Content-Type: multipart/mixed\n\n"},
        {PartFault::several_boundaries, "Content-Type: multipart/mixed; boundary=a; boundary=b\n\n"},
        {PartFault::several_boundaries, "Content-Type: text/plain\nContent-Type: text/html\n\n"},
        {PartFault::line_in_header, "rubbish\nSubject: x\n\n"},
        {PartFault::loose_delimiter, kMixed + "--bx\n\n--b--\n"},
        {PartFault::part_behind_end, kMixed + "--b--\n--b\n"},
        {PartFault::unended, kMixed + "--b\n\n"},
        {PartFault::unknown_encoding, "Content-Transfer-Encoding: base-64\n\n"},
    };
    for (const auto& [fault, message] : cases) {
        Story story;
        PartReader reader(story);
        reader.feed(lines(message));
        reader.finish();
        EXPECT_TRUE(reader.has(fault)) << message;
    }
    Story story;
    PartReader honest(story);
    honest.feed(lines(kMixed + "--b\nContent-Type: text/plain\nContent-Transfer-Encoding: 7bit\n\n--x\n--b--\n"));
    honest.finish();
    for (std::size_t fault = 0; fault < kPartFaults; ++fault)
        EXPECT_FALSE(honest.has(static_cast<PartFault>(fault))) << name_of(static_cast<PartFault>(fault));
}

/// Multiparts within each other, with these many boundaries each; then `dashes` lines that are no delimiters, and one that is.
std::string nested(int levels, int boundaries, int dashes) {
    std::string message;
    for (int level = 0; level < levels; ++level) {
        message += "Content-Type: multipart/mixed";
        for (int i = 0; i < boundaries; ++i) message += fmt::format("; boundary=bound{}.{}.", level, i);
        message += fmt::format("\r\n\r\n--bound{}.0.\r\n", level);
    }
    message += "\r\n";
    for (int i = 0; i < dashes; ++i) message += "--\n";
    return message + fmt::format("--bound{}.0.\r\n\r\nthe last\r\n", levels - 1);
}

TEST(PartReader, LooksForDelimitersOnlySoOften) {
    const auto read_with = [](const std::string& message, std::uint64_t comparisons) {
        Story story;
        PartReader reader(story, {.comparisons = comparisons});
        reader.feed(message);
        reader.finish();
        return std::pair(story.parts.back().ends_with("the last\r\n.") && reader.parts() > 3, reader.has(PartFault::too_many));
    };
    const auto message = nested(2, 1, 10);  // 2 comparisons a line, and 2 for the delimiters before
    EXPECT_EQ(read_with(message, 50), std::pair(true, false));
    EXPECT_EQ(read_with(message, 10), std::pair(false, true));
}

TEST(PartReader, ManyDashesInHonestMailAreNoFault) {
    Story story;
    PartReader reader(story);
    const auto message = nested(4, 1, 1'000'000);
    reader.feed(message);
    reader.finish();
    EXPECT_FALSE(reader.has(PartFault::too_many));
    EXPECT_EQ(reader.parts(), 6U);
}

TEST(PartReader, ManyDashesInDeepNestsEndIt) {
    Story story;
    PartReader reader(story);
    const auto message = nested(50, 4, 1'000'000);
    const auto begun = std::chrono::steady_clock::now();
    reader.feed(message);
    reader.finish();
    EXPECT_TRUE(reader.has(PartFault::too_many));
    EXPECT_EQ(reader.deepest(), 50U);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(30));
}

}  // namespace
}  // namespace thurn::mail
