// Clients that do not wait where they must (RFC 2920 §3.1).
#include "support/server_driver.h"

namespace thurn::smtp {
namespace {

TEST(ServerPipelining, TellsOfTalkBeforeItsGreeting) {
    ServerSession session(plain_server());
    session.receive("HELO");
    EXPECT_TRUE(std::holds_alternative<EarlyTalk>(*session.next_event()));
    session.receive(" a\r\n");
    EXPECT_FALSE(session.next_event()) << "once";
    EXPECT_FALSE(session.has_output());
    session.greet();
    EXPECT_EQ(std::get<HelloGiven>(*session.next_event()).name, "a");
}

TEST(ServerPipelining, LetsTheDriverRefuseAnEarlyTalker) {
    ServerSession session(plain_server());
    session.receive("HELO a\r\n");
    EXPECT_TRUE(session.next_event());
    session.greet_with_refusal(make_reply(554, {5, 5, 1}, "You talk before the greeting"));
    EXPECT_FALSE(session.next_event());
    EXPECT_EQ(session.take_output(), "554 5.5.1 You talk before the greeting\r\n");
    EXPECT_TRUE(session.closed());
}

/// The verbs told of as improperly pipelined when each piece is sent at once, after EHLO.
std::vector<std::string> improper_in(std::string_view hello, std::string_view piece) {
    auto options = options_with(TlsState::offered, AuthRule::off);
    options.extensions = with_all_commands();
    ServerSession session = greeted(options);
    std::vector<std::string> verbs;
    for (const auto octets : {hello, piece}) {
        if (octets.empty()) continue;
        session.receive(octets);
        while (auto event = session.next_event()) {
            if (const auto* told = std::get_if<ImproperPipelining>(&*event)) verbs.emplace_back(told->verb);
            if (waits_for_answer(*event)) session.accept();
        }
        static_cast<void>(session.take_output());
    }
    return verbs;
}

TEST(ServerPipelining, TellsOfCommandsBehindOneThatEndsItsGroup) {
    using Verbs = std::vector<std::string>;
    constexpr std::string_view kHello = "EHLO a\r\n";
    const std::string group = "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n";
    EXPECT_EQ(improper_in(kHello, group + "DATA\r\n"), Verbs{});
    EXPECT_EQ(improper_in(kHello, group + "RSET\r\n" + group + "BDAT 2\r\nabBDAT 0 LAST\r\nQUIT\r\n"), Verbs{});
    EXPECT_EQ(improper_in(kHello, group + "DATA\r\nx\r\n.\r\n"), Verbs{"DATA"});
    EXPECT_EQ(improper_in(kHello, "NOOP\r\nNOOP\r\nNOOP\r\n"), Verbs{"NOOP"}) << "told once";
    EXPECT_EQ(improper_in(kHello, "VRFY a\r\nN"), Verbs{"VRFY"});
    EXPECT_EQ(improper_in(kHello, "EXPN a\r\nRSET\r\n"), Verbs{"EXPN"});
    EXPECT_EQ(improper_in(kHello, "STARTTLS\r\nEHLO a\r\n"), Verbs{"STARTTLS"});
    EXPECT_EQ(improper_in("", "EHLO a\r\n" + group), Verbs{"EHLO"});
    EXPECT_EQ(improper_in("HELO a\r\n", group), Verbs{"MAIL"}) << "PIPELINING was not offered";
    EXPECT_EQ(improper_in("HELO a\r\n", "MAIL FROM:<a@b.example>\r\n"), Verbs{});
}

TEST(ServerPipelining, TellsOfAnswersThatCameBeforeTheQuestion) {
    ServerSession session = greeted(plain_server());
    session.receive(std::string("EHLO a\r\n"));
    EXPECT_TRUE(std::holds_alternative<HelloGiven>(*session.next_event()));
    session.receive("RSET\r\n");  // while EHLO is not answered yet
    EXPECT_FALSE(session.next_event());
    session.accept();
    EXPECT_TRUE(std::holds_alternative<ImproperPipelining>(*session.next_event()));
}

}  // namespace
}  // namespace thurn::smtp
