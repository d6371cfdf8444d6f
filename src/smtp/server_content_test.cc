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

// ---- More than a count of 32 bits can tell (CVE-2005-1513)

#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
constexpr bool kSlow = true;  // minutes, for what is arithmetic and no matter of memory
#else
constexpr bool kSlow = false;
#endif

constexpr std::uint64_t kHuge = std::uint64_t{5} << 30;

/// Lines, in pieces of a mebibyte from one buffer; gives how many octets came out.
std::uint64_t pass_through(ServerSession& session, std::uint64_t octets) {
    std::string buffer;
    while (buffer.size() < base::mebibytes(1).count) buffer += std::string(62, 'x') + "\r\n";
    std::uint64_t out = 0;
    for (std::uint64_t in = 0; in < octets; in += buffer.size()) {
        session.receive(std::string_view(buffer).substr(0, std::min<std::uint64_t>(buffer.size(), octets - in)));
        while (auto event = session.next_event()) {
            const auto* chunk = std::get_if<ContentChunk>(&*event);
            if (!chunk) {
                ADD_FAILURE() << "an event of another kind";
                return out;
            }
            out += chunk->octets.size();
        }
    }
    return out;
}

ServerSession with_envelope(std::string_view content_command) {
    auto options = with_chunks();
    options.message_size = {0};
    ServerSession session = greeted(options);
    session.receive(std::string(kEnvelope) + std::string(content_command));
    while (auto event = session.next_event())
        if (waits_for_answer(*event)) session.accept();
    static_cast<void>(session.take_output());
    return session;
}

TEST(ServerContent, CountsFiveGibibytesOfData) {
    if (kSlow) GTEST_SKIP();
    auto session = with_envelope("DATA\r\n");
    EXPECT_EQ(pass_through(session, kHuge), kHuge);
    session.receive(".\r\n");
    EXPECT_TRUE(std::holds_alternative<ContentEnded>(*session.next_event()));
}

TEST(ServerContent, CountsAChunkOfFiveGibibytes) {
    if (kSlow) GTEST_SKIP();
    auto session = with_envelope("BDAT " + std::to_string(kHuge + 3) + " LAST\r\n");
    EXPECT_EQ(pass_through(session, kHuge), kHuge);
    EXPECT_TRUE(session.in_content());
    session.receive("x\r\nNOOP\r\n");
    const auto last = session.next_event();
    EXPECT_EQ(std::get<ContentChunk>(*last).octets, "x\r\n");
    EXPECT_TRUE(std::holds_alternative<ContentEnded>(*session.next_event()));
    session.accept();
    EXPECT_FALSE(next_of(session));
    EXPECT_EQ(session.take_output(), "250 2.0.0 Ok\r\n250 2.0.0 Ok\r\n");
}

}  // namespace
}  // namespace thurn::smtp
