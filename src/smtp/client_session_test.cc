#include "smtp/client_session.h"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::smtp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

mail::Mailbox mailbox(std::string_view text) { return *mail::parse_mailbox(text); }

Transaction transaction_to(std::vector<std::string> recipients) {
    Transaction transaction{.sender = {mailbox("from@a.example")}, .recipients = {}, .parameters = {}};
    transaction.parameters.size = base::Octets{10};
    transaction.parameters.body = mail::BodyType::eight_bit;
    for (const auto& recipient : recipients) transaction.recipients.push_back({mailbox(recipient)});
    return transaction;
}

constexpr std::string_view kPipeliningEhlo = "250-there\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 1000\r\n";

/// A session and what it said; each exchange feeds a reply and gives the lines said in answer.
class Dialogue {
public:
    explicit Dialogue(ClientOptions options) : session(std::move(options)) {}

    std::string exchange(std::string_view from_server) {
        session.receive(from_server);
        return pump();
    }
    std::string pump() {
        while (auto event = session.next_event()) events.push_back(*std::move(event));
        return session.take_output();
    }
    template <class Event>
    Event take() {
        EXPECT_FALSE(events.empty());
        if (events.empty()) return {};
        EXPECT_TRUE(std::holds_alternative<Event>(events.front())) << "event " << events.front().index();
        Event event = std::holds_alternative<Event>(events.front()) ? std::get<Event>(events.front()) : Event{};
        events.erase(events.begin());
        return event;
    }
    std::vector<int> take_codes() {
        std::vector<int> codes;
        for (const auto& reply : take<TransactionEnded>().replies) codes.push_back(reply.code);
        return codes;
    }

    ClientSession session;
    std::vector<ClientEvent> events;
};

ClientOptions plain() { return {.hello_name = "me.example", .starttls = StartTls::never}; }

Dialogue ready_dialogue(std::string_view ehlo = kPipeliningEhlo) {
    Dialogue dialogue(plain());
    dialogue.exchange("220 there ESMTP\r\n");
    dialogue.exchange(ehlo);
    dialogue.take<Ready>();
    return dialogue;
}

TEST(ClientSession, SaysEhloAfterAMultilineGreeting) {
    Dialogue dialogue(plain());
    EXPECT_EQ(dialogue.exchange("220-there\r\n220-is no spam\r\n"), "");
    EXPECT_EQ(dialogue.exchange("220 allowed\r\n"), "EHLO me.example\r\n");
    EXPECT_EQ(dialogue.exchange(kPipeliningEhlo), "");
    const auto ready = dialogue.take<Ready>();
    EXPECT_TRUE(ready.extensions.extended);
    EXPECT_TRUE(ready.extensions.pipelining);
    EXPECT_EQ(ready.extensions.size, base::Octets{1000});
    EXPECT_TRUE(dialogue.session.ready());
}

TEST(ClientSession, FallsBackToHelo) {
    Dialogue dialogue(plain());
    dialogue.exchange("220 there\r\n");
    EXPECT_EQ(dialogue.exchange("502 what?\r\n"), "HELO me.example\r\n");
    EXPECT_EQ(dialogue.exchange("250 hi\r\n"), "");
    EXPECT_FALSE(dialogue.take<Ready>().extensions.extended);
}

Transaction question_about(std::string_view recipient) {
    Transaction question{.sender = {}, .recipients = {}, .parameters = {}, .purpose = Transaction::Purpose::ask};
    question.recipients.push_back({mailbox(recipient)});
    return question;
}

TEST(ClientSession, AsksWhetherARecipientWouldBeTakenAndLeavesNoMessage) {
    auto dialogue = ready_dialogue();
    dialogue.session.begin(question_about("to@b.example"));
    EXPECT_EQ(dialogue.pump(), "MAIL FROM:<>\r\nRCPT TO:<to@b.example>\r\n");
    EXPECT_EQ(dialogue.exchange("250 ok\r\n252 2.1.5 perhaps\r\n"), "");
    EXPECT_THAT(dialogue.take_codes(), ElementsAre(252));
    dialogue.session.begin(question_about("nobody@b.example"));
    EXPECT_EQ(dialogue.pump(), "RSET\r\nMAIL FROM:<>\r\nRCPT TO:<nobody@b.example>\r\n");
    dialogue.exchange("250 ok\r\n250 ok\r\n550 5.1.1 nobody\r\n");
    const auto ended = dialogue.take<TransactionEnded>();
    EXPECT_EQ(ended.replies.front().code, 550);
    EXPECT_FALSE(ended.sender_refused);
    dialogue.session.quit();
    EXPECT_EQ(dialogue.pump(), "QUIT\r\n");
}

TEST(ClientSession, TellsThatItWasTheSenderWhoWasRefused) {
    for (const auto* ehlo : {kPipeliningEhlo.data(), "250 there\r\n"}) {
        auto dialogue = ready_dialogue(ehlo);
        dialogue.session.begin(question_about("to@b.example"));
        dialogue.pump();
        dialogue.exchange("550 5.7.1 no bounces\r\n");
        if (ehlo == kPipeliningEhlo.data()) dialogue.exchange("503 5.5.1 no MAIL\r\n");
        const auto ended = dialogue.take<TransactionEnded>();
        EXPECT_TRUE(ended.sender_refused);
        EXPECT_EQ(ended.replies.front().code, 550);
    }
}

TEST(ClientSession, HasALimitForEachReply) {
    using std::chrono::seconds;
    auto options = plain();
    options.greeting_timeout = seconds(1);
    options.hello_timeout = seconds(2);
    options.mail_timeout = seconds(3);
    options.rcpt_timeout = seconds(4);
    options.data_timeout = seconds(5);
    options.content_timeout = seconds(6);
    options.ending_timeout = seconds(7);
    Dialogue dialogue(options);
    EXPECT_EQ(dialogue.session.time_limit(), seconds(1));
    dialogue.exchange("220 there\r\n");
    EXPECT_EQ(dialogue.session.time_limit(), seconds(2));
    dialogue.exchange("250 there\r\n");
    dialogue.session.begin(transaction_to({"to@b.example"}));
    int limit = 3;
    for (const char* reply : {"250 ok\r\n", "250 ok\r\n", "354 go\r\n"}) {
        EXPECT_EQ(dialogue.session.time_limit(), seconds(limit++));
        dialogue.exchange(reply);
    }
    EXPECT_EQ(dialogue.session.time_limit(), seconds(6));
    dialogue.session.content_end();
    EXPECT_EQ(dialogue.session.time_limit(), seconds(7));
}

TEST(ClientSession, FailsWithTheReplyThatRefusedTheConnection) {
    for (const auto* greeting : {"554 5.7.1 no\r\n", "421 busy\r\n", "450 later\r\n"}) {
        Dialogue dialogue(plain());
        dialogue.exchange(greeting);
        const auto failed = dialogue.take<ClientFailed>();
        EXPECT_EQ(failed.error.kind, base::ErrorKind::refused);
        EXPECT_EQ(failed.reply->code, std::stoi(greeting));
        EXPECT_TRUE(dialogue.session.closed());
    }
}

TEST(ClientSession, FailsOnTransientEhloAndRefusedHelo) {
    Dialogue busy(plain());
    busy.exchange("220 there\r\n");
    busy.exchange("451 not now\r\n");
    EXPECT_EQ(busy.take<ClientFailed>().reply->code, 451);
    Dialogue hostile(plain());
    hostile.exchange("220 there\r\n");
    hostile.exchange("500 no\r\n");
    hostile.exchange("550 never\r\n");
    EXPECT_EQ(hostile.take<ClientFailed>().reply->code, 550);
}

TEST(ClientSession, SendsAnEnvelopeInOnePiece) {
    auto dialogue = ready_dialogue();
    dialogue.session.begin(transaction_to({"b@b.example", "c@b.example"}));
    EXPECT_EQ(dialogue.pump(),
              "MAIL FROM:<from@a.example> SIZE=10 BODY=8BITMIME\r\nRCPT TO:<b@b.example>\r\nRCPT TO:<c@b.example>\r\nDATA\r\n");
    EXPECT_EQ(dialogue.exchange("250 ok\r\n250 ok\r\n550 5.1.1 who?\r\n354 go\r\n"), "");
    dialogue.take<ContentWanted>();
    dialogue.session.content("Subject: x\r\n\r\n.dot\n");
    dialogue.session.content_end();
    EXPECT_EQ(dialogue.pump(), "Subject: x\r\n\r\n..dot\r\n.\r\n");
    EXPECT_EQ(dialogue.session.time_limit(), std::chrono::seconds(600));
    dialogue.exchange("250 2.0.0 queued\r\n");
    EXPECT_THAT(dialogue.take_codes(), ElementsAre(250, 550));
    EXPECT_TRUE(dialogue.session.ready());
}

TEST(ClientSession, SaysOneCommandAtATimeWithoutPipelining) {
    auto dialogue = ready_dialogue("250 there\r\n");
    dialogue.session.begin(transaction_to({"b@b.example", "c@b.example"}));
    EXPECT_EQ(dialogue.pump(), "MAIL FROM:<from@a.example>\r\n");
    EXPECT_EQ(dialogue.exchange("250 ok\r\n"), "RCPT TO:<b@b.example>\r\n");
    EXPECT_EQ(dialogue.exchange("450 later\r\n"), "RCPT TO:<c@b.example>\r\n");
    EXPECT_EQ(dialogue.exchange("251 will forward\r\n"), "DATA\r\n");
    EXPECT_EQ(dialogue.session.time_limit(), std::chrono::seconds(120));
    dialogue.exchange("354 go\r\n");
    dialogue.take<ContentWanted>();
    dialogue.session.content_end();
    EXPECT_EQ(dialogue.pump(), ".\r\n");
    dialogue.exchange("554 no\r\n");
    EXPECT_THAT(dialogue.take_codes(), ElementsAre(450, 554));
}

TEST(ClientSession, EndsWhenMailIsRefused) {
    auto dialogue = ready_dialogue("250 there\r\n");
    dialogue.session.begin(transaction_to({"b@b.example", "c@b.example"}));
    dialogue.pump();
    EXPECT_EQ(dialogue.exchange("550 5.7.1 not you\r\n"), "");
    EXPECT_THAT(dialogue.take_codes(), ElementsAre(550, 550));
    dialogue.session.begin(transaction_to({"b@b.example"}));
    EXPECT_EQ(dialogue.pump(), "RSET\r\n");
    EXPECT_EQ(dialogue.exchange("250 ok\r\n"), "MAIL FROM:<from@a.example>\r\n");
}

TEST(ClientSession, ReadsWhatWasPipelinedBehindARefusedMail) {
    auto dialogue = ready_dialogue();
    dialogue.session.begin(transaction_to({"b@b.example", "c@b.example"}));
    dialogue.pump();
    dialogue.exchange("451 4.7.1 greylisted\r\n503 bad\r\n");
    EXPECT_FALSE(dialogue.session.ready());
    EXPECT_EQ(dialogue.exchange("503 bad\r\n503 bad\r\n"), "");
    EXPECT_THAT(dialogue.take_codes(), ElementsAre(451, 451));
    EXPECT_TRUE(dialogue.session.ready());
    dialogue.session.begin(transaction_to({"b@b.example"}));
    EXPECT_THAT(dialogue.pump(), HasSubstr("RSET\r\nMAIL FROM:"));
}

TEST(ClientSession, AnswersAPointlessPositiveDataWithALoneDot) {
    auto dialogue = ready_dialogue();
    dialogue.session.begin(transaction_to({"b@b.example"}));
    dialogue.pump();
    EXPECT_EQ(dialogue.exchange("250 ok\r\n550 no\r\n354 go\r\n"), ".\r\n");
    EXPECT_TRUE(dialogue.events.empty());
    dialogue.exchange("250 accepted for nobody\r\n");
    EXPECT_THAT(dialogue.take_codes(), ElementsAre(550));
    EXPECT_TRUE(dialogue.session.ready());
}

TEST(ClientSession, TellsRefusedDataToAllThatWereAccepted) {
    auto dialogue = ready_dialogue();
    dialogue.session.begin(transaction_to({"b@b.example", "c@b.example"}));
    dialogue.pump();
    dialogue.exchange("250 ok\r\n250 ok\r\n550 no\r\n451 disk full\r\n");
    EXPECT_THAT(dialogue.take_codes(), ElementsAre(451, 550));
}

TEST(ClientSession, DoesNotTryWhatIsLargerThanSize) {
    auto dialogue = ready_dialogue();
    auto transaction = transaction_to({"b@b.example"});
    transaction.parameters.size = base::Octets{1001};
    dialogue.session.begin(std::move(transaction));
    EXPECT_EQ(dialogue.pump(), "");
    const auto ended = dialogue.take<TransactionEnded>();
    EXPECT_EQ(ended.replies.front().code, 552);
    EXPECT_EQ(ended.replies.front().status, (mail::EnhancedStatus{5, 3, 4}));
    EXPECT_TRUE(dialogue.session.ready());
}

TEST(ClientSession, TellsWhatIsKnownWhenTheServerSays421) {
    auto dialogue = ready_dialogue();
    dialogue.session.begin(transaction_to({"b@b.example", "c@b.example"}));
    dialogue.pump();
    dialogue.exchange("250 ok\r\n550 no\r\n421 too many errors\r\n");
    EXPECT_THAT(dialogue.take_codes(), ElementsAre(550, 421));
    EXPECT_EQ(dialogue.take<ClientFailed>().reply->code, 421);
    EXPECT_TRUE(dialogue.session.closed());
}

TEST(ClientSession, FailsOn421InEachState) {
    for (int exchanges = 0; exchanges < 6; ++exchanges) {
        Dialogue dialogue(plain());
        const std::vector<std::string> script{"220 there\r\n", std::string(kPipeliningEhlo), "250 ok\r\n", "250 ok\r\n", "354 go\r\n"};
        for (int index = 0; index < exchanges && index < 5; ++index) {
            dialogue.exchange(script[static_cast<std::size_t>(index)]);
            if (index == 1) dialogue.session.begin(transaction_to({"b@b.example"}));
        }
        dialogue.exchange("421 4.3.2 bye\r\n");
        if (exchanges == 5) dialogue.session.peer_closed();  // in content a reply waits for the dot, or for the end
        dialogue.pump();
        ASSERT_FALSE(dialogue.events.empty());
        const auto* failed = std::get_if<ClientFailed>(&dialogue.events.back());
        ASSERT_TRUE(failed) << "after " << exchanges;
        EXPECT_EQ(failed->reply->code, 421);
        EXPECT_TRUE(dialogue.session.closed());
    }
}

TEST(ClientSession, TakesAnEarlyRefusalOfContentAsItsAnswer) {
    auto dialogue = ready_dialogue();
    dialogue.session.begin(transaction_to({"b@b.example"}));
    dialogue.pump();
    dialogue.exchange("250 ok\r\n250 ok\r\n354 go\r\n");
    dialogue.take<ContentWanted>();
    dialogue.session.content("much ");
    dialogue.exchange("552 too much\r\n");
    EXPECT_TRUE(dialogue.events.empty());
    dialogue.session.content_end();
    dialogue.pump();
    EXPECT_THAT(dialogue.take_codes(), ElementsAre(552));
}

TEST(ClientSession, KeepsARefusalBehindWhichTheServerHungUp) {
    auto dialogue = ready_dialogue();
    dialogue.session.begin(transaction_to({"b@b.example"}));
    dialogue.pump();
    dialogue.exchange("250 ok\r\n250 ok\r\n354 go\r\n");
    dialogue.take<ContentWanted>();
    dialogue.session.receive("552 too much\r\n");
    dialogue.session.peer_closed();
    dialogue.pump();
    EXPECT_THAT(dialogue.take_codes(), ElementsAre(552));
    dialogue.take<ClientFailed>();
}

TEST(ClientSession, BelievesNo250ThatCameBeforeTheDot) {
    auto dialogue = ready_dialogue();
    dialogue.session.begin(transaction_to({"b@b.example"}));
    dialogue.pump();
    dialogue.exchange("250 ok\r\n250 ok\r\n354 go\r\n250 got it\r\n");
    dialogue.take<ContentWanted>();
    dialogue.session.content("x");
    dialogue.session.content_end();
    dialogue.pump();
    EXPECT_EQ(dialogue.take<ClientFailed>().error.kind, base::ErrorKind::syntax);
}

TEST(ClientSession, FailsOnRepliesThatFitNoCommand) {
    const std::vector<std::vector<std::string>> scripts{
        {"354 go\r\n"},                                                        // as a greeting
        {"hello\r\n"},                                                         // no code
        {"220 a\r\n", "334 what\r\n"},                                         // to EHLO
        {"220 a\r\n", "250 a\r\n", "354 go\r\n"},                              // to MAIL
        {"220 a\r\n", "250 a\r\n", "250 ok\r\n", "354 go\r\n"},                // to RCPT
        {"220 a\r\n", "250 a\r\n", "250 ok\r\n", "250 ok\r\n", "250 ok\r\n"},  // to DATA
        {"220-a\r\n221 b\r\n"},                                                // two codes
        {"220 a\r\n", "250 a\r\n", "250 ok\r\n", "250-ok\r\nSubject: x\r\n"},  // CVE-2020-8794
        {"220 a\r\n", "250 a\r\n250 unasked\r\n"},                             // more than asked
    };
    for (const auto& script : scripts) {
        Dialogue dialogue(plain());
        for (const auto& reply : script) {
            if (dialogue.session.ready()) dialogue.session.begin(transaction_to({"b@b.example"}));
            dialogue.exchange(reply);
        }
        ASSERT_FALSE(dialogue.events.empty()) << script.back();
        const auto* failed = std::get_if<ClientFailed>(&dialogue.events.back());
        ASSERT_TRUE(failed) << script.back();
        EXPECT_EQ(failed->error.kind, base::ErrorKind::syntax);
    }
}

TEST(ClientSession, StartsTlsAndForgetsWhatWasSaidInClear) {
    Dialogue dialogue({.hello_name = "me.example", .starttls = StartTls::may});
    dialogue.exchange("220 there\r\n");
    EXPECT_EQ(dialogue.exchange("250-there\r\n250-PIPELINING\r\n250 STARTTLS\r\n"), "STARTTLS\r\n");
    EXPECT_EQ(dialogue.exchange("220 2.0.0 go\r\n"), "");
    dialogue.take<ClientTlsWanted>();
    dialogue.session.tls_started();
    EXPECT_EQ(dialogue.pump(), "EHLO me.example\r\n");
    dialogue.exchange("250 there\r\n");
    EXPECT_FALSE(dialogue.take<Ready>().extensions.pipelining);
}

TEST(ClientSession, FailsOnPlaintextBehindTheAnswerToStartTls) {
    for (const bool at_once : {true, false}) {
        Dialogue dialogue({.hello_name = "me.example", .starttls = StartTls::may});
        dialogue.exchange("220 there\r\n");
        dialogue.exchange("250-there\r\n250 STARTTLS\r\n");
        const std::string_view injected = "250 injected\r\n";
        dialogue.exchange(std::string("220 go\r\n") + std::string(at_once ? injected : ""));
        if (!at_once) {
            dialogue.take<ClientTlsWanted>();
            dialogue.exchange(injected);
        }
        EXPECT_EQ(dialogue.take<ClientFailed>().error.kind, base::ErrorKind::invalid);
        EXPECT_TRUE(dialogue.session.closed());
    }
}

TEST(ClientSession, GoesOnInClearWhenStartTlsIsRefusedAndOnlyWished) {
    Dialogue dialogue({.hello_name = "me.example", .starttls = StartTls::may});
    dialogue.exchange("220 there\r\n");
    dialogue.exchange("250-there\r\n250 STARTTLS\r\n");
    dialogue.exchange("454 4.7.0 no\r\n");
    dialogue.take<Ready>();
}

TEST(ClientSession, FailsWithoutTlsThatIsDemanded) {
    Dialogue refused({.hello_name = "me.example", .starttls = StartTls::must});
    refused.exchange("220 there\r\n");
    refused.exchange("250-there\r\n250 STARTTLS\r\n");
    refused.exchange("454 4.7.0 no\r\n");
    EXPECT_EQ(refused.take<ClientFailed>().reply->code, 454);
    Dialogue missing({.hello_name = "me.example", .starttls = StartTls::must});
    missing.exchange("220 there\r\n");
    missing.exchange("250 there\r\n");
    EXPECT_EQ(missing.take<ClientFailed>().error.kind, base::ErrorKind::refused);
}

ClientOptions with_login() {
    return {.hello_name = "me.example", .starttls = StartTls::never, .tls_active = true, .credentials = ClientCredentials{"joe", "secret"}};
}

TEST(ClientSession, LogsInWithPlain) {
    Dialogue dialogue(with_login());
    dialogue.exchange("220 there\r\n");
    EXPECT_EQ(dialogue.exchange("250-there\r\n250 AUTH LOGIN PLAIN\r\n"), "AUTH PLAIN AGpvZQBzZWNyZXQ=\r\n");
    dialogue.exchange("235 2.7.0 ok\r\n");
    dialogue.take<Ready>();
}

TEST(ClientSession, LogsInWithLogin) {
    Dialogue dialogue(with_login());
    dialogue.exchange("220 there\r\n");
    EXPECT_EQ(dialogue.exchange("250-there\r\n250 AUTH=login\r\n"), "AUTH LOGIN\r\n");
    EXPECT_EQ(dialogue.exchange("334 VXNlcm5hbWU6\r\n"), "am9l\r\n");
    EXPECT_EQ(dialogue.exchange("334 UGFzc3dvcmQ6\r\n"), "c2VjcmV0\r\n");
    dialogue.exchange("235 2.7.0 ok\r\n");
    dialogue.take<Ready>();
}

TEST(ClientSession, CancelsAChallengeItCannotAnswer) {
    Dialogue dialogue(with_login());
    dialogue.exchange("220 there\r\n");
    dialogue.exchange("250-there\r\n250 AUTH PLAIN\r\n");
    EXPECT_EQ(dialogue.exchange("334 %%%\r\n"), "*\r\n");
    dialogue.exchange("501 cancelled\r\n");
    EXPECT_EQ(dialogue.take<ClientFailed>().reply->code, 501);
}

TEST(ClientSession, FailsWhenTheLoginIsRefusedNotOfferedOrInClear) {
    Dialogue wrong(with_login());
    wrong.exchange("220 there\r\n");
    wrong.exchange("250-there\r\n250 AUTH PLAIN\r\n");
    wrong.exchange("535 5.7.8 wrong\r\n");
    EXPECT_EQ(wrong.take<ClientFailed>().reply->code, 535);
    Dialogue missing(with_login());
    missing.exchange("220 there\r\n");
    missing.exchange("250-there\r\n250 AUTH SCRAM-SHA-1\r\n");
    EXPECT_EQ(missing.take<ClientFailed>().error.kind, base::ErrorKind::refused);
    auto options = with_login();
    options.tls_active = false;
    Dialogue clear(options);
    clear.exchange("220 there\r\n");
    EXPECT_EQ(clear.exchange("250-there\r\n250 AUTH PLAIN\r\n"), "");
    EXPECT_EQ(clear.take<ClientFailed>().error.kind, base::ErrorKind::refused);
}

TEST(ClientSession, TellsWhyTheServerIsGone) {
    auto gone = ready_dialogue();
    gone.session.peer_closed();
    gone.pump();
    EXPECT_EQ(gone.take<ClientFailed>().error.kind, base::ErrorKind::peer_gone);
    auto silent = ready_dialogue();
    silent.session.begin(transaction_to({"b@b.example"}));
    silent.session.timed_out();
    silent.pump();
    EXPECT_EQ(silent.take<ClientFailed>().error.kind, base::ErrorKind::timed_out);
    auto idle = ready_dialogue();
    idle.exchange("421 4.4.2 idle for too long\r\n");
    EXPECT_EQ(idle.take<ClientFailed>().reply->code, 421);
}

TEST(ClientSession, QuitsWithoutAnEvent) {
    auto dialogue = ready_dialogue();
    dialogue.session.quit();
    EXPECT_EQ(dialogue.pump(), "QUIT\r\n");
    EXPECT_FALSE(dialogue.session.closed());
    dialogue.exchange("221 bye\r\n");
    EXPECT_TRUE(dialogue.session.closed());
    EXPECT_TRUE(dialogue.events.empty());
    auto abrupt = ready_dialogue();
    abrupt.session.quit();
    abrupt.session.peer_closed();
    abrupt.pump();
    EXPECT_TRUE(abrupt.session.closed());
    EXPECT_TRUE(abrupt.events.empty());
}

// ---- Extensions

TEST(ParseExtensions, KnowsWhatServersOffer) {
    const auto offered = parse_extensions(
        {.code = 250,
         .status = std::nullopt,
         .lines = {"there", "chunking", "BINARYMIME", "SMTPUTF8", "DSN", "REQUIRETLS", "FUTURERELEASE 604800 2027-01-01T00:00:00Z",
                   "DELIVERBY 120", "MT-PRIORITY MIXER", "LIMITS RCPTMAX=50 mailmax=2 RCPTDOMAINMAX=1 X=y"}});
    EXPECT_TRUE(offered.chunking && offered.binary_mime && offered.smtputf8 && offered.dsn && offered.require_tls);
    ASSERT_TRUE(offered.future_release);
    EXPECT_EQ(offered.future_release->interval, std::chrono::seconds(604800));
    EXPECT_EQ(offered.deliver_by, std::chrono::seconds(120));
    EXPECT_EQ(offered.mt_priority, "MIXER");
    EXPECT_EQ(offered.limits, (OfferedLimits{.messages = 2, .recipients = 50, .recipient_domains = 1}));
}

TEST(ParseExtensions, PassesOverWhatIsMalformed) {
    const auto offered = parse_extensions({.code = 250,
                                           .status = std::nullopt,
                                           .lines = {"there", "FUTURERELEASE", "FUTURERELEASE x y", "DELIVERBY", "MT-PRIORITY",
                                                     "LIMITS RCPTMAX=0 MAILMAX=x RCPTDOMAINMAX MAILMAX=99999999999", "CHUNKINGS"}});
    EXPECT_FALSE(offered.future_release);
    EXPECT_EQ(offered.deliver_by, std::chrono::seconds(0));
    EXPECT_EQ(offered.mt_priority, "");
    EXPECT_EQ(offered.limits, OfferedLimits{});
    EXPECT_FALSE(offered.chunking);
}

constexpr std::string_view kRichEhlo =
    "250-there\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE 1000\r\n250-CHUNKING\r\n250-BINARYMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n"
    "250-FUTURERELEASE 1000 2027-01-01T00:00:00Z\r\n250-DELIVERBY\r\n250-AUTH PLAIN\r\n250 MT-PRIORITY\r\n";

Transaction rich_transaction() {
    auto transaction = transaction_to({"one@b.example"});
    auto& given = transaction.parameters;
    given.ret = mail::ReturnContent::full;
    given.envid = "a b";
    given.hold_for = std::chrono::seconds(60);
    given.deliver_by = DeliverBy{std::chrono::seconds(-5), ByMode::notify, true};
    given.priority = std::int8_t{3};
    given.auth = mail::ReversePath{mailbox("a=b@c.example")};
    transaction.recipients[0].parameters = {.notify = {.given = true}, .original_recipient = OriginalRecipient{"rfc822", "O+e@b"}};
    return transaction;
}

TEST(ClientSession, SaysParametersWhereTheyAreOffered) {
    auto dialogue = ready_dialogue(kRichEhlo);
    dialogue.session.begin(rich_transaction());
    EXPECT_EQ(dialogue.pump(),
              "MAIL FROM:<from@a.example> SIZE=10 BODY=8BITMIME RET=FULL ENVID=a+20b HOLDFOR=60 BY=-5;NT MT-PRIORITY=3 "
              "AUTH=a+3Db@c.example\r\nRCPT TO:<one@b.example> NOTIFY=NEVER ORCPT=rfc822;O+2Be@b\r\nDATA\r\n");
}

TEST(ClientSession, LeavesOutParametersThatAreNotOffered) {
    auto dialogue = ready_dialogue();
    auto transaction = rich_transaction();
    transaction.parameters.smtputf8 = true;  // but every address is US-ASCII
    dialogue.session.begin(std::move(transaction));
    EXPECT_EQ(dialogue.pump(), "MAIL FROM:<from@a.example> SIZE=10 BODY=8BITMIME\r\nRCPT TO:<one@b.example>\r\nDATA\r\n");
}

TEST(ClientSession, RefusesWhatTheServerCannotTake) {
    struct Case {
        const char* what;
        std::function<void(Transaction&)> change;
        mail::EnhancedStatus status;
    };
    const Case cases[] = {
        {"a local part in UTF-8",
         [](Transaction& t) { t.recipients[0].mailbox = *mail::parse_mailbox("j\xc3\xb6rg@b.example", mail::Charset::utf8); },
         {5, 6, 7}},
        {"a sender in UTF-8",
         [](Transaction& t) { t.sender.mailbox = *mail::parse_mailbox("j\xc3\xb6rg@b.example", mail::Charset::utf8); },
         {5, 6, 7}},
        {"REQUIRETLS", [](Transaction& t) { t.parameters.require_tls = true; }, {5, 7, 30}},
        {"binary", [](Transaction& t) { t.parameters.body = mail::BodyType::binary; }, {5, 6, 3}},
    };
    for (const auto& [what, change, status] : cases) {
        auto dialogue = ready_dialogue();
        auto transaction = transaction_to({"one@b.example", "two@b.example"});
        change(transaction);
        dialogue.session.begin(std::move(transaction));
        EXPECT_EQ(dialogue.pump(), "") << what;
        const auto replies = dialogue.take<TransactionEnded>().replies;
        ASSERT_EQ(replies.size(), 2U) << what;
        EXPECT_EQ(replies[0].code, 550) << what;
        EXPECT_EQ(replies[0].status, status) << what;
        EXPECT_TRUE(dialogue.session.ready()) << what;
    }
}

TEST(ClientSession, DemandsTlsForRequireTlsWhateverIsOffered) {
    auto dialogue = ready_dialogue("250-there\r\n250 REQUIRETLS\r\n");
    auto transaction = transaction_to({"one@b.example"});
    transaction.parameters.require_tls = true;
    dialogue.session.begin(std::move(transaction));
    dialogue.pump();
    EXPECT_THAT(dialogue.take_codes(), ElementsAre(550));
}

TEST(ClientSession, SendsDomainsInALabelsWhereSmtpUtf8IsMissing) {
    auto dialogue = ready_dialogue();
    auto transaction = transaction_to({"one@b.example"});
    transaction.parameters.smtputf8 = true;
    transaction.recipients[0].mailbox = *mail::parse_mailbox("one@m\xc3\xbcller.example", mail::Charset::utf8);
    dialogue.session.begin(std::move(transaction));
    EXPECT_THAT(dialogue.pump(), HasSubstr("RCPT TO:<one@xn--mller-kva.example>\r\n"));
}

TEST(ClientSession, SaysSmtpUtf8WhereAnAddressNeedsIt) {
    auto dialogue = ready_dialogue(kRichEhlo);
    auto transaction = transaction_to({"one@b.example"});
    transaction.recipients[0].mailbox = *mail::parse_mailbox("j\xc3\xb6rg@b.example", mail::Charset::utf8);
    dialogue.session.begin(std::move(transaction));
    EXPECT_EQ(dialogue.pump(), "MAIL FROM:<from@a.example> SIZE=10 BODY=8BITMIME SMTPUTF8\r\nRCPT TO:<j\xc3\xb6rg@b.example>\r\nDATA\r\n");
}

// ---- Unasked replies

TEST(ClientSession, TakesNoReplyThatCameBeforeItsCommand) {
    auto dialogue = ready_dialogue();
    dialogue.session.begin(transaction_to({"one@b.example"}));
    dialogue.pump();
    dialogue.exchange("250 ok\r\n250 ok\r\n354 go\r\n");
    dialogue.take<ContentWanted>();
    dialogue.session.content("x");
    dialogue.session.content_end();
    dialogue.session.receive("250 done\r\n250 extra\r\n");
    EXPECT_TRUE(std::holds_alternative<TransactionEnded>(*dialogue.session.next_event()));
    dialogue.session.begin(transaction_to({"two@b.example"}));
    dialogue.pump();
    EXPECT_EQ(dialogue.take<ClientFailed>().error.kind, base::ErrorKind::syntax);
    EXPECT_TRUE(dialogue.session.closed());
}

TEST(ClientSession, ReadsThatTheServerLeftBeforeItBegins) {
    auto dialogue = ready_dialogue();
    dialogue.session.receive("421 4.4.2 idle too long\r\n");
    dialogue.session.begin(transaction_to({"two@b.example"}));
    EXPECT_EQ(dialogue.pump(), "");
    EXPECT_EQ(dialogue.take<ClientFailed>().reply->code, 421);
}

// ---- Chunks

ClientOptions by_chunks() {
    auto options = plain();
    options.chunking = Chunking::when_offered;
    return options;
}

Dialogue chunk_dialogue(std::string_view ehlo = kRichEhlo) {
    Dialogue dialogue(by_chunks());
    dialogue.exchange("220 there ESMTP\r\n");
    dialogue.exchange(ehlo);
    dialogue.take<Ready>();
    return dialogue;
}

TEST(ClientSession, SendsEachPieceAsAChunk) {
    auto dialogue = chunk_dialogue();
    dialogue.session.begin(transaction_to({"one@b.example"}));
    EXPECT_EQ(dialogue.pump(), "MAIL FROM:<from@a.example> SIZE=10 BODY=8BITMIME\r\nRCPT TO:<one@b.example>\r\n");
    EXPECT_EQ(dialogue.exchange("250 ok\r\n250 ok\r\n"), "");
    dialogue.take<ContentWanted>();
    dialogue.session.content(".a\n");
    EXPECT_EQ(dialogue.session.take_output(), "") << "it may be the last";
    dialogue.session.content("b\r");
    EXPECT_EQ(dialogue.session.take_output(), "BDAT 4\r\n.a\r\n");
    dialogue.session.content("c");
    EXPECT_EQ(dialogue.session.take_output(), "BDAT 1\r\nb") << "what the CR is, was not known yet";
    dialogue.session.content_end();
    EXPECT_EQ(dialogue.pump(), "BDAT 5 LAST\r\n\r\nc\r\n");
    dialogue.exchange("250 ok\r\n250 ok\r\n");
    EXPECT_TRUE(dialogue.events.empty());
    dialogue.exchange("250 2.0.0 queued\r\n");
    EXPECT_THAT(dialogue.take_codes(), ElementsAre(250));
    EXPECT_TRUE(dialogue.session.ready());
}

TEST(ClientSession, SendsOneChunkWithOneReplyForOnePiece) {
    for (const auto& [piece, said] : std::initializer_list<std::pair<std::string_view, std::string_view>>{
             {".\r\n", "BDAT 3 LAST\r\n.\r\n"}, {"a", "BDAT 3 LAST\r\na\r\n"}, {"", "BDAT 0 LAST\r\n"}}) {
        auto dialogue = chunk_dialogue();
        dialogue.session.begin(transaction_to({"one@b.example"}));
        dialogue.pump();
        dialogue.exchange("250 ok\r\n250 ok\r\n");
        dialogue.take<ContentWanted>();
        dialogue.session.content(piece);
        dialogue.session.content_end();
        EXPECT_EQ(dialogue.pump(), said);
        dialogue.exchange("250 2.0.0 queued\r\n");
        EXPECT_THAT(dialogue.take_codes(), ElementsAre(250));
    }
}

TEST(ClientSession, SendsNothingOfContentThatIsLeftWithoutAnEnd) {
    auto dialogue = chunk_dialogue();
    dialogue.session.begin(transaction_to({"one@b.example"}));
    dialogue.pump();
    dialogue.exchange("250 ok\r\n250 ok\r\n");
    dialogue.take<ContentWanted>();
    dialogue.session.content("a\r\n");
    EXPECT_EQ(dialogue.pump(), "");
    dialogue.session.peer_closed();
    EXPECT_FALSE(dialogue.session.has_output());
}

TEST(ClientSession, SendsNoChunkWhenNobodyIsAccepted) {
    auto dialogue = chunk_dialogue();
    dialogue.session.begin(transaction_to({"one@b.example"}));
    dialogue.pump();
    EXPECT_EQ(dialogue.exchange("250 ok\r\n550 no\r\n"), "");
    EXPECT_THAT(dialogue.take_codes(), ElementsAre(550));
    dialogue.session.begin(transaction_to({"one@b.example"}));
    EXPECT_THAT(dialogue.pump(), testing::StartsWith("RSET\r\nMAIL "));
}

TEST(ClientSession, HoldsChunksBackWherePipeliningIsMissing) {
    auto dialogue = chunk_dialogue("250-there\r\n250 CHUNKING\r\n");
    dialogue.session.begin(transaction_to({"one@b.example"}));
    dialogue.pump();
    dialogue.exchange("250 ok\r\n");
    dialogue.exchange("250 ok\r\n");
    dialogue.take<ContentWanted>();
    dialogue.session.content("a\r\n");
    dialogue.session.content("b\r\n");
    dialogue.session.content_end();
    EXPECT_EQ(dialogue.pump(), "BDAT 3\r\na\r\n");
    EXPECT_EQ(dialogue.exchange("250 ok\r\n"), "BDAT 3 LAST\r\nb\r\n");
    EXPECT_EQ(dialogue.exchange("250 ok\r\n"), "");
    EXPECT_THAT(dialogue.take_codes(), ElementsAre(250));
}

TEST(ClientSession, EndsAtARefusedChunk) {
    auto dialogue = chunk_dialogue();
    dialogue.session.begin(transaction_to({"one@b.example"}));
    dialogue.pump();
    dialogue.exchange("250 ok\r\n250 ok\r\n");
    dialogue.take<ContentWanted>();
    dialogue.session.content("a\r\n");
    dialogue.session.content("b\r\n");
    dialogue.session.content("c\r\n");
    dialogue.pump();
    dialogue.exchange("552 5.3.4 too big\r\n");
    EXPECT_TRUE(dialogue.events.empty()) << "the reply to the second is on its way";
    dialogue.session.content("d\r\n");
    EXPECT_EQ(dialogue.exchange("503 what?\r\n"), "");
    const auto replies = dialogue.take<TransactionEnded>().replies;
    EXPECT_EQ(replies.front().status, (mail::EnhancedStatus{5, 3, 4}));
    dialogue.session.content("e\r\n");
    dialogue.session.content_end();
    EXPECT_EQ(dialogue.pump(), "");
    EXPECT_TRUE(dialogue.session.ready());
}

TEST(ClientSession, EndsAtAChunkRefusedWhenTheLastHasLeft) {
    auto dialogue = chunk_dialogue();
    dialogue.session.begin(transaction_to({"one@b.example"}));
    dialogue.pump();
    dialogue.exchange("250 ok\r\n250 ok\r\n");
    dialogue.take<ContentWanted>();
    dialogue.session.content("a\r\n");
    dialogue.session.content("b\r\n");
    dialogue.session.content_end();
    dialogue.pump();
    dialogue.exchange("452 4.3.1 full\r\n");
    EXPECT_TRUE(dialogue.events.empty());
    dialogue.exchange("503 what?\r\n");
    EXPECT_THAT(dialogue.take_codes(), ElementsAre(452));
    EXPECT_TRUE(dialogue.session.ready());
}

TEST(ClientSession, BelievesNoSuccessThatCameBeforeTheChunk) {
    auto dialogue = chunk_dialogue();
    dialogue.session.begin(transaction_to({"one@b.example"}));
    dialogue.pump();
    dialogue.exchange("250 ok\r\n250 ok\r\n250 one too many\r\n");
    dialogue.take<ContentWanted>();
    dialogue.session.content("a\r\n");
    dialogue.session.content_end();
    dialogue.pump();
    dialogue.exchange("250 ok\r\n");
    EXPECT_EQ(dialogue.take<ClientFailed>().error.kind, base::ErrorKind::syntax);
}

TEST(ClientSession, SendsBinaryContentAsItIs) {
    auto dialogue = ready_dialogue(kRichEhlo);
    auto transaction = transaction_to({"one@b.example"});
    transaction.parameters.body = mail::BodyType::binary;
    dialogue.session.begin(std::move(transaction));
    EXPECT_EQ(dialogue.pump(), "MAIL FROM:<from@a.example> SIZE=10 BODY=BINARYMIME\r\nRCPT TO:<one@b.example>\r\n");
    dialogue.exchange("250 ok\r\n250 ok\r\n");
    dialogue.take<ContentWanted>();
    dialogue.session.content("a\n\r.");
    dialogue.session.content_end();
    EXPECT_EQ(dialogue.pump(), "BDAT 4 LAST\r\na\n\r.");
}

// ---- LMTP

Dialogue lmtp_dialogue(std::string_view lhlo = kPipeliningEhlo) {
    auto options = plain();
    options.protocol = Protocol::lmtp;
    Dialogue dialogue(options);
    EXPECT_EQ(dialogue.exchange("220 there LMTP\r\n"), "LHLO me.example\r\n");
    dialogue.exchange(lhlo);
    return dialogue;
}

TEST(LmtpClient, HasAReplyForEachRecipient) {
    auto dialogue = lmtp_dialogue();
    dialogue.take<Ready>();
    dialogue.session.begin(transaction_to({"one@b.example", "two@b.example", "three@b.example"}));
    dialogue.pump();
    dialogue.exchange("250 ok\r\n250 ok\r\n550 no\r\n250 ok\r\n354 go\r\n");
    dialogue.take<ContentWanted>();
    dialogue.session.content("x");
    dialogue.session.content_end();
    dialogue.pump();
    dialogue.exchange("452 full\r\n");
    EXPECT_TRUE(dialogue.events.empty());
    dialogue.exchange("250 done\r\n");
    EXPECT_THAT(dialogue.take_codes(), ElementsAre(452, 550, 250));
    EXPECT_TRUE(dialogue.session.ready());
}

TEST(LmtpClient, KeepsWhatIsDeliveredWhenTheServerLeaves) {
    auto dialogue = lmtp_dialogue();
    dialogue.take<Ready>();
    dialogue.session.begin(transaction_to({"one@b.example", "two@b.example"}));
    dialogue.pump();
    dialogue.exchange("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    dialogue.take<ContentWanted>();
    dialogue.session.content_end();
    dialogue.pump();
    dialogue.exchange("250 done\r\n421 leaving\r\n");
    EXPECT_THAT(dialogue.take_codes(), ElementsAre(250, 421));
    dialogue.take<ClientFailed>();
}

TEST(LmtpClient, TellsWhoHasTheMessageWhenTheConversationBreaks) {
    struct Case {
        const char* name;
        std::string_view then;
        base::ErrorKind kind;
    };
    for (const auto& [name, then, kind] :
         {Case{"closed", "", base::ErrorKind::peer_gone}, Case{"garbage", "what?\r\n", base::ErrorKind::syntax},
          Case{"354", "354 go\r\n", base::ErrorKind::syntax}}) {
        auto dialogue = lmtp_dialogue();
        dialogue.take<Ready>();
        dialogue.session.begin(transaction_to({"one@b.example", "two@b.example", "three@b.example", "four@b.example"}));
        dialogue.pump();
        dialogue.exchange("250 ok\r\n250 ok\r\n250 ok\r\n550 no\r\n250 ok\r\n354 go\r\n");
        dialogue.take<ContentWanted>();
        dialogue.session.content_end();
        dialogue.pump();
        dialogue.exchange("250 done\r\n");
        if (then.empty()) dialogue.session.peer_closed();
        dialogue.exchange(then);
        const auto ended = dialogue.take<TransactionEnded>();
        ASSERT_EQ(ended.replies.size(), 4U) << name;
        EXPECT_EQ(ended.replies[0].code, 250) << name;
        EXPECT_EQ(ended.replies[2].code, 550) << name;
        EXPECT_THAT(ended.unanswered, ElementsAre(1, 3)) << name;
        EXPECT_EQ(dialogue.take<ClientFailed>().error.kind, kind) << name;
    }
}

TEST(LmtpClient, DoesNotFallBackToHelo) {
    auto dialogue = lmtp_dialogue("500 what?\r\n");
    EXPECT_EQ(dialogue.take<ClientFailed>().reply->code, 500);
}

TEST(LmtpClient, LeavesAServerThatWantsContentForNobody) {
    auto dialogue = lmtp_dialogue();
    dialogue.take<Ready>();
    dialogue.session.begin(transaction_to({"one@b.example"}));
    dialogue.pump();
    dialogue.exchange("250 ok\r\n550 no\r\n354 go\r\n");
    EXPECT_THAT(dialogue.take_codes(), ElementsAre(550));
    dialogue.take<ClientFailed>();
}

}  // namespace
}  // namespace thurn::smtp
