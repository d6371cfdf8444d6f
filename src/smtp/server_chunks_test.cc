// Content by BDAT (RFC 3030).
#include "support/server_driver.h"

namespace thurn::smtp {
namespace {

TEST(ServerChunks, GivesAChunkAsAViewOfWhatCameIn) {
    ServerSession session = greeted(with_chunks());
    session.receive(kEnvelope);
    while (auto event = session.next_event()) session.accept();
    const std::string content(10000, 'x');
    session.receive("BDAT 10000\r\n" + content);
    EXPECT_TRUE(std::holds_alternative<ContentBegins>(*session.next_event()));
    EXPECT_TRUE(session.in_content());
    session.accept();
    EXPECT_EQ(std::get<ContentChunk>(*session.next_event()).octets, content);
    EXPECT_FALSE(session.next_event());
    EXPECT_TRUE(session.in_content()) << "until the last chunk";
    session.receive("BDAT 0 LAST\r\n");
    EXPECT_EQ(std::get<ContentChunk>(*session.next_event()).octets, "\r\n") << "the line that was not ended";
    EXPECT_TRUE(std::holds_alternative<ContentEnded>(*session.next_event()));
    EXPECT_FALSE(session.in_content());
}

TEST(ServerChunks, AsksBeforeTheFirstChunkAndDropsItWhenRefused) {
    ServerDriver driver(with_chunks());
    driver.decide = [](const ServerEvent& event) {
        return std::holds_alternative<ContentBegins>(event) ? std::optional(make_reply(452, {4, 3, 1}, "full")) : std::nullopt;
    };
    driver.say(kEnvelope);
    EXPECT_EQ(driver.say("BDAT 6\r\nQU"), "452 4.3.1 full\r\n");
    EXPECT_EQ(driver.say("IT\r\nNOOP\r\n"), "250 2.0.0 Ok\r\n");
    EXPECT_EQ(driver.content, "");
    EXPECT_TRUE(driver.drops.empty());
}

TEST(ServerChunks, ForgivesChunksThatWereOnTheirWay) {
    auto options = with_chunks();
    options.errors = 2;
    ServerDriver driver(options);
    driver.say(std::string(kEnvelope) + "BDAT 3\r\na\nb");
    for (int count = 0; count < 5; ++count) EXPECT_THAT(driver.say("BDAT 3\r\nabc"), StartsWith("503 "));
    EXPECT_THAT(driver.say("NOOP\r\n"), StartsWith("250 "));
    EXPECT_THAT(driver.say("BDAT 3\r\nabc"), StartsWith("503 "));
    EXPECT_THAT(driver.say("NOOP\r\n"), StartsWith("421 "));
}

TEST(ServerChunks, TellsOnceThatChunksWillNotEnd) {
    for (const std::string_view end : {"RSET\r\n", "HELO a\r\n", "QUIT\r\n", "BDAT x\r\n"}) {
        ServerDriver driver(with_chunks());
        driver.say(std::string(kEnvelope) + "BDAT 3\r\nabc");
        driver.say(end);
        EXPECT_EQ(driver.drops.size(), 1U) << end;
        EXPECT_EQ(driver.resets, 0) << end;
        driver.session.timed_out();
        driver.pump();
        EXPECT_EQ(driver.drops.size(), 1U) << end;
    }
}

TEST(ServerChunks, TellsOfAFaultInAChunkAtOnceAndAnswersAtItsEnd) {
    ServerDriver driver(with_chunks());
    driver.say(kEnvelope);
    EXPECT_EQ(driver.say("BDAT 10\r\na\nb"), "");
    EXPECT_EQ(driver.drops.size(), 1U);
    EXPECT_THAT(driver.say("1234567"), StartsWith("550 5.6.0 "));
    EXPECT_EQ(driver.drops.size(), 1U);
    ASSERT_EQ(driver.refusals.size(), 1U);
    EXPECT_EQ(driver.refusals.front().verb, "BDAT");
}

TEST(ServerChunks, CountsOnlySmallChunksAsCommands) {
    auto options = with_chunks();
    options.commands = 6;
    const std::string chunk = "BDAT 1024\r\n" + std::string(1022, 'x') + "\r\n";
    ServerDriver large(options);
    large.say(kEnvelope);  // three commands
    for (int count = 0; count < 20; ++count) EXPECT_EQ(large.say(chunk), "250 2.0.0 Ok\r\n");
    EXPECT_THAT(large.say("BDAT 0 LAST\r\n"), StartsWith("250 "));
    ServerDriver small(options);
    small.say(kEnvelope);
    std::string replies;
    for (int count = 0; count < 4; ++count) replies += small.say("BDAT 1\r\nx");
    EXPECT_THAT(replies, HasSubstr("421 4.7.0 Too many commands"));
}

}  // namespace
}  // namespace thurn::smtp
