// What a host says of its limits after EHLO is kept to before it has to refuse anything (RFC 9422).
#include "support/smtp_courier_fixture.h"

namespace thurn::delivery {
namespace {

std::string hello_with(const std::string& limits) {
    return "S: 220 mx\nC: EHLO client.example\nS: 250-mx\nS: 250-PIPELINING\nS: 250 LIMITS " + limits + "\n";
}

std::string transaction_for(std::initializer_list<const char*> recipients) {
    std::string script = "C: MAIL\n";
    for (const auto* recipient : recipients) script += std::string("C: RCPT TO:<") + recipient + ">\n";
    script += "C: DATA\nS: 250 ok\n";
    for (std::size_t k = 0; k < recipients.size(); ++k) script += "S: 250 ok\n";
    return script + "S: 354 go on\n" + kContent;
}

TEST_F(SmtpCourierTest, RcptmaxPartsAParcel) {
    ScriptedPeer peer({hello_with("RCPTMAX=2") + transaction_for({"bob@example.com", "bob1@example.com"}) +
                       transaction_for({"bob2@example.com", "bob3@example.com"}) + transaction_for({"bob4@example.com"}) + kQuit});
    add(message("hello\r\n", 5));
    EXPECT_EQ(carry({&peer}), queue::SiteOutcome::worked);
    for (std::size_t k = 0; k < 5; ++k) EXPECT_EQ(outcome(0, k).kind, Kind::delivered) << k;
}

TEST_F(SmtpCourierTest, RcptdomainmaxPartsAParcelByDomain) {
    auto stored = message("hello\r\n", 4);
    stored->envelope.recipients[1].mailbox = mailbox("x", "example.net");
    stored->envelope.recipients[3].mailbox = mailbox("y", "example.net");
    ScriptedPeer peer({hello_with("RCPTDOMAINMAX=1") + transaction_for({"bob@example.com", "bob2@example.com"}) +
                       transaction_for({"x@example.net", "y@example.net"}) + kQuit});
    add(stored);
    carry({&peer});
    for (std::size_t k = 0; k < 4; ++k) EXPECT_EQ(outcome(0, k).kind, Kind::delivered) << k;
}

TEST_F(SmtpCourierTest, MailmaxEndsTheConnectionInTime) {
    const auto one = transaction_for({"bob@example.com"});
    ScriptedPeer peer({hello_with("MAILMAX=2") + one + one + kQuit, hello_with("MAILMAX=2") + one + kQuit});
    for (int k = 0; k < 3; ++k) add(message());
    carry({&peer});
    EXPECT_THAT(results(), ElementsAre("delivered", "delivered", "delivered"));
}

/// Who was not in the transaction that was lost is tried elsewhere at once.
TEST_F(SmtpCourierTest, LossOfOneTransactionIsNoLossOfTheNext) {
    ScriptedPeer first({hello_with("RCPTMAX=1") + "C: MAIL\nC: RCPT\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go on\nD:\n"});
    ScriptedPeer second({hello_with("RCPTMAX=1") + transaction_for({"bob1@example.com"}) + kQuit});
    add(message("hello\r\n", 2));
    carry({&first, &second});
    EXPECT_EQ(outcome(0, 0).kind, Kind::deferred);
    EXPECT_THAT(outcome(0, 0).status, HasSubstr("may have been delivered"));
    EXPECT_EQ(outcome(0, 1).kind, Kind::delivered);
}

}  // namespace
}  // namespace thurn::delivery
