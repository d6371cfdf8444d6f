// Servers that refuse the connection, hang up, fall silent, or say what fits no command.
#include "support/client_dialogue.h"

namespace thurn::smtp {
namespace {

TEST(ClientFailure, FailsWithTheReplyThatRefusedTheConnection) {
    for (const auto* greeting : {"554 5.7.1 no\r\n", "421 busy\r\n", "450 later\r\n"}) {
        ClientDialogue dialogue(plain_client());
        dialogue.exchange(greeting);
        const auto failed = dialogue.take<ClientFailed>();
        EXPECT_EQ(failed.error.kind, base::ErrorKind::refused);
        EXPECT_EQ(failed.reply->code, std::stoi(greeting));
        EXPECT_TRUE(dialogue.session.closed());
    }
}

TEST(ClientFailure, FailsOnTransientEhloAndRefusedHelo) {
    ClientDialogue busy(plain_client());
    busy.exchange("220 there\r\n");
    busy.exchange("451 not now\r\n");
    EXPECT_EQ(busy.take<ClientFailed>().reply->code, 451);
    ClientDialogue hostile(plain_client());
    hostile.exchange("220 there\r\n");
    hostile.exchange("500 no\r\n");
    hostile.exchange("550 never\r\n");
    EXPECT_EQ(hostile.take<ClientFailed>().reply->code, 550);
}

TEST(ClientFailure, TellsWhatIsKnownWhenTheServerSays421) {
    auto dialogue = ready_dialogue();
    dialogue.session.begin(transaction_to({"b@b.example", "c@b.example"}));
    dialogue.pump();
    dialogue.exchange("250 ok\r\n550 no\r\n421 too many errors\r\n");
    EXPECT_THAT(dialogue.take_codes(), ElementsAre(550, 421));
    EXPECT_EQ(dialogue.take<ClientFailed>().reply->code, 421);
    EXPECT_TRUE(dialogue.session.closed());
}

TEST(ClientFailure, FailsOn421InEachState) {
    for (int exchanges = 0; exchanges < 6; ++exchanges) {
        ClientDialogue dialogue(plain_client());
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

TEST(ClientFailure, TakesAnEarlyRefusalOfContentAsItsAnswer) {
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

TEST(ClientFailure, KeepsARefusalBehindWhichTheServerHungUp) {
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

TEST(ClientFailure, BelievesNo250ThatCameBeforeTheDot) {
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

TEST(ClientFailure, FailsOnRepliesThatFitNoCommand) {
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
        ClientDialogue dialogue(plain_client());
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

TEST(ClientFailure, TellsWhyTheServerIsGone) {
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

TEST(ClientFailure, TakesNoReplyThatCameBeforeItsCommand) {
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

TEST(ClientFailure, ReadsThatTheServerLeftBeforeItBegins) {
    auto dialogue = ready_dialogue();
    dialogue.session.receive("421 4.4.2 idle too long\r\n");
    dialogue.session.begin(transaction_to({"two@b.example"}));
    EXPECT_EQ(dialogue.pump(), "");
    EXPECT_EQ(dialogue.take<ClientFailed>().reply->code, 421);
}

}  // namespace
}  // namespace thurn::smtp
