#include "scan/clamd.h"

#include <gtest/gtest.h>

namespace thurn::scan {
namespace {

using base::ErrorKind;
using namespace std::string_literals;

TEST(ClamdReply, TellsWhatWasFound) {
    EXPECT_EQ(parse_clamd_reply("stream: OK\0"s).value(), VirusVerdict{});
    EXPECT_EQ(parse_clamd_reply("stream: Eicar-Test-Signature FOUND\0"s).value(), VirusVerdict{"Eicar-Test-Signature"});
    EXPECT_EQ(parse_clamd_reply("stream: {HEX}php.x FOUND y FOUND\0"s).value(), VirusVerdict{"{HEX}php.x FOUND y"});
}

TEST(ClamdReply, IsWholeWithItsNul) {
    const auto whole = "stream: Eicar FOUND\0"s;
    for (std::size_t cut = 0; cut < whole.size(); ++cut) EXPECT_EQ(parse_clamd_reply(whole.substr(0, cut)).value(), std::nullopt) << cut;
}

TEST(ClamdReply, ThatSaysNothingOfTheMessageIsAnError) {
    EXPECT_EQ(parse_clamd_reply("INSTREAM size limit exceeded. ERROR\0"s).error().kind, ErrorKind::too_long);
    EXPECT_EQ(parse_clamd_reply("stream: Can't allocate memory ERROR\0"s).error().kind, ErrorKind::refused);
    for (const auto& line : {"\0"s, "UNKNOWN COMMAND\0"s, "stream: \0"s, "stream: FOUND\0"s, "stream:  FOUND\0"s, "stream: ok\0"s, "OK\0"s})
        EXPECT_EQ(parse_clamd_reply(line).error().kind, ErrorKind::syntax) << line;
    EXPECT_EQ(parse_clamd_reply(std::string(kMostOfClamdReply + 1, 'x')).error().kind, ErrorKind::syntax);
}

TEST(ClamdReply, NamesAreFitForAReply) {
    EXPECT_EQ(parse_clamd_reply("stream: a\r\nb\xff FOUND\0"s).value(), VirusVerdict{"a??b?"});
    EXPECT_EQ(parse_clamd_reply("stream: " + std::string(1000, 'x') + " FOUND\0"s).value(), VirusVerdict{std::string(kMostOfAName, 'x')});
}

TEST(ClamdChunk, BeginsWithItsLength) {
    EXPECT_EQ(clamd_chunk_head(0x01020304), (std::array<char, 4>{1, 2, 3, 4}));
    EXPECT_EQ(clamd_chunk_head(65535), (std::array<char, 4>{0, 0, '\xff', '\xff'}));
}

}  // namespace
}  // namespace thurn::scan
