#include "support/client_dialogue.h"

namespace thurn::smtp {
namespace {

ClientDialogue lmtp_dialogue(std::string_view lhlo = kPipeliningEhlo) {
    auto options = plain_client();
    options.protocol = Protocol::lmtp;
    ClientDialogue dialogue(options);
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
