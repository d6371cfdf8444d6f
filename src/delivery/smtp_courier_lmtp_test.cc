// LMTP: a reply for each recipient after the content, each of which stands for itself (RFC 2033 §4.2).
#include "support/smtp_courier_fixture.h"

namespace thurn::delivery {
namespace {

const std::string kLmtpEnvelope =
    "S: 220 box LMTP\nC: LHLO client.example\nS: 250-box\nS: 250-8BITMIME\nS: 250 PIPELINING\nC: MAIL FROM:<alice@example.org>\n"
    "C: RCPT TO:<bob@example.com>\nC: RCPT TO:<bob1@example.com>\nC: RCPT TO:<bob2@example.com>\nC: DATA\n"
    "S: 250 2.1.0 ok\nS: 250 2.1.5 ok\nS: 550 5.1.1 unknown\nS: 250 2.1.5 ok\nS: 354 go on\nD:\n";

TEST_F(SmtpCourierTest, LmtpHasAReplyForEachRecipientAfterTheContent) {
    destination_.protocol = smtp::Protocol::lmtp;
    ScriptedPeer peer({kLmtpEnvelope + "S: 250 2.0.0 bob has it\nS: 552 5.2.2 full\n" + kQuit});
    add(message("hello\r\n", 3));
    EXPECT_EQ(carry({&peer}), queue::SiteOutcome::worked);
    EXPECT_EQ(outcome(0, 0).kind, Kind::delivered);
    EXPECT_EQ(outcome(0, 0).handed, RecipientOutcome::Handed::to_mailbox);
    EXPECT_EQ(outcome(0, 1).status, "550 5.1.1 unknown");
    EXPECT_EQ(outcome(0, 2).status, "552 5.2.2 full");
    EXPECT_EQ(outcome(0, 2).kind, Kind::failed);
}

TEST_F(SmtpCourierTest, WhatLmtpTookIsNotSentAgainWhenItBreaks) {
    destination_.protocol = smtp::Protocol::lmtp;
    ScriptedPeer peer({kLmtpEnvelope + "S: 250 2.0.0 bob has it\n"});
    add(message("hello\r\n", 3));
    carry({&peer});
    EXPECT_EQ(outcome(0, 0).kind, Kind::delivered);
    EXPECT_EQ(outcome(0, 1).kind, Kind::failed);
    EXPECT_EQ(outcome(0, 2).kind, Kind::deferred);
    EXPECT_THAT(outcome(0, 2).status, HasSubstr("after the final dot, so the message may have been delivered"));
    EXPECT_THAT(results(), ElementsAre("delivered, failed", "delivered, deferred, failed"));
}

TEST_F(SmtpCourierTest, ServerOfMailboxesIsToldTheAccounts) {
    destination_.protocol = smtp::Protocol::lmtp;
    ScriptedPeer peer(
        {"S: 220 box\nC: LHLO client.example\nS: 250 box\nC: MAIL FROM:<alice@example.org>\nS: 250 ok\n"
         "C: RCPT TO:<box@example.com>\nS: 250 ok\nC: DATA\nS: 354 go on\n" +
         kContent + kQuit});
    add(message());
    source_->parcels.back().accounts = {mailbox("box", "example.com")};
    carry({&peer});
    EXPECT_EQ(outcome().kind, Kind::delivered);
}

/// A server on a local socket, of which nothing is known but its path.
TEST_F(SmtpCourierTest, LmtpIsSpokenOverALocalSocket) {
    destination_.protocol = smtp::Protocol::lmtp;
    ScriptedPeer peer({kLmtpEnvelope + "S: 250 2.0.0 ok\nS: 250 2.0.0 ok\n" + kQuit}, ScriptedPeer::Place::local_socket);
    destination_.hosts.addresses.push_back({.host = "localhost", .address = {}, .socket = peer.path()});
    add(message("hello\r\n", 3));
    carry({});
    EXPECT_EQ(outcome(0, 0).kind, Kind::delivered);
    EXPECT_EQ(source_->attempts.at(0).host, peer.path());
}

TEST_F(SmtpCourierTest, LocalSocketThatIsNotThereDefersAndIsNamed) {
    destination_.protocol = smtp::Protocol::lmtp;
    destination_.hosts.addresses.push_back({.host = "localhost", .address = {}, .socket = "/nonexistent/lmtp"});
    add(message());
    EXPECT_EQ(carry({}), queue::SiteOutcome::unreachable);
    EXPECT_EQ(outcome().status, "451 4.4.1 cannot connect to /nonexistent/lmtp: No such file or directory");
}

}  // namespace
}  // namespace thurn::delivery
