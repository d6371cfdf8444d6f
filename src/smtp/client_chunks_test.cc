// Content by BDAT (RFC 3030).
#include "support/client_dialogue.h"

namespace thurn::smtp {
namespace {

ClientOptions by_chunks() {
    auto options = plain_client();
    options.chunking = Chunking::when_offered;
    return options;
}

ClientDialogue chunk_dialogue(std::string_view ehlo = kRichEhlo) {
    ClientDialogue dialogue(by_chunks());
    dialogue.exchange("220 there ESMTP\r\n");
    dialogue.exchange(ehlo);
    dialogue.take<Ready>();
    return dialogue;
}

TEST(ClientChunks, SendsEachPieceAsAChunk) {
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

TEST(ClientChunks, SendsOneChunkWithOneReplyForOnePiece) {
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

TEST(ClientChunks, SendsNothingOfContentThatIsLeftWithoutAnEnd) {
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

TEST(ClientChunks, SendsNoChunkWhenNobodyIsAccepted) {
    auto dialogue = chunk_dialogue();
    dialogue.session.begin(transaction_to({"one@b.example"}));
    dialogue.pump();
    EXPECT_EQ(dialogue.exchange("250 ok\r\n550 no\r\n"), "");
    EXPECT_THAT(dialogue.take_codes(), ElementsAre(550));
    dialogue.session.begin(transaction_to({"one@b.example"}));
    EXPECT_THAT(dialogue.pump(), testing::StartsWith("RSET\r\nMAIL "));
}

TEST(ClientChunks, HoldsChunksBackWherePipeliningIsMissing) {
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

TEST(ClientChunks, EndsAtARefusedChunk) {
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

TEST(ClientChunks, EndsAtAChunkRefusedWhenTheLastHasLeft) {
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

TEST(ClientChunks, BelievesNoSuccessThatCameBeforeTheChunk) {
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

TEST(ClientChunks, SendsBinaryContentAsItIs) {
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

}  // namespace
}  // namespace thurn::smtp
