// STARTTLS, certificates, logging in, and REQUIRETLS (RFC 8689).
#include "support/smtp_courier_fixture.h"

namespace thurn::delivery {
namespace {

class SmtpTlsTest : public SmtpCourierTest {
protected:
    SmtpTlsTest() { options_.connect_timeout = std::chrono::seconds(2); }
    test::TlsFiles files_{"mx1.example"};
    std::shared_ptr<const net::TlsContext> server_ = files_.server();
    const std::string starttls_ = "S: 220 mx\nC: EHLO\nS: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\n";
    const std::string hello_again_ = "C: EHLO client.example\nS: 250-mx\nS: 250-PIPELINING\nS: 250 AUTH PLAIN\n";
};

TEST_F(SmtpTlsTest, UsesStarttlsWhereOffered) {
    ScriptedPeer peer({starttls_ + "S: 220 go\nT:\n" + hello_again_ + kEnvelope + kContent + kQuit}, server_->native());
    add(message());
    carry({&peer});
    EXPECT_EQ(outcome().kind, Kind::delivered);
    EXPECT_THAT(source_->attempts.at(0).tls, StartsWith("TLSv1.3 with "));
}

TEST_F(SmtpTlsTest, NoneNeverSaysStarttls) {
    destination_.tls = route::TlsDemand::none;
    ScriptedPeer peer({"S: 220 mx\nC: EHLO\nS: 250-mx\nS: 250-PIPELINING\nS: 250 STARTTLS\n" + kEnvelope + kContent + kQuit});
    add(message());
    carry({&peer});
    EXPECT_EQ(outcome().kind, Kind::delivered);
}

TEST_F(SmtpTlsTest, MayFallsBackToClearAfterABrokenHandshake) {
    const std::string in_clear = "S: 220 mx\nC: EHLO\nS: 250-mx\nS: 250-PIPELINING\nS: 250 STARTTLS\n" + kEnvelope + kContent + kQuit;
    for (const char* broken : {"S: 220 go\n", "S: 220 go\nT:\n", "S: 220 go\nH:\n"}) {
        source_ = std::make_shared<FakeSource>();
        destination_ = {};
        options_.connect_timeout = std::chrono::seconds(1);
        ScriptedPeer peer({starttls_ + broken, in_clear}, server_->native());
        add(message());
        EXPECT_EQ(carry({&peer}), queue::SiteOutcome::worked);
        EXPECT_EQ(outcome().kind, Kind::delivered) << broken;
        EXPECT_THAT(results(), ElementsAre("connection failed", "delivered")) << broken;
    }
}

TEST_F(SmtpTlsTest, RepliesInClearBehindStarttlsEndTheConnection) {
    ScriptedPeer peer({starttls_ + "s: 220 go|250 injected|\nH:\n"});
    add(message());
    EXPECT_EQ(carry({&peer}), queue::SiteOutcome::unreachable);
    EXPECT_EQ(outcome().kind, Kind::deferred);
    EXPECT_THAT(outcome().status, HasSubstr("plaintext"));
}

TEST_F(SmtpTlsTest, MayGoesOnInClearWhenStarttlsIsRefused) {
    ScriptedPeer peer(
        {starttls_ + "S: 454 4.7.0 not now\nC: MAIL\nS: 250 ok\nC: RCPT\nS: 250 ok\nC: DATA\nS: 354 go\n" + kContent + kQuit});
    add(message());
    carry({&peer});
    EXPECT_EQ(outcome().kind, Kind::delivered);
}

TEST_F(SmtpTlsTest, EncryptDefersWithoutTls) {
    const std::string not_offered = "S: 220 mx\nC: EHLO\nS: 250 mx\nH:\n";
    for (const auto& script :
         {not_offered, starttls_ + "S: 454 4.7.0 not now\nH:\n", starttls_ + "S: 220 go\n", starttls_ + "S: 502 no\nH:\n"}) {
        for (const auto demand : {route::TlsDemand::encrypt, route::TlsDemand::verify}) {
            source_ = std::make_shared<FakeSource>();
            destination_ = {};
            destination_.tls = demand;
            ScriptedPeer peer({script});
            add(message());
            EXPECT_EQ(carry({&peer}), queue::SiteOutcome::unreachable);
            EXPECT_EQ(outcome().kind, Kind::deferred);
            EXPECT_THAT(outcome().status, HasSubstr(" 4.7.")) << script;
            EXPECT_EQ(peer.wire()[0].find("MAIL"), std::string::npos);
        }
    }
}

TEST_F(SmtpTlsTest, VerifyTakesTheRightCertificateOnly) {
    destination_.tls = route::TlsDemand::verify;
    verifying_ = files_.trusting_client();
    ScriptedPeer right({starttls_ + "S: 220 go\nT:\n" + hello_again_ + kEnvelope + kContent + kQuit}, server_->native());
    add(message());
    carry({&right});
    EXPECT_EQ(outcome().kind, Kind::delivered) << outcome().status;

    const test::TlsFiles stranger("mx1.example");
    const auto strange = stranger.server();
    destination_.hosts.addresses.clear();
    ScriptedPeer wrong({starttls_ + "S: 220 go\nT:\n"}, strange->native());
    add(message());
    carry({&wrong});
    EXPECT_EQ(outcome(1).kind, Kind::deferred);
    EXPECT_THAT(outcome(1).status, StartsWith("451 4.7.5 "));
}

TEST_F(SmtpTlsTest, VerifyIsNotContentWithAContextThatDoesNot) {
    destination_.tls = route::TlsDemand::verify;  // but verifying_ is careless
    ScriptedPeer peer({starttls_ + "S: 220 go\nT:\nH:\n"}, server_->native());
    add(message());
    carry({&peer});
    EXPECT_EQ(outcome().kind, Kind::deferred);
    EXPECT_THAT(outcome().status, StartsWith("451 4.7.5 "));
}

TEST_F(SmtpTlsTest, ImplicitTlsAndLogin) {
    destination_.implicit_tls = true;
    destination_.credentials = smtp::ClientCredentials{"me", "secret"};
    ScriptedPeer peer({"T:\nS: 220 mx\n" + hello_again_ + "C: AUTH PLAIN AG1lAHNlY3JldA==\nS: 235 ok\n" + kEnvelope + kContent + kEnvelope +
                       kContent + kQuit},
                      server_->native());
    add(message());
    add(message());
    carry({&peer});
    EXPECT_EQ(outcome(1).kind, Kind::delivered);
}

TEST_F(SmtpTlsTest, LoginWorksOnEveryConnection) {
    destination_.implicit_tls = true;
    destination_.credentials = smtp::ClientCredentials{"me", "secret"};
    options_.messages_per_connection = 1;
    const std::string session =
        "T:\nS: 220 mx\n" + hello_again_ + "C: AUTH PLAIN AG1lAHNlY3JldA==\nS: 235 ok\n" + kEnvelope + kContent + kQuit;
    ScriptedPeer peer({session, session}, server_->native());
    add(message());
    add(message());
    carry({&peer});
    EXPECT_EQ(outcome(1).kind, Kind::delivered);
}

TEST_F(SmtpTlsTest, RefusedLoginDefersAndHidesThePassword) {
    destination_.implicit_tls = true;
    destination_.credentials = smtp::ClientCredentials{"me", "secret"};
    ScriptedPeer peer({"T:\nS: 220 mx\n" + hello_again_ + "C: AUTH\nS: 535 5.7.8 no\n"}, server_->native());
    add(message());
    EXPECT_EQ(carry({&peer}), queue::SiteOutcome::unreachable);
    EXPECT_EQ(outcome().kind, Kind::deferred);
    EXPECT_THAT(outcome().status, HasSubstr("535 5.7.8 no"));
    EXPECT_THAT(outcome().status, StartsWith("451 4.7.8 "));
}

TEST_F(SmtpTlsTest, PasswordIsNeverSentInClear) {
    destination_.credentials = smtp::ClientCredentials{"me", "secret"};
    for (const auto demand : {route::TlsDemand::none, route::TlsDemand::may}) {
        source_ = std::make_shared<FakeSource>();
        destination_.hosts.addresses.clear();
        destination_.tls = demand;
        ScriptedPeer peer({"S: 220 mx\nC: EHLO\nS: 250-mx\nS: 250 AUTH PLAIN LOGIN\nH:\n"});
        add(message());
        EXPECT_EQ(carry({&peer}), queue::SiteOutcome::unreachable);
        EXPECT_EQ(outcome().kind, Kind::deferred);
        EXPECT_EQ(peer.wire()[0], "EHLO client.example\r\n");
    }
}

class RequireTlsTest : public SmtpTlsTest {
protected:
    RequireTlsTest() {
        destination_.tls = route::TlsDemand::verify;
        verifying_ = files_.trusting_client();
    }
    static std::shared_ptr<spool::StoredMessage> secret() {
        auto stored = message();
        stored->envelope.wishes.require_tls = true;
        return stored;
    }
    /// One host after the other, in this order, with the one name there is a certificate for.
    queue::SiteOutcome carry_to(std::initializer_list<ScriptedPeer*> peers) {
        for (auto* peer : peers) {
            add_host(peer->port(), "mx1.example");
            destination_.hosts.addresses.back().preference = static_cast<std::uint16_t>(destination_.hosts.addresses.size());
        }
        const auto outcome = carry({});
        for (auto* peer : peers) peer->finish();
        return outcome;
    }
    test::TlsFiles strangers_{"mx1.example"};
    std::shared_ptr<const net::TlsContext> stranger_ = strangers_.server();
    const std::string secured_ = starttls_ + "S: 220 go\nT:\nC: EHLO\nS: 250-mx\nS: 250-PIPELINING\nS: 250 ";
    const std::string willing_ = secured_ + "REQUIRETLS\n";
    const std::string lacking_ = secured_ + "SIZE\n";
    const std::string in_clear_ = "S: 220 mx\nC: EHLO\nS: 250-mx\nS: 250 REQUIRETLS\nH:\n";
    const std::string taken_ =
        "C: MAIL FROM:<alice@example.org> REQUIRETLS\nC: RCPT\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\n" + kContent;
};

TEST_F(RequireTlsTest, GoesToTheHostThatSuits) {
    ScriptedPeer clear({in_clear_}), strange({starttls_ + "S: 220 go\nT:\n"}, stranger_->native()),
        plain({lacking_ + kQuit}, server_->native()), good({willing_ + taken_ + kQuit}, server_->native());
    add(secret());
    EXPECT_EQ(carry_to({&clear, &strange, &plain, &good}), queue::SiteOutcome::worked);
    EXPECT_EQ(outcome().kind, Kind::delivered) << outcome().status;
    EXPECT_THAT(results(), ElementsAre("connection failed", "connection failed", "not tried", "delivered"));
    EXPECT_THAT(source_->attempts.at(2).replies, ElementsAre(AllOf(StartsWith("550 5.7.30 "), HasSubstr("does not offer it"))));
}

TEST_F(RequireTlsTest, ComesBackWhenNoHostOffersIt) {
    ScriptedPeer clear({in_clear_}), plain({lacking_ + kQuit}, server_->native());
    add(secret());
    carry_to({&clear, &plain});
    EXPECT_EQ(outcome().kind, Kind::failed);
    EXPECT_THAT(outcome().status, StartsWith("550 5.7.30 "));
}

TEST_F(RequireTlsTest, ComesBackWhenNoHostCanBeTrusted) {
    ScriptedPeer clear({in_clear_}), strange({starttls_ + "S: 220 go\nT:\n"}, stranger_->native());
    add(secret());
    add(message());
    carry_to({&clear, &strange});
    EXPECT_EQ(outcome(0).kind, Kind::failed);
    EXPECT_THAT(outcome(0).status, StartsWith("550 5.7.10 "));
    EXPECT_EQ(outcome(1).kind, Kind::deferred) << "others wait for the host to be mended";
}

TEST_F(RequireTlsTest, WaitsForAHostThatMaySuitLater) {
    for (const std::string& trouble : {std::string("S: 421 busy\n"), starttls_ + "S: 454 4.7.0 not now\nH:\n", starttls_ + "S: 220 go\n",
                                       willing_ + "C: MAIL\nC: RCPT\nC: DATA\nS: 421 busy\n"}) {
        source_ = std::make_shared<FakeSource>();
        destination_.hosts.addresses.clear();
        ScriptedPeer plain({lacking_ + kQuit}, server_->native()), troubled({trouble}, server_->native());
        add(secret());
        carry_to({&plain, &troubled});
        EXPECT_EQ(outcome().kind, Kind::deferred) << trouble;
        EXPECT_THAT(outcome().status, StartsWith("4")) << trouble;
    }
}

TEST_F(RequireTlsTest, IsOneMessagesWishAndNotTheNextOnes) {
    ScriptedPeer plain({lacking_ + kEnvelope + kContent + kQuit, lacking_ + kEnvelope + kContent + kQuit}, server_->native()),
        good({willing_ + taken_ + kEnvelope + kContent + kQuit}, server_->native());
    add(message());
    add(secret());
    add(message());
    carry_to({&plain, &good});
    for (std::size_t k = 0; k < 3; ++k) EXPECT_EQ(outcome(k).kind, Kind::delivered) << k << ": " << outcome(k).status;
    EXPECT_THAT(plain.wire().at(0), testing::Not(HasSubstr("REQUIRETLS")));
}

TEST_F(RequireTlsTest, ComesBackAtOnceWhereNothingIsVerified) {
    destination_.tls = route::TlsDemand::may;
    ScriptedPeer first({willing_ + kQuit}, server_->native());
    add(secret());
    carry_to({&first});
    EXPECT_THAT(outcome().status, AllOf(StartsWith("550 5.7.30 "), HasSubstr("not verified")));
}

}  // namespace
}  // namespace thurn::delivery
