#include "smtp/server_session.h"

#include "smtp/conversation.h"

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <functional>
#include <new>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

// Counts what is on the heap, so that limits on memory are tested and not believed.
namespace {
std::size_t heap_octets = 0;
}
#if __has_feature(thread_sanitizer)  // it has operators of its own
constexpr bool kHeapIsCounted = false;
#else
constexpr bool kHeapIsCounted = true;
void* operator new(std::size_t size) {
    void* block = std::malloc(size);
    if (!block) throw std::bad_alloc();
    heap_octets += malloc_usable_size(block);
    return block;
}
void operator delete(void* block) noexcept {
    heap_octets -= block ? malloc_usable_size(block) : 0;
    std::free(block);
}
void operator delete(void* block, std::size_t) noexcept { operator delete(block); }
#endif

namespace thurn::smtp {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

ServerOptions options_with(TlsState tls, AuthRule auth) {
    ServerOptions options;
    options.hostname = "mx.example.com";
    options.tls = tls;
    options.auth = auth;
    return options;
}
ServerOptions plain() { return options_with(TlsState::unavailable, AuthRule::off); }

bool waits_for_answer(const ServerEvent& event) {
    return std::holds_alternative<HelloGiven>(event) || std::holds_alternative<CredentialsGiven>(event) ||
           std::holds_alternative<SenderGiven>(event) || std::holds_alternative<RecipientGiven>(event) ||
           std::holds_alternative<VerifyWanted>(event) || std::holds_alternative<ExpandWanted>(event) ||
           std::holds_alternative<QueueRunWanted>(event) || std::holds_alternative<XclientGiven>(event) ||
           std::holds_alternative<XforwardGiven>(event) || std::holds_alternative<ContentBegins>(event) ||
           std::holds_alternative<ContentEnded>(event);
}

ServerSession greeted(ServerOptions options) {
    ServerSession session(std::move(options));
    session.greet();
    static_cast<void>(session.take_output());
    return session;
}

/// The next event that is not about how it was sent.
std::optional<ServerEvent> next_of(ServerSession& session) {
    auto event = session.next_event();
    return event && std::holds_alternative<ImproperPipelining>(*event) ? session.next_event() : std::move(event);
}

/// Feeds a session, accepts everything unless told otherwise, and keeps the names of the events.
class Driver {
public:
    explicit Driver(ServerOptions options) : session(greeted(std::move(options))) {}

    std::string say(std::string_view octets) {
        session.receive(octets);
        return pump();
    }
    std::string pump() {
        while (auto event = session.next_event()) {
            if (const auto* chunk = std::get_if<ContentChunk>(&*event)) content += chunk->octets;
            if (const auto* dropped = std::get_if<ContentDropped>(&*event)) drops.push_back(dropped->reason);
            if (std::holds_alternative<TransactionReset>(*event)) ++resets;
            if (const auto* refused = std::get_if<CommandRefused>(&*event)) refusals.push_back(*refused);
            if (!waits_for_answer(*event)) continue;
            if (const auto reply = decide(*event))
                session.answer(*reply);
            else
                session.accept();
        }
        return session.take_output();
    }
    /// Up to an open transaction's content.
    void begin_content() { say("HELO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n"); }

    std::function<std::optional<Reply>(const ServerEvent&)> decide = [](const ServerEvent&) { return std::nullopt; };
    ServerSession session;
    std::string content;
    std::vector<std::string> drops;
    std::vector<CommandRefused> refusals;
    int resets = 0;
};

// ---- The table, walked

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

ServerExtensions with_all_commands() {
    return {.chunking = true, .vrfy = true, .expn = true, .etrn = true, .xclient = true, .xforward = true};
}
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
        Driver driver(options);
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
            else if (transaction_was_open && verb != Verb::rcpt && verb != Verb::vrfy && verb != Verb::expn)
                stage = Stage::ready;  // EHLO resets first; a refused DATA ends the envelope
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
            Driver driver(options);
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

// ---- Waiting

TEST(ServerSession, YieldsNothingWhileAnEventIsOpen) {
    ServerSession session = greeted(plain());
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
    Driver driver(plain());
    driver.begin_content();
    driver.session.receive("x\r\n.\r\n");
    while (auto event = driver.session.next_event())
        if (std::holds_alternative<ContentEnded>(*event)) driver.session.accept("queued as 0ABC");
    EXPECT_EQ(driver.session.take_output(), "250 2.0.0 queued as 0ABC\r\n");
}

TEST(ServerSession, GivesWhatTheClientSaid) {
    ServerSession session = greeted(plain());
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
    Driver driver(plain());
    driver.say("EHLO good\r\n");
    driver.decide = [](const ServerEvent&) { return make_reply(550, {5, 7, 1}, "go away"); };
    EXPECT_EQ(driver.say("HELO bad\r\n"), "550 5.7.1 go away\r\n");
    EXPECT_EQ(driver.session.helo_name(), "good");
    EXPECT_TRUE(driver.session.extended());
}

TEST(ServerSession, ClosesWhenTheReceiverSays421) {
    Driver driver(plain());
    driver.decide = [](const ServerEvent&) { return make_reply(421, {4, 3, 2}, "stopping"); };
    EXPECT_EQ(driver.say("HELO a\r\nNOOP\r\n"), "421 4.3.2 stopping\r\n");
    EXPECT_TRUE(driver.session.closed());
}

TEST(ServerSession, RefusesAConnectionAtOnce) {
    ServerSession session(plain());
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

// ---- Clients that do not wait

TEST(ServerSession, TellsOfTalkBeforeItsGreeting) {
    ServerSession session(plain());
    session.receive("HELO");
    EXPECT_TRUE(std::holds_alternative<EarlyTalk>(*session.next_event()));
    session.receive(" a\r\n");
    EXPECT_FALSE(session.next_event()) << "once";
    EXPECT_FALSE(session.has_output());
    session.greet();
    EXPECT_EQ(std::get<HelloGiven>(*session.next_event()).name, "a");
}

TEST(ServerSession, LetsTheDriverRefuseAnEarlyTalker) {
    ServerSession session(plain());
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

TEST(ServerSession, TellsOfCommandsBehindOneThatEndsItsGroup) {
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

TEST(ServerSession, TellsOfAnswersThatCameBeforeTheQuestion) {
    ServerSession session = greeted(plain());
    session.receive(std::string("EHLO a\r\n"));
    EXPECT_TRUE(std::holds_alternative<HelloGiven>(*session.next_event()));
    session.receive("RSET\r\n");  // while EHLO is not answered yet
    EXPECT_FALSE(session.next_event());
    session.accept();
    EXPECT_TRUE(std::holds_alternative<ImproperPipelining>(*session.next_event()));
}

// ---- LMTP

TEST(ServerSession, FillsUpTheRepliesOfEachRecipient) {
    auto options = plain();
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

// ---- Content

TEST(ServerSession, TellsOfAFaultAtOnceAndAnswersAtTheEnd) {
    Driver driver(plain());
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

TEST(ServerSession, TellsThatContentWillNotEndWhenItCloses) {
    Driver driver(plain());
    driver.begin_content();
    driver.say("half");
    driver.session.timed_out();
    EXPECT_THAT(driver.pump(), StartsWith("421 4.4.2 "));
    EXPECT_EQ(driver.drops.size(), 1U);
    EXPECT_TRUE(driver.session.closed());
}

TEST(ServerSession, ResetsATransactionByRsetAndHello) {
    Driver driver(plain());
    driver.say("HELO a\r\nRSET\r\n");
    EXPECT_EQ(driver.resets, 0);
    driver.say("MAIL FROM:<a@b.example>\r\nRSET\r\n");
    EXPECT_EQ(driver.resets, 1);
    driver.say("MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nEHLO a\r\n");
    EXPECT_EQ(driver.resets, 2);
}

TEST(ServerSession, GivesContentAsViewsOfWhatCameIn) {
    ServerSession session = greeted(plain());
    session.receive("HELO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n");
    while (auto event = session.next_event()) session.accept();
    std::string wire;
    while (wire.size() < 10240) wire += "A line of ordinary text, of about that length which most programs choose.\r\n";
    session.receive(wire + ".\r\n");
    const auto first = session.next_event();
    EXPECT_EQ(std::get<ContentChunk>(*first).octets, wire);
    EXPECT_TRUE(std::holds_alternative<ContentEnded>(*session.next_event()));
}

TEST(ServerSession, TellsTheFirstOfTwoFaultsHoweverContentIsCut) {
    auto options = plain();
    options.message_size = {50};
    options.content_line = 40;
    const std::string line(28, 'x'), too_much = line + "\r\n" + line + "\r\n";
    const std::pair<std::string, std::string> contents[] = {{too_much + std::string(1, '\0'), "552 "},
                                                            {line + std::string(1, '\0') + too_much, "550 "},
                                                            {line + line + too_much, "550 "},
                                                            {too_much + line + line, "552 "}};
    for (const auto& [content, reply] : contents) {
        for (const std::size_t cut : {std::size_t{1}, std::size_t{7}, content.size()}) {
            Driver driver(options);
            driver.begin_content();
            for (std::size_t at = 0; at < content.size(); at += cut) driver.say(std::string_view(content).substr(at, cut));
            EXPECT_THAT(driver.say("\r\n.\r\n"), StartsWith(reply)) << content << " cut to " << cut;
        }
    }
}

// ---- Chunks

ServerOptions with_chunks() {
    auto options = plain();
    options.extensions.chunking = options.extensions.binary_mime = true;
    return options;
}
constexpr std::string_view kEnvelope = "HELO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n";

TEST(ServerSession, GivesAChunkAsAViewOfWhatCameIn) {
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

TEST(ServerSession, AsksBeforeTheFirstChunkAndDropsItWhenRefused) {
    Driver driver(with_chunks());
    driver.decide = [](const ServerEvent& event) {
        return std::holds_alternative<ContentBegins>(event) ? std::optional(make_reply(452, {4, 3, 1}, "full")) : std::nullopt;
    };
    driver.say(kEnvelope);
    EXPECT_EQ(driver.say("BDAT 6\r\nQU"), "452 4.3.1 full\r\n");
    EXPECT_EQ(driver.say("IT\r\nNOOP\r\n"), "250 2.0.0 Ok\r\n");
    EXPECT_EQ(driver.content, "");
    EXPECT_TRUE(driver.drops.empty());
}

TEST(ServerSession, ForgivesChunksThatWereOnTheirWay) {
    auto options = with_chunks();
    options.errors = 2;
    Driver driver(options);
    driver.say(std::string(kEnvelope) + "BDAT 3\r\na\nb");
    for (int count = 0; count < 5; ++count) EXPECT_THAT(driver.say("BDAT 3\r\nabc"), StartsWith("503 "));
    EXPECT_THAT(driver.say("NOOP\r\n"), StartsWith("250 "));
    EXPECT_THAT(driver.say("BDAT 3\r\nabc"), StartsWith("503 "));
    EXPECT_THAT(driver.say("NOOP\r\n"), StartsWith("421 "));
}

TEST(ServerSession, TellsOnceThatChunksWillNotEnd) {
    for (const std::string_view end : {"RSET\r\n", "HELO a\r\n", "QUIT\r\n", "BDAT x\r\n"}) {
        Driver driver(with_chunks());
        driver.say(std::string(kEnvelope) + "BDAT 3\r\nabc");
        driver.say(end);
        EXPECT_EQ(driver.drops.size(), 1U) << end;
        EXPECT_EQ(driver.resets, 0) << end;
        driver.session.timed_out();
        driver.pump();
        EXPECT_EQ(driver.drops.size(), 1U) << end;
    }
}

TEST(ServerSession, TellsOfAFaultInAChunkAtOnceAndAnswersAtItsEnd) {
    Driver driver(with_chunks());
    driver.say(kEnvelope);
    EXPECT_EQ(driver.say("BDAT 10\r\na\nb"), "");
    EXPECT_EQ(driver.drops.size(), 1U);
    EXPECT_THAT(driver.say("1234567"), StartsWith("550 5.6.0 "));
    EXPECT_EQ(driver.drops.size(), 1U);
    ASSERT_EQ(driver.refusals.size(), 1U);
    EXPECT_EQ(driver.refusals.front().verb, "BDAT");
}

TEST(ServerSession, LetsTheLastChunkComeBeforeItShutsDown) {
    Driver driver(with_chunks());
    driver.say(std::string(kEnvelope) + "BDAT 3\r\nabc");
    driver.session.shut_down();
    EXPECT_EQ(driver.pump(), "");
    EXPECT_EQ(driver.say("BDAT 3\r\ndef"), "250 2.0.0 Ok\r\n");
    EXPECT_EQ(driver.say("BDAT 0 LAST\r\n"), "250 2.0.0 Ok\r\n421 4.3.2 Service is shutting down\r\n");
    EXPECT_EQ(driver.content, "abcdef\r\n");
    EXPECT_TRUE(driver.session.closed());
}

TEST(ServerSession, ShutsDownWhenChunksAreGivenUp) {
    Driver driver(with_chunks());
    driver.say(std::string(kEnvelope) + "BDAT 3\r\nabc");
    driver.session.shut_down();
    EXPECT_EQ(driver.say("RSET\r\nNOOP\r\n"), "250 2.0.0 Ok\r\n421 4.3.2 Service is shutting down\r\n");
}

TEST(ServerSession, HoldsNothingOfManyTinyChunks) {
    auto options = with_chunks();
    options.commands = 2000000;
    Driver driver(options);
    driver.say(kEnvelope);
    std::string many;
    for (int count = 0; count < 1000; ++count) many += "BDAT 1\r\nx";
    driver.say(many);
    const auto before = heap_octets;
    for (int count = 0; count < 100; ++count) {
        driver.content.clear();
        driver.say(many);
    }
    EXPECT_LE(heap_octets, before + 64);
    EXPECT_THAT(driver.say("BDAT 0 LAST\r\n"), StartsWith("250 "));
}

TEST(ServerSession, CountsOnlySmallChunksAsCommands) {
    auto options = with_chunks();
    options.commands = 6;
    const std::string chunk = "BDAT 1024\r\n" + std::string(1022, 'x') + "\r\n";
    Driver large(options);
    large.say(kEnvelope);  // three commands
    for (int count = 0; count < 20; ++count) EXPECT_EQ(large.say(chunk), "250 2.0.0 Ok\r\n");
    EXPECT_THAT(large.say("BDAT 0 LAST\r\n"), StartsWith("250 "));
    Driver small(options);
    small.say(kEnvelope);
    std::string replies;
    for (int count = 0; count < 4; ++count) replies += small.say("BDAT 1\r\nx");
    EXPECT_THAT(replies, HasSubstr("421 4.7.0 Too many commands"));
}

// ---- Shutting down

TEST(ServerSession, ShutsDownAtOnceWhenIdle) {
    Driver driver(plain());
    driver.say("HELO a\r\nMAIL FROM:<a@b.example>\r\n");
    driver.session.shut_down();
    EXPECT_THAT(driver.pump(), StartsWith("421 4.3.2 "));
    EXPECT_TRUE(driver.session.closed());
}

TEST(ServerSession, LetsContentEndBeforeItShutsDown) {
    Driver driver(plain());
    driver.begin_content();
    driver.say("half ");
    driver.session.shut_down();
    EXPECT_EQ(driver.pump(), "");
    EXPECT_FALSE(driver.session.closed());
    EXPECT_EQ(driver.say("a line\r\n.\r\nMAIL FROM:<a@b.example>\r\n"), "250 2.0.0 Ok\r\n421 4.3.2 Service is shutting down\r\n");
    EXPECT_TRUE(driver.session.closed());
    EXPECT_EQ(driver.content, "half a line\r\n");
}

TEST(ServerSession, LetsRefusedContentEndBeforeItShutsDown) {
    Driver driver(plain());
    driver.begin_content();
    driver.say("a\nb");
    driver.session.shut_down();
    EXPECT_EQ(driver.say("\r\n.\r\n"),
              "550 5.6.0 Content holds a CR or LF that is not part of CRLF\r\n421 4.3.2 Service is shutting down\r\n");
}

TEST(ServerSession, LetsAnOpenEventBeAnsweredBeforeItShutsDown) {
    ServerSession session = greeted(plain());
    session.receive("HELO a\r\n");
    ASSERT_TRUE(session.next_event());
    session.shut_down();
    EXPECT_FALSE(session.closed());
    session.accept();
    EXPECT_EQ(session.take_output(), "250 mx.example.com\r\n421 4.3.2 Service is shutting down\r\n");
    EXPECT_TRUE(session.closed());
}

TEST(ServerSession, SaysNothingInClearBetween220AndTheHandshake) {
    Driver driver(options_with(TlsState::offered, AuthRule::off));
    driver.say("EHLO a\r\nSTARTTLS\r\n");
    driver.session.timed_out();
    EXPECT_EQ(driver.pump(), "");
    EXPECT_TRUE(driver.session.closed());
}

// ---- Memory

TEST(ServerSession, HoldsUnderAKibibyteWhenIdle) {
    if (!kHeapIsCounted) GTEST_SKIP();
    const auto before = heap_octets;
    Driver driver(options_with(TlsState::offered, AuthRule::offered));
    const auto driver_itself = heap_octets;
    driver.begin_content();
    driver.say(std::string(100000, 'x') + "\r\n.\r\nNOOP\r\n");
    std::string().swap(driver.content);
    static_cast<void>(driver.session.take_output());
    EXPECT_LT(driver_itself - before, 1024U);
    EXPECT_LT(heap_octets - before, 1280U);  // the driver keeps a list of its own
}

TEST(ServerSession, NeverKeepsALineThatHasNoEnd) {
    if (!kHeapIsCounted) GTEST_SKIP();
    for (const std::string_view way :
         {"", "HELO a\r\n", "HELO a\r\nMAIL FROM:<a@b.example>\r\n", "EHLO a\r\nAUTH LOGIN\r\n", "EHLO a\r\nAUTH PLAIN "}) {
        auto options = options_with(TlsState::active, AuthRule::offered);
        Driver driver(options);
        driver.say(way);
        const std::string piece(65536, 'A');
        const auto before = heap_octets;
        for (int count = 0; count < 16 * 15; ++count) {  // 15 MiB
            driver.say(piece);
            ASSERT_LT(heap_octets, before + options.auth_line + piece.size() / 4) << way;
        }
        EXPECT_FALSE(driver.session.closed());
        EXPECT_THAT(driver.say("\r\n"), StartsWith("500 ")) << way;
        EXPECT_THAT(driver.say("NOOP\r\n"), StartsWith("250 ")) << way;
    }
}

TEST(ServerSession, CutsALineThatGoesOnForEver) {
    Driver driver(plain());
    const std::string piece(1 << 20, 'A');
    for (int count = 0; count < 17; ++count) driver.say(piece);
    EXPECT_TRUE(driver.session.closed());
}

TEST(ServerSession, KeepsNothingOfContentThatIsRefused) {
    if (!kHeapIsCounted) GTEST_SKIP();
    auto options = plain();
    options.message_size = {1000};
    Driver driver(options);
    driver.begin_content();
    const std::string piece(65536, 'A');
    driver.say(piece);
    const auto before = heap_octets;
    for (int count = 0; count < 256; ++count) driver.say(piece);
    EXPECT_LE(heap_octets, before + 64);
    EXPECT_THAT(driver.say("\r\n.\r\n"), StartsWith("552 5.3.4 "));
}

}  // namespace
}  // namespace thurn::smtp
