#include "milter/packet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::milter {
namespace {

using namespace std::literals;
using testing::HasSubstr;

TEST(PacketReader, GivesTheSamePacketsForEverySplit) {
    const std::string wire = "\0\0\0\1c\0\0\0\4hab\0"s;
    for (std::size_t cut = 0; cut <= wire.size(); ++cut) {
        PacketReader reader(100);
        std::string got;
        for (const auto& piece : {wire.substr(0, cut), wire.substr(cut)}) {
            reader.receive(piece);
            while (const auto packet = reader.next().value()) got += packet->word + std::string(packet->payload) + '|';
        }
        EXPECT_EQ(got, "c|hab\0|"s) << cut;
        EXPECT_FALSE(reader.has_leftover());
    }
}

TEST(PacketReader, RefusesWhatIsTooLongBeforeItIsThere) {
    PacketReader reader(100);
    reader.receive("\0\0\0\x65h"s);
    const auto refused = reader.next();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, base::ErrorKind::too_long);
    EXPECT_THAT(refused.error().detail, HasSubstr("101 octets"));
    reader.receive("\0\0\0\1c"s);
    EXPECT_FALSE(reader.next()) << "it is dead";
}

TEST(PacketReader, RefusesAPacketWithoutAWord) {
    PacketReader reader(100);
    reader.receive("\0\0\0\0"s);
    EXPECT_EQ(reader.next().error().kind, base::ErrorKind::syntax);
}

TEST(PacketWriter, WritesWhatAReaderReads) {
    PacketWriter writer;
    writer.begin('C');
    writer.text("na\0me"s);
    writer.octet('4');
    writer.port(4711);
    writer.number(0x01020304);
    writer.end();
    EXPECT_EQ(writer.take(),
              "\0\0\0\x0d"
              "Cname\0"
              "4\x12\x67\1\2\3\4"s);
    EXPECT_TRUE(writer.empty());
}

TEST(PayloadReader, SaysWhatIsMissing) {
    PayloadReader whole("\0\0\1\2ab\0"sv);
    EXPECT_EQ(whole.number(), 258U);
    EXPECT_EQ(whole.text(), "ab");
    EXPECT_TRUE(whole.complete());
    PayloadReader cut("\0\0\1"sv);
    EXPECT_EQ(cut.number(), 0U);
    EXPECT_TRUE(cut.failed());
    PayloadReader open("ab");
    EXPECT_EQ(open.text(), "");
    EXPECT_TRUE(open.failed());
    EXPECT_FALSE(open.complete());
}

}  // namespace
}  // namespace thurn::milter
