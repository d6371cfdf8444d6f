// Content by DATA: a fault is told at once, and answered where the content ends.
#include "support/server_driver.h"

namespace thurn::smtp {
namespace {

TEST(ServerContent, TellsOfAFaultAtOnceAndAnswersAtTheEnd) {
    ServerDriver driver(plain_server());
    driver.begin_content();
    EXPECT_EQ(driver.say("good\r\nbad\nline\r\n"), "");
    EXPECT_EQ(driver.drops.size(), 1U);
    EXPECT_TRUE(driver.session.in_content());
    EXPECT_EQ(driver.say("more\nof it\r\nQUIT\r\n.\r"), "");
    EXPECT_THAT(driver.say("\n"), StartsWith("550 5.6.0 "));
    EXPECT_EQ(driver.drops.size(), 1U);
    EXPECT_FALSE(driver.session.in_content());
    ASSERT_EQ(driver.refusals.size(), 1U);
    EXPECT_EQ(driver.refusals.front().verb, "DATA");
}

TEST(ServerContent, TellsThatContentWillNotEndWhenItCloses) {
    ServerDriver driver(plain_server());
    driver.begin_content();
    driver.say("half");
    driver.session.timed_out();
    EXPECT_THAT(driver.pump(), StartsWith("421 4.4.2 "));
    EXPECT_EQ(driver.drops.size(), 1U);
    EXPECT_TRUE(driver.session.closed());
}

TEST(ServerContent, GivesContentAsViewsOfWhatCameIn) {
    ServerSession session = greeted(plain_server());
    session.receive("HELO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n");
    while (auto event = session.next_event()) session.accept();
    std::string wire;
    while (wire.size() < 10240) wire += "A line of ordinary text, of about that length which most programs choose.\r\n";
    session.receive(wire + ".\r\n");
    const auto first = session.next_event();
    EXPECT_EQ(std::get<ContentChunk>(*first).octets, wire);
    EXPECT_TRUE(std::holds_alternative<ContentEnded>(*session.next_event()));
}

TEST(ServerContent, TellsTheFirstOfTwoFaultsHoweverContentIsCut) {
    auto options = plain_server();
    options.message_size = {50};
    options.content_line = 40;
    const std::string line(28, 'x'), too_much = line + "\r\n" + line + "\r\n";
    const std::pair<std::string, std::string> contents[] = {{too_much + std::string(1, '\0'), "552 "},
                                                            {line + std::string(1, '\0') + too_much, "550 "},
                                                            {line + line + too_much, "550 "},
                                                            {too_much + line + line, "552 "}};
    for (const auto& [content, reply] : contents) {
        for (const std::size_t cut : {std::size_t{1}, std::size_t{7}, content.size()}) {
            ServerDriver driver(options);
            driver.begin_content();
            for (std::size_t at = 0; at < content.size(); at += cut) driver.say(std::string_view(content).substr(at, cut));
            EXPECT_THAT(driver.say("\r\n.\r\n"), StartsWith(reply)) << content << " cut to " << cut;
        }
    }
}

}  // namespace
}  // namespace thurn::smtp
