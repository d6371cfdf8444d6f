#include "smtp/reply.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::smtp {
namespace {

using testing::ElementsAre;

TEST(RenderReply, PutsCodeAndStatusBeforeEachLine) {
    const Reply reply{.code = 550, .status = mail::EnhancedStatus{5, 1, 1}, .lines = {"No such user", "Ask elsewhere"}};
    EXPECT_EQ(render_reply(reply), "550-5.1.1 No such user\r\n550 5.1.1 Ask elsewhere\r\n");
    EXPECT_EQ(render_reply({.code = 250, .status = std::nullopt, .lines = {"mx", "SIZE 5"}}), "250-mx\r\n250 SIZE 5\r\n");
    EXPECT_EQ(render_reply({.code = 250, .status = mail::EnhancedStatus{2, 0, 0}, .lines = {""}}), "250 2.0.0\r\n");
}

TEST(RenderReply, NeverWritesMoreThan512OctetsALine) {
    for (const std::size_t length : {400U, 505U, 506U, 507U, 1200U}) {
        std::string text(length, 'x');
        for (std::size_t at = 7; at < length; at += 8) text[at] = length % 2 == 0 ? ' ' : 'y';
        const auto wire = render_reply({.code = 550, .status = mail::EnhancedStatus{5, 7, 1}, .lines = {text}});
        std::string joined;
        for (std::string_view rest = wire; !rest.empty();) {
            const auto line = rest.substr(0, rest.find('\n') + 1);
            EXPECT_LE(line.size(), 512U);
            EXPECT_TRUE(line.ends_with("\r\n"));
            EXPECT_EQ(line[3], line.size() == rest.size() ? ' ' : '-');
            joined += line.substr(10, line.size() - 12);
            if (line.size() != rest.size() && length % 2 == 0) joined += ' ';
            rest.remove_prefix(line.size());
        }
        while (text.ends_with(' ')) text.pop_back();
        EXPECT_EQ(joined, text);
    }
}

TEST(RenderReply, CannotBeMadeToSayASecondReply) {
    const auto reply = make_reply(550, {5, 7, 1}, "no\r\n250 yes\x7f");
    EXPECT_EQ(reply.lines.front(), "no  250 yes ");
    EXPECT_EQ(render_reply({.code = 550, .status = std::nullopt, .lines = {"a\r\n250 b"}}), "550 a  250 b\r\n");
}

TEST(DescribeReply, JoinsLinesForPeople) {
    EXPECT_EQ(describe_reply({.code = 550, .status = mail::EnhancedStatus{5, 1, 1}, .lines = {"No", "such\tuser"}}),
              "550 5.1.1 No such user");
    EXPECT_EQ(describe_reply({.code = 421, .status = std::nullopt, .lines = {""}}), "421");
}

/// All replies of `wire`, fed in two pieces; ends with code 0 where the reader failed.
std::vector<Reply> read_all(std::string_view wire, std::size_t cut) {
    ReplyReader reader;
    std::vector<Reply> replies;
    for (const auto piece : {wire.substr(0, cut), wire.substr(cut)}) {
        reader.receive(piece);
        while (true) {
            auto reply = reader.next();
            if (!reply) {
                replies.push_back({});
                return replies;
            }
            if (!*reply) break;
            replies.push_back(**reply);
        }
    }
    return replies;
}

struct ReaderCase {
    const char* name;
    std::string wire;
    std::vector<Reply> replies;
};
class ReplyReaderTest : public testing::TestWithParam<ReaderCase> {};

TEST_P(ReplyReaderTest, ReadsTheSameInEverySplit) {
    const auto& row = GetParam();
    for (std::size_t cut = 0; cut <= row.wire.size(); ++cut) EXPECT_EQ(read_all(row.wire, cut), row.replies) << "cut at " << cut;
}

Reply read(std::uint16_t code, std::vector<std::string> lines) { return {.code = code, .status = std::nullopt, .lines = std::move(lines)}; }
Reply with_status(std::uint16_t code, mail::EnhancedStatus status, std::vector<std::string> lines) {
    return {.code = code, .status = status, .lines = std::move(lines)};
}
const Reply kDead{};

INSTANTIATE_TEST_SUITE_P(
    Cases, ReplyReaderTest,
    testing::Values(ReaderCase{"Single", "250 ok\r\n", {read(250, {"ok"})}},
                    ReaderCase{"BareLf", "250-a\n250 b\n", {read(250, {"a", "b"})}},
                    ReaderCase{"Several", "250 a\r\n354 b\r\n", {read(250, {"a"}), read(354, {"b"})}},
                    ReaderCase{"Status", "550 5.1.1 who\r\n", {with_status(550, {5, 1, 1}, {"who"})}},
                    ReaderCase{"StatusOnEachLine", "550-5.1.1 who\r\n550 5.1.1 is it\r\n", {with_status(550, {5, 1, 1}, {"who", "is it"})}},
                    ReaderCase{"StatusOfAnotherClass", "550 4.1.1 who\r\n", {read(550, {"4.1.1 who"})}},
                    ReaderCase{"StatusWithoutText", "550 5.7.2\r\n", {with_status(550, {5, 7, 2}, {""})}},  // CVE-2026-43964
                    ReaderCase{"StatusAndSpace", "550 5.7.2 \r\n", {with_status(550, {5, 7, 2}, {""})}},
                    ReaderCase{"CodeAlone", "550\r\n", {read(550, {""})}}, ReaderCase{"CodeAndSpace", "550 \r\n", {read(550, {""})}},
                    ReaderCase{"CodeAndHyphen", "550-\r\n550\r\n", {read(550, {"", ""})}}, ReaderCase{"EmptyLine", "\r\n", {kDead}},
                    ReaderCase{"TwoCodes", "550-a\r\n250 b\r\n", {kDead}}, ReaderCase{"NoCode", "550-a\r\nb\r\n", {kDead}},
                    ReaderCase{"CodeOutOfRange", "199 a\r\n", {kDead}}, ReaderCase{"CodeTooLarge", "600 a\r\n", {kDead}},
                    ReaderCase{"CodeOfFourDigits", "2500 a\r\n", {kDead}}, ReaderCase{"Negative", "-25 a\r\n", {kDead}},
                    ReaderCase{"ControlOctets", std::string("550 a\rb\x01\0c\x7f\r\n", 13), {read(550, {"a b  c "})}},
                    ReaderCase{"LineTooLong", "250 " + std::string(2048, 'x'), {kDead}},
                    ReaderCase{"OneGoodThenDead", "250 a\r\nx\r\n", {read(250, {"a"}), kDead}}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(ReplyReader, TakesAHundredLinesAndNoMore) {
    std::string wire;
    for (int line = 0; line < 99; ++line) wire += "250-x\r\n";
    EXPECT_EQ(read_all(wire + "250 x\r\n", 0).front().lines.size(), 100U);
    EXPECT_THAT(read_all(wire + "250-x\r\n250 x\r\n", 0), ElementsAre(kDead));
}

TEST(ReplyReader, KnowsWhatStandsBehindAReply) {
    ReplyReader reader;
    reader.receive("220 go\r\n2");
    ASSERT_TRUE(reader.next()->has_value());
    EXPECT_TRUE(reader.has_leftover());
    ReplyReader clean;
    clean.receive("220 go\r\n");
    ASSERT_TRUE(clean.next()->has_value());
    EXPECT_FALSE(clean.has_leftover());
}

}  // namespace
}  // namespace thurn::smtp
