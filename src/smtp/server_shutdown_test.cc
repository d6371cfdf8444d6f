#include "support/server_driver.h"

namespace thurn::smtp {
namespace {

TEST(ServerShutdown, ShutsDownAtOnceWhenIdle) {
    ServerDriver driver(plain_server());
    driver.say("HELO a\r\nMAIL FROM:<a@b.example>\r\n");
    driver.session.shut_down();
    EXPECT_THAT(driver.pump(), StartsWith("421 4.3.2 "));
    EXPECT_TRUE(driver.session.closed());
}

TEST(ServerShutdown, LetsContentEndBeforeItShutsDown) {
    ServerDriver driver(plain_server());
    driver.begin_content();
    driver.say("half ");
    driver.session.shut_down();
    EXPECT_EQ(driver.pump(), "");
    EXPECT_FALSE(driver.session.closed());
    EXPECT_EQ(driver.say("a line\r\n.\r\nMAIL FROM:<a@b.example>\r\n"), "250 2.0.0 Ok\r\n421 4.3.2 Service is shutting down\r\n");
    EXPECT_TRUE(driver.session.closed());
    EXPECT_EQ(driver.content, "half a line\r\n");
}

TEST(ServerShutdown, LetsRefusedContentEndBeforeItShutsDown) {
    ServerDriver driver(plain_server());
    driver.begin_content();
    driver.say("a\nb");
    driver.session.shut_down();
    EXPECT_EQ(driver.say("\r\n.\r\n"),
              "550 5.6.0 Content holds a CR or LF that is not part of CRLF\r\n421 4.3.2 Service is shutting down\r\n");
}

TEST(ServerShutdown, LetsAnOpenEventBeAnsweredBeforeItShutsDown) {
    ServerSession session = greeted(plain_server());
    session.receive("HELO a\r\n");
    ASSERT_TRUE(session.next_event());
    session.shut_down();
    EXPECT_FALSE(session.closed());
    session.accept();
    EXPECT_EQ(session.take_output(), "250 mx.example.com\r\n421 4.3.2 Service is shutting down\r\n");
    EXPECT_TRUE(session.closed());
}

TEST(ServerShutdown, LetsTheLastChunkComeBeforeItShutsDown) {
    ServerDriver driver(with_chunks());
    driver.say(std::string(kEnvelope) + "BDAT 3\r\nabc");
    driver.session.shut_down();
    EXPECT_EQ(driver.pump(), "");
    EXPECT_EQ(driver.say("BDAT 3\r\ndef"), "250 2.0.0 Ok\r\n");
    EXPECT_EQ(driver.say("BDAT 0 LAST\r\n"), "250 2.0.0 Ok\r\n421 4.3.2 Service is shutting down\r\n");
    EXPECT_EQ(driver.content, "abcdef\r\n");
    EXPECT_TRUE(driver.session.closed());
}

TEST(ServerShutdown, ShutsDownWhenChunksAreGivenUp) {
    ServerDriver driver(with_chunks());
    driver.say(std::string(kEnvelope) + "BDAT 3\r\nabc");
    driver.session.shut_down();
    EXPECT_EQ(driver.say("RSET\r\nNOOP\r\n"), "250 2.0.0 Ok\r\n421 4.3.2 Service is shutting down\r\n");
}

TEST(ServerShutdown, SaysNothingInClearBetween220AndTheHandshake) {
    ServerDriver driver(options_with(TlsState::offered, AuthRule::off));
    driver.say("EHLO a\r\nSTARTTLS\r\n");
    driver.session.timed_out();
    EXPECT_EQ(driver.pump(), "");
    EXPECT_TRUE(driver.session.closed());
}

}  // namespace
}  // namespace thurn::smtp
