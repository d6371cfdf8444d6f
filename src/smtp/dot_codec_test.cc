#include "smtp/dot_codec.h"

#include <gtest/gtest.h>

namespace thurn::smtp {
namespace {

using namespace std::string_view_literals;

struct Decoded {
    std::string content;
    std::string behind;  // octets after the end
    bool ended = false;
    ContentFault fault = ContentFault::none;
    friend bool operator==(const Decoded&, const Decoded&) = default;
};

void feed(DotDecoder& decoder, std::string_view wire, Decoded& result) {
    while (!wire.empty() && !decoder.ended()) {
        const auto step = decoder.step(wire);
        result.content += step.content;
        wire.remove_prefix(step.consumed);
    }
    result.behind += wire;
}

Decoded decode(std::initializer_list<std::string_view> pieces) {
    DotDecoder decoder;
    Decoded result;
    for (const auto piece : pieces) feed(decoder, piece, result);
    result.ended = decoder.ended();
    result.fault = decoder.fault();
    return result;
}

struct DotCase {
    const char* name;
    std::string_view wire;
    Decoded decoded;
};
class DotDecoderTest : public testing::TestWithParam<DotCase> {};

TEST_P(DotDecoderTest, GivesTheSameContentForEverySplit) {
    const auto& [name, wire, wanted] = GetParam();
    for (std::size_t cut = 0; cut <= wire.size(); ++cut)
        EXPECT_EQ(decode({wire.substr(0, cut), wire.substr(cut)}), wanted) << "cut at " << cut;
    DotDecoder decoder;
    Decoded result;
    for (std::size_t at = 0; at < wire.size(); ++at) feed(decoder, wire.substr(at, 1), result);
    EXPECT_EQ(result.behind, wanted.behind);
    EXPECT_EQ(decoder.ended(), wanted.ended);
    EXPECT_EQ(decoder.fault(), wanted.fault);
    EXPECT_EQ(result.content, wanted.content);
}

INSTANTIATE_TEST_SUITE_P(Rfc5321Section452, DotDecoderTest,
                         testing::Values(DotCase{"Empty", ".\r\n", {.content = "", .behind = "", .ended = true}},
                                         DotCase{"EmptyLine", "\r\n.\r\n", {.content = "\r\n", .behind = "", .ended = true}},
                                         DotCase{"StuffedDot", "..a\r\n.\r\n", {.content = ".a\r\n", .behind = "", .ended = true}},
                                         DotCase{"UnstuffedDot", ".a\r\n.\r\n", {.content = "a\r\n", .behind = "", .ended = true}},
                                         DotCase{"LoneStuffedDot", "..\r\n.\r\n", {.content = ".\r\n", .behind = "", .ended = true}},
                                         DotCase{"DotInsideALine", "a.\r\n.\r\n", {.content = "a.\r\n", .behind = "", .ended = true}},
                                         DotCase{"CommandsBehind",
                                                 "a\r\n.\r\nMAIL FROM:<>\r\n",
                                                 {.content = "a\r\n", .behind = "MAIL FROM:<>\r\n", .ended = true}},
                                         DotCase{"NotEnded", "a\r\nb", {.content = "a\r\nb", .behind = ""}}),
                         [](const auto& row) { return std::string(row.param.name); });

/// Everything that some server once took for the end of content (CVE-2023-51764 and kin). None is; each is a fault, but the true end.
constexpr std::string_view kFalseEnds[] = {
    "\n.\n"sv,       "\n.\r\n"sv,       "\r\n.\n"sv,     "\r.\r"sv,       "\r.\r\n"sv,     "\r\n.\r"sv,     "\n.\r"sv,       "\r.\n"sv,
    "\r\r\n.\r\n"sv, "\n\n.\r\n"sv,     "\r\n\n.\r\n"sv, "\n\r\n.\r\n"sv, "\r\n.\r\r\n"sv, "\r\n.\n\r\n"sv, "\r\r.\r\r"sv,   "\n\n.\n\n"sv,
    "\r\n\r.\r\n"sv, "\r\r\n.\r\r\n"sv, "\0\r\n.\r\n"sv, "\r\0\n.\r\n"sv, "\r\n\0.\r\n"sv, "\r\n.\0\r\n"sv, "\r\n.\r\0\n"sv, "\n\0.\n"sv,
    "\r\0.\r"sv,     "\0\n.\0\n"sv,     "\n.\0\n"sv,     "\r\n.\r\n\0"sv, "\n.\n\r\n"sv,   "\r.\r\n.\n"sv,  "\n\r.\n\r"sv,   "\n\r.\r\n"sv,
};

/// The end by the letter: the first CRLF.CRLF.
std::size_t true_end(std::string_view wire) { return wire.find("\r\n.\r\n") + 5; }

TEST(DotDecoder, EndsAtNoneOfTheFalseEnds) {
    for (const auto false_end : kFalseEnds) {
        const std::string wire = "Subject: x\r\n\r\ntext" + std::string(false_end) + "MAIL FROM:<evil@example>\r\n.\r\nQUIT\r\n";
        const auto behind = wire.substr(true_end(wire));
        for (std::size_t cut = 0; cut <= wire.size(); ++cut) {
            const auto got = decode({std::string_view(wire).substr(0, cut), std::string_view(wire).substr(cut)});
            EXPECT_TRUE(got.ended);
            EXPECT_EQ(got.behind, behind) << testing::PrintToString(false_end) << " cut at " << cut;
            if (!false_end.starts_with("\r\n.\r\n")) EXPECT_NE(got.fault, ContentFault::none) << testing::PrintToString(false_end);
        }
    }
}

TEST(DotDecoder, NamesTheFirstFault) {
    EXPECT_EQ(decode({"a\rb\r\n.\r\n"}).fault, ContentFault::bare_cr);
    EXPECT_EQ(decode({"a\nb\r\n.\r\n"}).fault, ContentFault::bare_lf);
    EXPECT_EQ(decode({"a\0b\r\n.\r\n"sv}).fault, ContentFault::nul);
    EXPECT_EQ(decode({"a\r", "\r\n.\r\n"}).fault, ContentFault::bare_cr);
}

TEST(DotDecoder, FindsFaultsAtEveryPlaceOfABlock) {
    for (std::size_t at = 0; at < 200; ++at) {
        for (const char bad : {'\r', '\n', '\0'}) {
            std::string wire(200, 'x');
            wire[at] = bad;
            const auto got = decode({wire, "\r\n.\r\n"});
            EXPECT_TRUE(got.ended);
            EXPECT_NE(got.fault, ContentFault::none) << at;
        }
        std::string dotted(200, 'x');
        dotted.insert(at, "\r\n..");
        const auto got = decode({dotted, "\r\n.\r\n"});
        dotted.erase(at + 2, 1);
        EXPECT_EQ(got.content, dotted + "\r\n") << at;
        EXPECT_EQ(got.fault, ContentFault::none);
    }
}

TEST(DotDecoder, GivesLargeContentInFewPieces) {
    std::string wire;
    while (wire.size() < 100000) wire += "A line of ordinary text, of about that length which most programs choose.\r\n";
    DotDecoder decoder;
    const auto step = decoder.step(wire);
    EXPECT_EQ(step.content.size(), wire.size());
    EXPECT_EQ(step.content.data(), wire.data());
}

TEST(DotDecoder, RefusesLinesOverItsLimitOnly) {
    DotDecoder exact(10);
    Decoded result;
    feed(exact, "12345678\r\n.\r\n", result);
    EXPECT_EQ(exact.fault(), ContentFault::none);
    for (const std::size_t cut : {1U, 5U, 9U, 10U}) {
        DotDecoder over(10);
        const std::string_view wire = "123456789\r\n.\r\n";
        feed(over, wire.substr(0, cut), result);
        feed(over, wire.substr(cut), result);
        EXPECT_EQ(over.fault(), ContentFault::line_too_long) << cut;
        EXPECT_TRUE(over.ended());
    }
}

std::string encode(std::initializer_list<std::string_view> pieces) {
    DotEncoder encoder;
    std::string wire;
    for (const auto piece : pieces) encoder.encode(piece, wire);
    encoder.finish(wire);
    return wire;
}

struct EncoderCase {
    const char* name;
    std::string_view content;
    std::string_view wire;
};
class DotEncoderTest : public testing::TestWithParam<EncoderCase> {};

TEST_P(DotEncoderTest, GivesTheSameOctetsForEverySplit) {
    const auto& [name, content, wire] = GetParam();
    for (std::size_t cut = 0; cut <= content.size(); ++cut) EXPECT_EQ(encode({content.substr(0, cut), content.substr(cut)}), wire) << cut;
}

INSTANTIATE_TEST_SUITE_P(
    Cases, DotEncoderTest,
    testing::Values(EncoderCase{"Empty", "", ".\r\n"}, EncoderCase{"Line", "a\r\n", "a\r\n.\r\n"}, EncoderCase{"NoEnd", "a", "a\r\n.\r\n"},
                    EncoderCase{"Dots", ".\r\n..\r\n.a", "..\r\n...\r\n..a\r\n.\r\n"},
                    EncoderCase{"BareLf", "a\n.\nb\n", "a\r\n..\r\nb\r\n.\r\n"},
                    EncoderCase{"BareCr", "a\r.\rb\r", "a\r\n..\r\nb\r\n.\r\n"}, EncoderCase{"CrCrLf", "a\r\r\n", "a\r\n\r\n.\r\n"},
                    EncoderCase{"LfCr", "a\n\rb", "a\r\n\r\nb\r\n.\r\n"}, EncoderCase{"Nul", "a\0.b\r\n"sv, "a\0.b\r\n.\r\n"sv},
                    EncoderCase{"NulBeforeDot", "a\r\n\0.\r\n"sv, "a\r\n\0.\r\n.\r\n"sv}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(DotEncoder, IsUndoneByTheDecoder) {
    for (unsigned seed = 0; seed < 2000; ++seed) {
        std::string content;
        for (unsigned state = seed * 2654435761U + 1, at = 0; at < 150; ++at) {
            state = state * 1664525U + 1013904223U;
            content += ".a\r\n.a"sv[(state >> 16) % 6];
            if (content.back() == '\r') content += '\n';
            if (content.back() == '\n' && !content.ends_with("\r\n")) content.back() = 'b';
        }
        content += "\r\n";
        const auto got = decode({encode({content})});
        EXPECT_EQ(got.content, content);
        EXPECT_TRUE(got.ended);
        EXPECT_EQ(got.fault, ContentFault::none);
    }
}

// ---- Plain dots, for BDAT

struct PlainCase {
    std::string_view wire;
    std::string_view content;
    ContentFault fault;
};

TEST(PlainDotDecoder, GivesTheSameForEverySplit) {
    const PlainCase cases[] = {
        {"", "", ContentFault::none},
        {".\r\n", ".\r\n", ContentFault::none},
        {"\r\n.\r\n..\r\n", "\r\n.\r\n..\r\n", ContentFault::none},
        {"no end", "no end\r\n", ContentFault::none},
        {".", ".\r\n", ContentFault::none},
        {"a\rb", "", ContentFault::bare_cr},
        {"a\r", "", ContentFault::bare_cr},
        {"\n", "", ContentFault::bare_lf},
        {"a\r\r\n", "", ContentFault::bare_cr},
        {std::string_view("a\0", 2), "", ContentFault::nul},
        {"12345678\r\n.2345678\r\n", "12345678\r\n.2345678\r\n", ContentFault::none},
        {".23456789\r\n", "", ContentFault::line_too_long},
    };
    for (const auto& [wire, content, fault] : cases) {
        for (std::size_t cut = 0; cut <= wire.size(); ++cut) {
            DotDecoder decoder(10, Dots::plain);
            std::string got;
            for (auto piece : {wire.substr(0, cut), wire.substr(cut)}) {
                while (!piece.empty() && decoder.fault() == ContentFault::none) {
                    const auto step = decoder.step(piece);
                    got += step.content;
                    piece.remove_prefix(step.consumed);
                }
            }
            if (decoder.fault() == ContentFault::none) got += decoder.finish();
            EXPECT_EQ(decoder.fault(), fault) << wire << " cut at " << cut;
            if (fault == ContentFault::none) EXPECT_EQ(got, content) << "cut at " << cut;
        }
    }
}

TEST(PlainDotEncoder, MendsLineEndsAndLeavesDots) {
    DotEncoder encoder(Dots::plain);
    std::string wire;
    for (const std::string_view piece : {".\r", "\n..\n", "a\rb", "\r"}) encoder.encode(piece, wire);
    encoder.finish(wire);
    EXPECT_EQ(wire, ".\r\n..\r\na\r\nb\r\n");
}

}  // namespace
}  // namespace thurn::smtp
