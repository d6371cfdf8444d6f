// An ordinary conversation: the greeting, an envelope with and without pipelining, and the end.
#include "support/client_dialogue.h"

#include <chrono>

namespace thurn::smtp {
namespace {

TEST(ClientSession, SaysEhloAfterAMultilineGreeting) {
    ClientDialogue dialogue(plain_client());
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
    ClientDialogue dialogue(plain_client());
    dialogue.exchange("220 there\r\n");
    EXPECT_EQ(dialogue.exchange("502 what?\r\n"), "HELO me.example\r\n");
    EXPECT_EQ(dialogue.exchange("250 hi\r\n"), "");
    EXPECT_FALSE(dialogue.take<Ready>().extensions.extended);
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
    auto options = plain_client();
    options.greeting_timeout = seconds(1);
    options.hello_timeout = seconds(2);
    options.mail_timeout = seconds(3);
    options.rcpt_timeout = seconds(4);
    options.data_timeout = seconds(5);
    options.content_timeout = seconds(6);
    options.ending_timeout = seconds(7);
    ClientDialogue dialogue(options);
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

}  // namespace
}  // namespace thurn::smtp
