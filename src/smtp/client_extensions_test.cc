// What a server offers is understood, and what it does not offer is not asked of it.
#include "support/client_dialogue.h"

#include <chrono>
#include <functional>

namespace thurn::smtp {
namespace {

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

TEST(ClientExtensions, DoesNotTryWhatIsLargerThanSize) {
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

TEST(ClientExtensions, SaysParametersWhereTheyAreOffered) {
    auto dialogue = ready_dialogue(kRichEhlo);
    dialogue.session.begin(rich_transaction());
    EXPECT_EQ(dialogue.pump(),
              "MAIL FROM:<from@a.example> SIZE=10 BODY=8BITMIME RET=FULL ENVID=a+20b HOLDFOR=60 BY=-5;NT MT-PRIORITY=3 "
              "AUTH=a+3Db@c.example\r\nRCPT TO:<one@b.example> NOTIFY=NEVER ORCPT=rfc822;O+2Be@b\r\nDATA\r\n");
}

TEST(ClientExtensions, LeavesOutParametersThatAreNotOffered) {
    auto dialogue = ready_dialogue();
    auto transaction = rich_transaction();
    transaction.parameters.smtputf8 = true;  // but every address is US-ASCII
    dialogue.session.begin(std::move(transaction));
    EXPECT_EQ(dialogue.pump(), "MAIL FROM:<from@a.example> SIZE=10 BODY=8BITMIME\r\nRCPT TO:<one@b.example>\r\nDATA\r\n");
}

TEST(ClientExtensions, RefusesWhatTheServerCannotTake) {
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

TEST(ClientExtensions, DemandsTlsForRequireTlsWhateverIsOffered) {
    auto dialogue = ready_dialogue("250-there\r\n250 REQUIRETLS\r\n");
    auto transaction = transaction_to({"one@b.example"});
    transaction.parameters.require_tls = true;
    dialogue.session.begin(std::move(transaction));
    dialogue.pump();
    EXPECT_THAT(dialogue.take_codes(), ElementsAre(550));
}

TEST(ClientExtensions, SendsDomainsInALabelsWhereSmtpUtf8IsMissing) {
    auto dialogue = ready_dialogue();
    auto transaction = transaction_to({"one@b.example"});
    transaction.parameters.smtputf8 = true;
    transaction.recipients[0].mailbox = *mail::parse_mailbox("one@m\xc3\xbcller.example", mail::Charset::utf8);
    dialogue.session.begin(std::move(transaction));
    EXPECT_THAT(dialogue.pump(), HasSubstr("RCPT TO:<one@xn--mller-kva.example>\r\n"));
}

TEST(ClientExtensions, SaysSmtpUtf8WhereAnAddressNeedsIt) {
    auto dialogue = ready_dialogue(kRichEhlo);
    auto transaction = transaction_to({"one@b.example"});
    transaction.recipients[0].mailbox = *mail::parse_mailbox("j\xc3\xb6rg@b.example", mail::Charset::utf8);
    dialogue.session.begin(std::move(transaction));
    EXPECT_EQ(dialogue.pump(), "MAIL FROM:<from@a.example> SIZE=10 BODY=8BITMIME SMTPUTF8\r\nRCPT TO:<j\xc3\xb6rg@b.example>\r\nDATA\r\n");
}

}  // namespace
}  // namespace thurn::smtp
