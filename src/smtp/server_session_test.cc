// Which command is taken when, what an event tells, and how it is answered.
#include "smtp/conversation.h"
#include "support/server_driver.h"

#include <array>
#include <random>

namespace thurn::smtp {
namespace {

constexpr std::array<std::string_view, kVerbs> kLines{"HELO a\r\n",
                                                      "EHLO a\r\n",
                                                      "LHLO a\r\n",
                                                      "MAIL FROM:<a@b.example>\r\n",
                                                      "RCPT TO:<c@d.example>\r\n",
                                                      "DATA\r\n",
                                                      "BDAT 6 LAST\r\nQUIT\r\n",
                                                      "RSET\r\n",
                                                      "NOOP\r\n",
                                                      "QUIT\r\n",
                                                      "VRFY a\r\n",
                                                      "EXPN a\r\n",
                                                      "HELP\r\n",
                                                      "ETRN a.example\r\n",
                                                      "STARTTLS\r\n",
                                                      "AUTH PLAIN AGEAYg==\r\n",
                                                      "XCLIENT NAME=a\r\n",
                                                      "XFORWARD NAME=a\r\n",
                                                      "BOGUS\r\n"};

bool is_smtp(Verb verb) { return verb != Verb::lhlo; }

/// What a legal and accepted command makes of a stage; the reference against which the session is held.
Stage next_stage(Stage stage, Verb verb) {
    switch (verb) {
        case Verb::helo:
        case Verb::ehlo:
            return Stage::ready;
        case Verb::mail:
            return Stage::sender;
        case Verb::rcpt:
            return Stage::recipients;
        case Verb::data:
        case Verb::bdat:
            return Stage::ready;  // with its content
        case Verb::xclient:
            return Stage::fresh;
        case Verb::rset:
            return stage == Stage::fresh ? Stage::fresh : Stage::ready;
        default:
            return stage;
    }
}

/// Random conversations of every command, accepted or refused by the receiver at random, against the reference above.
TEST(ServerSession, FollowsItsTableWhereverItGoes) {
    std::mt19937 random(1);
    for (int round = 0; round < 1000; ++round) {
        auto options = options_with(TlsState::active, AuthRule::offered);
        options.extensions = with_all_commands();
        options.errors = options.commands = options.auth_failures = 1000;
        ServerDriver driver(options);
        bool refuse = false;
        driver.decide = [&](const ServerEvent&) { return refuse ? std::optional(make_reply(450, {4, 0, 0}, "no")) : std::nullopt; };
        Stage stage = Stage::fresh;
        for (int step = 0; step < 30; ++step) {
            const auto verb = static_cast<Verb>(random() % kVerbs);
            if (verb == Verb::quit || verb == Verb::starttls || !is_smtp(verb)) continue;
            refuse = random() % 4 == 0;
            const auto line = kLines[static_cast<std::size_t>(verb)];
            const auto reply = driver.say(line);
            if (const auto* refused = refused_now(stage, verb)) {
                EXPECT_EQ(reply, render_reply(to_reply(*refused))) << line;
                continue;
            }
            EXPECT_THAT(reply, testing::Not(testing::AnyOf(StartsWith("503-"), StartsWith("554"), StartsWith("500")))) << line;
            const bool transaction_was_open = stage == Stage::sender || stage == Stage::recipients;
            const bool asked = refuse && reply.starts_with("450");
            if (!asked)
                stage = next_stage(stage, verb);
            else if (transaction_was_open && (verb == Verb::data || verb == Verb::bdat))
                stage = Stage::ready;  // the envelope ends; all else that is refused leaves it
            if (verb == Verb::data && !asked) {
                EXPECT_THAT(reply, StartsWith("354"));
                EXPECT_THAT(driver.say("x\r\n.\r\n"), StartsWith(refuse ? "450" : "250"));
            }
        }
    }
}

TEST(ServerSession, AnswersEachCommandInEachStageAsTheTableSays) {
    const std::array<std::string_view, kStages> ways{"", "HELO a\r\n", "HELO a\r\nMAIL FROM:<a@b.example>\r\n",
                                                     "HELO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n",
                                                     "HELO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nBDAT 0\r\n"};
    for (std::size_t stage = 0; stage < kStages; ++stage) {
        for (std::size_t verb = 0; verb < kVerbs; ++verb) {
            if (!is_smtp(static_cast<Verb>(verb))) continue;
            auto options = options_with(TlsState::offered, AuthRule::off);
            options.extensions = with_all_commands();
            ServerDriver driver(options);
            driver.say(ways[stage]);
            const auto reply = driver.say(kLines[verb]);
            if (const auto* refused = refused_now(static_cast<Stage>(stage), static_cast<Verb>(verb))) {
                EXPECT_EQ(reply, render_reply(to_reply(*refused))) << stage << " " << kLines[verb];
                ASSERT_EQ(driver.refusals.size(), 1U);
                EXPECT_EQ(driver.refusals.front().verb, verb_name(static_cast<Verb>(verb)));
            } else {
                EXPECT_THAT(reply, testing::Not(StartsWith("503"))) << stage << " " << kLines[verb];
            }
        }
    }
}

TEST(ServerSession, YieldsNothingWhileAnEventIsOpen) {
    ServerSession session = greeted(plain_server());
    session.receive("HELO a\r\nMAIL FROM:<a@b.example>\r\nNOOP\r\n");
    ASSERT_TRUE(std::holds_alternative<HelloGiven>(*next_of(session)));
    EXPECT_FALSE(next_of(session));
    EXPECT_FALSE(session.has_output());
    session.accept();
    ASSERT_TRUE(std::holds_alternative<SenderGiven>(*next_of(session)));
    EXPECT_FALSE(next_of(session));
    session.receive("QUIT\r\n");
    EXPECT_FALSE(next_of(session));
    session.accept("2.1.0 welcome");
    EXPECT_FALSE(next_of(session));
    EXPECT_EQ(session.take_output(),
              "250 mx.example.com\r\n250 2.1.0 welcome\r\n250 2.0.0 Ok\r\n221 2.0.0 mx.example.com closing connection\r\n");
    EXPECT_TRUE(session.closed());
}

TEST(ServerSession, SaysOtherWordsWithTheUsualStatus) {
    ServerDriver driver(plain_server());
    driver.begin_content();
    driver.session.receive("x\r\n.\r\n");
    while (auto event = driver.session.next_event())
        if (std::holds_alternative<ContentEnded>(*event)) driver.session.accept("queued as 0ABC");
    EXPECT_EQ(driver.session.take_output(), "250 2.0.0 queued as 0ABC\r\n");
}

TEST(ServerSession, GivesWhatTheClientSaid) {
    ServerSession session = greeted(plain_server());
    session.receive("EHLO client.example\r\nMAIL FROM:<> SIZE=7 BODY=8BITMIME\r\n");
    const auto hello = std::get<HelloGiven>(*next_of(session));
    EXPECT_EQ(hello.name, "client.example");
    EXPECT_TRUE(hello.extended);
    session.accept();
    EXPECT_EQ(session.helo_name(), "client.example");
    EXPECT_TRUE(session.extended());
    const auto sender = std::get<SenderGiven>(*next_of(session));
    EXPECT_TRUE(sender.path.is_null());
    EXPECT_EQ(sender.parameters.size, base::Octets{7});
    EXPECT_EQ(sender.parameters.body, mail::BodyType::eight_bit);
}

TEST(ServerSession, KeepsItsStateWhenHelloIsRefused) {
    ServerDriver driver(plain_server());
    driver.say("EHLO good\r\n");
    driver.decide = [](const ServerEvent&) { return make_reply(550, {5, 7, 1}, "go away"); };
    EXPECT_EQ(driver.say("HELO bad\r\n"), "550 5.7.1 go away\r\n");
    EXPECT_EQ(driver.session.helo_name(), "good");
    EXPECT_TRUE(driver.session.extended());
}

TEST(ServerSession, KeepsATransactionWhenHelloIsRefused) {
    auto options = with_chunks();
    for (const std::string_view before : {"", "BDAT 3\r\na\r\n"}) {
        ServerDriver driver(options);
        driver.say(kEnvelope);
        driver.say(before);
        driver.decide = [](const ServerEvent& event) {
            return std::holds_alternative<HelloGiven>(event) ? std::optional(make_reply(550, {5, 7, 1}, "go away")) : std::nullopt;
        };
        EXPECT_THAT(driver.say("EHLO bad\r\n"), StartsWith("550 "));
        EXPECT_TRUE(driver.session.in_transaction());
        EXPECT_EQ(driver.say("BDAT 3 LAST\r\nb\r\n"), "250 2.0.0 Ok\r\n");
        EXPECT_EQ(driver.resets, 0);
        EXPECT_TRUE(driver.drops.empty());
    }
}

TEST(ServerSession, ForgetsALoginByXclientWithTls) {
    auto options = options_with(TlsState::offered, AuthRule::required);
    options.extensions.xclient = true;
    ServerDriver driver(options);
    driver.say("EHLO a\r\nXCLIENT LOGIN=joe\r\nEHLO a\r\nSTARTTLS\r\n");
    driver.session.tls_started();
    EXPECT_THAT(driver.say("EHLO a\r\n"), HasSubstr("250-AUTH "));
    EXPECT_THAT(driver.say("MAIL FROM:<a@b.example>\r\n"), StartsWith("530 "));
}

TEST(ServerSession, SaysUtf8OnlyToWhoAskedForIt) {
    auto options = plain_server();
    options.extensions.smtputf8 = options.extensions.vrfy = true;
    ServerDriver driver(options);
    driver.decide = [](const ServerEvent& event) {
        const bool told = std::holds_alternative<ContentEnded>(event) || std::holds_alternative<VerifyWanted>(event);
        return told ? std::optional(make_reply(550, {5, 7, 1}, "From says j\u00fcrgen@b.example")) : std::nullopt;
    };
    driver.say("EHLO a\r\n");
    const std::string rest = "\r\nRCPT TO:<c@d.example>\r\nDATA\r\nx\r\n.\r\n";
    EXPECT_THAT(driver.say("MAIL FROM:<a@b.example>" + rest), testing::EndsWith("550 5.7.1 From says j??rgen@b.example\r\n"));
    EXPECT_THAT(driver.say("MAIL FROM:<a@b.example> SMTPUTF8" + rest), testing::EndsWith("550 5.7.1 From says j\u00fcrgen@b.example\r\n"));
    EXPECT_EQ(driver.say("VRFY a\r\n"), "550 5.7.1 From says j??rgen@b.example\r\n");
    EXPECT_EQ(driver.say("VRFY a SMTPUTF8\r\n"), "550 5.7.1 From says j\u00fcrgen@b.example\r\n");
    EXPECT_EQ(driver.say("VRFY a\r\n"), "550 5.7.1 From says j??rgen@b.example\r\n");
}

TEST(ServerSession, ClosesWhenTheReceiverSays421) {
    ServerDriver driver(plain_server());
    driver.decide = [](const ServerEvent&) { return make_reply(421, {4, 3, 2}, "stopping"); };
    EXPECT_EQ(driver.say("HELO a\r\nNOOP\r\n"), "421 4.3.2 stopping\r\n");
    EXPECT_TRUE(driver.session.closed());
}

TEST(ServerSession, RefusesAConnectionAtOnce) {
    ServerSession session(plain_server());
    session.greet_with_refusal(make_reply(554, {5, 7, 1}, "not you"));
    EXPECT_EQ(session.take_output(), "554 5.7.1 not you\r\n");
    EXPECT_TRUE(session.closed());
    session.receive("HELO a\r\n");
    EXPECT_FALSE(session.next_event());
    EXPECT_FALSE(session.has_output());
}

TEST(ServerSession, GivesCredentialsOnce) {
    ServerSession session = greeted(options_with(TlsState::active, AuthRule::required));
    session.receive("EHLO a\r\nAUTH PLAIN YWRtaW4Aam9lAHNlY3JldA==\r\n");
    ASSERT_TRUE(next_of(session));
    session.accept();
    const auto given = std::get<CredentialsGiven>(*next_of(session));
    EXPECT_EQ(given.mechanism, "PLAIN");
    EXPECT_EQ(given.authorization, "admin");
    EXPECT_EQ(given.login, "joe");
    EXPECT_EQ(given.password, "secret");
    session.accept();
    EXPECT_THAT(session.take_output(), HasSubstr("235 2.7.0 "));
}

TEST(ServerSession, ResetsATransactionByRsetAndHello) {
    ServerDriver driver(plain_server());
    driver.say("HELO a\r\nRSET\r\n");
    EXPECT_EQ(driver.resets, 0);
    driver.say("MAIL FROM:<a@b.example>\r\nRSET\r\n");
    EXPECT_EQ(driver.resets, 1);
    driver.say("MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nEHLO a\r\n");
    EXPECT_EQ(driver.resets, 2);
}

TEST(ServerSession, FillsUpTheRepliesOfEachRecipient) {
    auto options = plain_server();
    options.protocol = Protocol::lmtp;
    ServerSession session = greeted(options);
    session.receive("LHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nRCPT TO:<c@b.example>\r\nDATA\r\nx\r\n.\r\n");
    while (auto event = session.next_event()) {
        if (std::holds_alternative<ContentEnded>(*event)) {
            static_cast<void>(session.take_output());
            session.answer_each({make_reply(250, {2, 1, 5}, "a has it")});
        } else if (waits_for_answer(*event)) {
            session.accept();
        }
    }
    EXPECT_EQ(session.take_output(), "250 2.1.5 a has it\r\n451 4.3.0 Local trouble, try again later\r\n");
}

}  // namespace
}  // namespace thurn::smtp
