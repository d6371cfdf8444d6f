// The dialogue with a host that works, and what its replies mean for each recipient.
#include "support/smtp_courier_fixture.h"

#include <boost/asio/post.hpp>

namespace thurn::delivery {
namespace {

TEST_F(SmtpCourierTest, DeliversWithPipelining) {
    ScriptedPeer peer({kHello + kEnvelope + kContent + kQuit});
    add(message("Subject: x\r\n\r\n.dot\r\n..\r\n"));
    EXPECT_EQ(carry({&peer}), queue::SiteOutcome::worked);
    EXPECT_EQ(outcome().kind, Kind::delivered);
    EXPECT_EQ(outcome().status, "250 2.0.0 taken");
    EXPECT_EQ(outcome().remote_host, "mx1.example");
    EXPECT_THAT(peer.wire(),
                ElementsAre("EHLO client.example\r\nMAIL FROM:<alice@example.org> SIZE=24\r\nRCPT TO:<bob@example.com>\r\nDATA\r\n"
                            "Subject: x\r\n\r\n..dot\r\n...\r\n.\r\nQUIT\r\n"));
    ASSERT_EQ(source_->attempts.size(), 1U);
    const auto& attempt = source_->attempts[0];
    EXPECT_EQ(attempt.host, "mx1.example [127.0.0.1]:" + std::to_string(peer.port()));
    EXPECT_EQ(attempt.result, "delivered");
    EXPECT_THAT(attempt.replies, ElementsAre("250 2.0.0 taken"));
    EXPECT_EQ(attempt.tls, "");
    EXPECT_EQ(source_->marked, 1);
}

TEST_F(SmtpCourierTest, DeliversWithoutPipelining) {
    ScriptedPeer peer(
        {kPlainHello +
         "C: MAIL FROM:<alice@example.org>\nQ:\nS: 250 ok\nC: RCPT TO:<bob@example.com>\nQ:\nS: 250 ok\nC: DATA\nS: 354 go\n" + kContent +
         kQuit});
    add(message());
    EXPECT_EQ(carry({&peer}), queue::SiteOutcome::worked);
    EXPECT_EQ(outcome().kind, Kind::delivered);
}

TEST_F(SmtpCourierTest, SaysHeloWhereEhloIsRefused) {
    ScriptedPeer peer(
        {"S: 220 old\nC: EHLO\nS: 502 what\nC: HELO client.example\nS: 250 old\nC: MAIL\nS: 250 ok\nC: RCPT\nS: 250 ok\nC: DATA\nS: 354 "
         "go\n" +
         kContent + kQuit});
    add(message());
    carry({&peer});
    EXPECT_EQ(outcome().kind, Kind::delivered);
}

TEST_F(SmtpCourierTest, NullPathAndEmptyContent) {
    ScriptedPeer peer({kHello + "C: MAIL FROM:<>\nC: RCPT\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\n" + kContent + kQuit});
    auto stored = message(std::string());
    stored->envelope.sender.mailbox.reset();
    add(stored);
    carry({&peer});
    EXPECT_EQ(outcome().kind, Kind::delivered);
    EXPECT_THAT(peer.wire()[0], HasSubstr("DATA\r\n.\r\nQUIT\r\n"));
}

TEST_F(SmtpCourierTest, FinalDotWaitsForTheMark) {
    source_->gate = std::make_unique<asio::steady_timer>(loop_);
    auto open_gate = [this] { asio::post(loop_, [this] { source_->gate->cancel(); }); };
    ScriptedPeer peer({kHello + kEnvelope + "Q:\n!:\n" + kContent + kQuit}, nullptr, open_gate);
    add(message());
    carry({&peer});
    EXPECT_EQ(outcome().kind, Kind::delivered);
    EXPECT_EQ(source_->marks_written, 1);
}

TEST_F(SmtpCourierTest, KeepsTheConnectionForMoreParcels) {
    ScriptedPeer peer({kHello + kEnvelope + kContent + kEnvelope + kContent + kEnvelope + kContent + kQuit});
    for (int k = 0; k < 3; ++k) add(message());
    EXPECT_EQ(carry({&peer}), queue::SiteOutcome::worked);
    for (std::size_t k = 0; k < 3; ++k) EXPECT_EQ(outcome(k).kind, Kind::delivered);
    EXPECT_EQ(peer.wire().size(), 1U);
}

TEST_F(SmtpCourierTest, RenewsTheConnectionAfterSoManyMessages) {
    options_.messages_per_connection = 2;
    ScriptedPeer peer({kHello + kEnvelope + kContent + kEnvelope + kContent + kQuit, kHello + kEnvelope + kContent + kQuit});
    for (int k = 0; k < 3; ++k) add(message());
    carry({&peer});
    EXPECT_EQ(outcome(2).kind, Kind::delivered);
}

TEST_F(SmtpCourierTest, NoParcelIsNoFault) { EXPECT_EQ(carry({}), queue::SiteOutcome::worked); }

struct VerdictCase {
    const char* name;
    const char* script;  // behind the hello
    Kind kind;
    const char* status;
};
class SmtpVerdictTest : public SmtpCourierTest, public testing::WithParamInterface<VerdictCase> {};

TEST_P(SmtpVerdictTest, BelongsToTheRecipient) {
    const auto& [name, script, kind, status] = GetParam();
    ScriptedPeer peer({kHello + script + kQuit});
    add(message());
    EXPECT_EQ(carry({&peer}), queue::SiteOutcome::worked);
    EXPECT_EQ(outcome().kind, kind);
    EXPECT_EQ(outcome().status, status);
    EXPECT_EQ(outcome().remote_host, "mx1.example");
    EXPECT_THAT(source_->attempts.at(0).replies, ElementsAre(status));
}

INSTANTIATE_TEST_SUITE_P(
    Replies, SmtpVerdictTest,
    testing::Values(
        VerdictCase{"MailDeferred", "C: MAIL\nC: RCPT\nC: DATA\nS: 451 4.7.1 greylisted\nS: 503 no\nS: 503 no\n", Kind::deferred,
                    "451 4.7.1 greylisted"},
        VerdictCase{"MailRefused", "C: MAIL\nC: RCPT\nC: DATA\nS: 550 5.7.1 no\nS: 503 no\nS: 503 no\n", Kind::failed, "550 5.7.1 no"},
        VerdictCase{"RecipientUnknown", "C: MAIL\nC: RCPT\nC: DATA\nS: 250 ok\nS: 550-5.1.1 no such\nS: 550 5.1.1 user\nS: 503 no\n",
                    Kind::failed, "550 5.1.1 no such user"},
        VerdictCase{"RecipientUnknownYet354", "C: MAIL\nC: RCPT\nC: DATA\nS: 250 ok\nS: 550 5.1.1 no\nS: 354 go\nD:\nS: 554 none\n",
                    Kind::failed, "550 5.1.1 no"},
        VerdictCase{"DataDeferred", "C: MAIL\nC: RCPT\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 451 4.3.0 later\n", Kind::deferred,
                    "451 4.3.0 later"},
        VerdictCase{"ContentRefused", "C: MAIL\nC: RCPT\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\nD:\nS: 554 5.7.1 spam\n", Kind::failed,
                    "554 5.7.1 spam"},
        VerdictCase{"ContentTooLarge", "C: MAIL\nC: RCPT\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\nD:\nS: 552 too large\n", Kind::failed,
                    "552 too large"},
        VerdictCase{"ContentDeferred", "C: MAIL\nC: RCPT\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\nD:\nS: 452 4.3.1 full\n",
                    Kind::deferred, "452 4.3.1 full"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST_F(SmtpCourierTest, RefusedTransactionIsResetBeforeTheNext) {
    for (const bool pipelining : {true, false}) {
        source_ = std::make_shared<FakeSource>();
        destination_ = {};
        const std::string refused =
            pipelining ? kHello + "C: MAIL\nC: RCPT\nC: DATA\nS: 550 5.7.1 no\nS: 503 no\nS: 503 no\nC: RSET\nS: 250 ok\n" + kEnvelope
                       : kPlainHello +
                             "C: MAIL\nS: 550 5.7.1 no\nC: RSET\nS: 250 ok\nC: MAIL\nS: 250 ok\nC: RCPT\nS: 250 ok\nC: DATA\nS: 354 go\n";
        ScriptedPeer peer({refused + kContent + kQuit});
        add(message());
        add(message());
        carry({&peer});
        EXPECT_EQ(outcome(0).kind, Kind::failed);
        EXPECT_EQ(outcome(1).kind, Kind::delivered);
    }
}

TEST_F(SmtpCourierTest, ExtraReplyNeverPassesForSuccess) {
    for (const char* script : {"C: MAIL\nC: RCPT\nC: DATA\ns: 250 a|250 b|250 c|354 go|\nH:\n",
                               "C: MAIL\nC: RCPT\nC: DATA\ns: 250 a|250 b|354 go|250 taken|\nD:\nH:\n"}) {
        source_ = std::make_shared<FakeSource>();
        destination_ = {};
        options_.ending_timeout = std::chrono::seconds(1);
        ScriptedPeer peer({kHello + script});
        add(message());
        carry({&peer});
        EXPECT_EQ(outcome().kind, Kind::deferred) << script;
    }
}

TEST_F(SmtpCourierTest, ThousandRecipientsInOneGo) {
    std::string script = kHello + "C: MAIL\n";
    for (int k = 0; k < 1000; ++k) script += "C: RCPT\n";
    script += "C: DATA\nS: 250 ok\n";
    for (int k = 0; k < 1000; ++k)
        script += k == 999 ? "S: 550 5.1.1 no\n" : "S: 250 2.1.5 a reply of ordinary length for one recipient of many\n";
    ScriptedPeer peer({script + "S: 354 go\n" + kContent + kQuit});
    add(message("x\r\n", 1000));
    carry({&peer});
    EXPECT_EQ(outcome(0, 998).kind, Kind::delivered);
    EXPECT_EQ(outcome(0, 999).kind, Kind::failed);
    EXPECT_EQ(source_->attempts.at(0).replies.size(), 2U);
}

TEST_F(SmtpCourierTest, EachRecipientHasItsOwnOutcome) {
    ScriptedPeer peer({kHello +
                       "C: MAIL\nC: RCPT TO:<bob@\nC: RCPT TO:<bob1@\nC: RCPT TO:<bob2@\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 550 5.1.1 "
                       "who\nS: 450 4.2.1 busy\n"
                       "S: 354 go\n" +
                       kContent + kQuit});
    add(message("x\r\n", 3));
    carry({&peer});
    EXPECT_EQ(outcome(0, 0).kind, Kind::delivered);
    EXPECT_EQ(outcome(0, 1).kind, Kind::failed);
    EXPECT_EQ(outcome(0, 2).kind, Kind::deferred);
    EXPECT_THAT(results(), ElementsAre("delivered, deferred, failed"));
}

TEST_F(SmtpCourierTest, OnlyTheParcelsRecipientsAreSent) {
    ScriptedPeer peer({kHello + "C: MAIL\nC: RCPT TO:<bob2@example.com>\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\n" + kContent + kQuit});
    add(message("x\r\n", 3));
    source_->parcels[0].recipients = {2};
    carry({&peer});
    EXPECT_EQ(outcome().kind, Kind::delivered);
}

TEST_F(SmtpCourierTest, RecipientsOverTheHostsLimitGoInAnotherTransaction) {
    ScriptedPeer peer(
        {kHello +
         "C: MAIL\nC: RCPT TO:<bob@\nC: RCPT TO:<bob1@\nC: RCPT TO:<bob2@\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 452 4.5.3 too many\n"
         "S: 552 too many\nS: 354 go\n" +
         kContent + "C: MAIL\nC: RCPT TO:<bob1@\nC: RCPT TO:<bob2@\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 552 5.2.2 full\nS: 354 go\n" +
         kContent + kQuit});
    add(message("x\r\n", 3));
    carry({&peer});
    EXPECT_EQ(outcome(0, 0).kind, Kind::delivered);
    EXPECT_EQ(outcome(0, 1).kind, Kind::delivered);
    EXPECT_EQ(outcome(0, 2).kind, Kind::failed);
    EXPECT_EQ(source_->settlements.size(), 1U);
    EXPECT_EQ(source_->marked, 1);
}

}  // namespace
}  // namespace thurn::delivery
