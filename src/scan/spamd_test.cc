#include "scan/spamd.h"

#include <gtest/gtest.h>

namespace thurn::scan {
namespace {

using base::ErrorKind;

constexpr std::string_view kSpam = "SPAMD/1.1 0 EX_OK\r\nContent-length: 19\r\nSpam: True ; 1000.0 / 5.0\r\n\r\nGTUBE,NO_RECEIVED\r\n";

base::Result<std::optional<SpamVerdict>> parse(std::string_view octets) { return parse_spamd_reply(octets, Connection::ended); }

TEST(SpamdRequest, SaysHowLongTheMessageIs) { EXPECT_EQ(render_spamd_request(1234), "SYMBOLS SPAMC/1.5\r\nContent-length: 1234\r\n\r\n"); }

TEST(SpamdReply, TellsScoreAndRules) {
    const SpamVerdict spam{.spam = true, .score = 1000, .threshold = 5, .rules = {"GTUBE", "NO_RECEIVED"}};
    EXPECT_EQ(parse(kSpam).value(), spam);
    EXPECT_EQ(parse("SPAMD/1.1 0 EX_OK\r\nSpam: False ; -1.9 / 5.0\r\n\r\nA").value(), (SpamVerdict{false, -1.9, 5, {"A"}}));
    EXPECT_EQ(parse("SPAMD/1.1 0 EX_OK\r\nSpam: False ; 0.0 / 5.0\r\n\r\n").value(), (SpamVerdict{false, 0, 5, {}}));
}

TEST(SpamdReply, EndsWithItsLengthOrTheConnection) {
    for (std::size_t cut = 0; cut < kSpam.size(); ++cut) {
        EXPECT_EQ(parse_spamd_reply(kSpam.substr(0, cut), Connection::open).value(), std::nullopt) << cut;
        EXPECT_EQ(parse_spamd_reply(kSpam.substr(0, cut), Connection::ended).error().kind,
                  cut == 0 ? ErrorKind::peer_gone : ErrorKind::syntax)
            << cut;
    }
    EXPECT_TRUE(parse_spamd_reply(kSpam, Connection::open).value().has_value());
}

TEST(SpamdReply, ThatSaysNothingOfTheMessageIsAnError) {
    EXPECT_EQ(parse("SPAMD/1.0 76 Bad header line: (Content-Length mismatch)\r\n").error().kind, ErrorKind::refused);
    EXPECT_EQ(parse("SPAMD/1.1 79 EX_TIMEOUT\r\n\r\n").error().kind, ErrorKind::refused);
    for (const auto* text : {"HTTP/1.1 200 OK\r\n\r\n", "SPAMD/1.1\r\n\r\n", "SPAMD/1.1 x y\r\n\r\n", "SPAMD/1.1 0 EX_OK\r\n\r\nA",
                             "SPAMD/1.1 0 EX_OK\r\nSpam: Maybe ; 1 / 5\r\n\r\n", "SPAMD/1.1 0 EX_OK\r\nSpam: True ; nan / 5\r\n\r\n",
                             "SPAMD/1.1 0 EX_OK\r\nSpam: True / 1 ; 5\r\n\r\n", "SPAMD/1.1 0 EX_OK\r\nno field\r\n\r\n",
                             "SPAMD/1.1 0 EX_OK\r\nContent-length: -1\r\n\r\n"})
        EXPECT_EQ(parse(text).error().kind, ErrorKind::syntax) << text;
    EXPECT_EQ(parse_spamd_reply(std::string(kMostOfSpamdReply + 1, 'x'), Connection::open).error().kind, ErrorKind::syntax);
}

TEST(SpamdReply, HoldsSoManyRulesAndNoMore) {
    std::string text = "SPAMD/1.1 0 EX_OK\r\nSpam: True ; 1 / 5\r\n\r\n";
    for (int i = 0; i < 200; ++i) text += "R,";
    EXPECT_EQ(parse(text).value()->rules.size(), 100);
}

}  // namespace
}  // namespace thurn::scan
