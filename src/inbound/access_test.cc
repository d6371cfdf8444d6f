// Who may do what beside sending mail, and for whom a connection is.
#include "support/conversation_fixture.h"

namespace thurn::inbound {
namespace {

std::vector<policy::Network> networks(std::initializer_list<const char*> texts) {
    std::vector<policy::Network> result;
    for (const char* text : texts) result.push_back(policy::parse_network(text).value());
    return result;
}

class AccessTest : public ConversationTest {
protected:
    const ListenerProfile lmtp_{.name = "lmtp", .role = policy::Role::lmtp, .tls = smtp::TlsState::unavailable};
    const ListenerProfile behind_proxy_{
        .name = "mx", .role = policy::Role::mx, .tls = smtp::TlsState::offered, .proxy_protocol_from = networks({"127.0.0.0/8"})};
    const ListenerProfile submissions_behind_proxy_{.name = "submissions",
                                                    .role = policy::Role::submission,
                                                    .tls = smtp::TlsState::active,
                                                    .proxy_protocol_from = networks({"127.0.0.0/8"})};
    const ListenerProfile mail_proxy_{.name = "mx",
                                      .role = policy::Role::mx,
                                      .tls = smtp::TlsState::offered,
                                      .xclient_from = networks({"127.0.0.1"}),
                                      .xforward_from = networks({"127.0.0.1"})};

    /// One message; gives the reply to its content.
    std::string send(TestClient& client, const std::string& to = "anna@here.example") {
        EXPECT_THAT(client.ask("MAIL FROM:<carl@there.example>"), StartsWith("250 "));
        EXPECT_THAT(client.ask("RCPT TO:<" + to + ">"), StartsWith("250 "));
        EXPECT_THAT(client.ask("DATA"), StartsWith("354 "));
        return client.ask("Subject: x\r\n\r\nHello.\r\n.");
    }
};

// ---- LMTP

TEST_F(AccessTest, LmtpAnswersForEachRecipient) {
    start();
    auto client = connect(lmtp_);
    EXPECT_THAT(client->hear(), StartsWith("220 mx.here.example LMTP"));
    EXPECT_THAT(client->ask("EHLO client.example"), StartsWith("500 "));
    EXPECT_THAT(client->ask("LHLO client.example"), StartsWith("250-"));
    client->ask("MAIL FROM:<carl@there.example>");
    EXPECT_THAT(client->ask("RCPT TO:<anna@here.example>"), StartsWith("250 "));
    EXPECT_THAT(client->ask("RCPT TO:<nobody@here.example>"), StartsWith("550 5.1.1"));
    EXPECT_THAT(client->ask("RCPT TO:<bob@here.example>"), StartsWith("250 "));
    client->ask("DATA");
    const auto first = client->ask("Subject: x\r\n\r\nHello.\r\n.");
    EXPECT_THAT(first, StartsWith("250 2.0.0 queued as "));
    EXPECT_EQ(client->hear(), first);
    EXPECT_THAT(client->ask("NOOP"), StartsWith("250 2.0.0 Ok"));
    ASSERT_EQ(accepted().size(), 1);
    EXPECT_EQ(accepted()[0].envelope.recipients.size(), 2);
    EXPECT_THAT(text(accepted()[0]), HasSubstr("with LMTP id"));
}

TEST_F(AccessTest, LmtpNeverRelays) {
    options_.relay_networks = networks({"127.0.0.0/8"});
    options_.relay_domains = {"there.example"};
    start();
    auto client = connect(lmtp_);
    client->hear();
    client->ask("LHLO client.example");
    client->ask("MAIL FROM:<anna@here.example>");
    EXPECT_THAT(client->ask("RCPT TO:<carl@there.example>"), StartsWith("550 5.7.1"));
    EXPECT_THAT(client->ask("RCPT TO:<carl@elsewhere.example>"), StartsWith("550 5.7.1"));
}

TEST_F(AccessTest, RelaysForOurNetworksOnlyWhereTheListenerDoes) {
    options_.relay_networks = networks({"127.0.0.0/8"});
    start();
    for (const bool relays : {true, false}) {
        ListenerProfile profile{.name = "mx"};
        profile.relays = relays;
        auto client = connect(profile);
        client->hear();
        client->ask("EHLO client.example");
        client->ask("MAIL FROM:<anna@here.example>");
        EXPECT_THAT(client->ask("RCPT TO:<carl@elsewhere.example>"), StartsWith(relays ? "250 " : "550 5.7.1"));
    }
}

TEST_F(AccessTest, LetsInOnlyTheListenersNetworks) {
    start();
    auto profile = lmtp_;
    profile.networks = networks({"192.0.2.0/24"});
    EXPECT_THAT(connect(profile)->hear(), StartsWith("554 5.7.1"));
    auto mine = lmtp_;
    mine.networks = networks({"127.0.0.0/8"});
    EXPECT_THAT(connect(mine)->hear(), StartsWith("220 "));
}

// ---- VRFY, EXPN, ETRN

struct QueryCase {
    const char* name;
    Disclosure rule;
    const char* command;
    const char* reply;
};
class QueryTest : public AccessTest, public testing::WithParamInterface<QueryCase> {};

TEST_P(QueryTest, IsAnsweredAsTheRuleSays) {
    directory_.add_alias("team@here.example", {"anna@here.example", "carl@there.example"});
    options_.relay_domains = {"relayed.example"};
    options_.vrfy = options_.expn = GetParam().rule;
    start();
    auto client = greeted();
    EXPECT_EQ(client->ask(GetParam().command), GetParam().reply);
    EXPECT_THAT(client->ask("NOOP"), StartsWith("250 "));
}

constexpr auto kDoNotKnow = "252 2.1.5 Cannot verify, but mail will be tried";
INSTANTIATE_TEST_SUITE_P(
    Rfc5321, QueryTest,
    testing::Values(QueryCase{"VrfyOff", Disclosure::off, "VRFY nobody@here.example", kDoNotKnow},
                    QueryCase{"VrfyOffKnown", Disclosure::off, "VRFY anna@here.example", kDoNotKnow},
                    QueryCase{"VrfyForLogins", Disclosure::authenticated, "VRFY nobody@here.example", kDoNotKnow},
                    QueryCase{"Vrfy", Disclosure::on, "VRFY anna@here.example", "250 2.1.5 <anna@here.example>"},
                    QueryCase{"VrfyInBrackets", Disclosure::on, "VRFY <anna@here.example>", "250 2.1.5 <anna@here.example>"},
                    QueryCase{"VrfyAlias", Disclosure::on, "VRFY team@here.example", "250 2.1.5 <team@here.example>"},
                    QueryCase{"VrfyNobody", Disclosure::on, "VRFY nobody@here.example", "550 5.1.1 no such mailbox here"},
                    QueryCase{"VrfyRelayed", Disclosure::on, "VRFY dora@relayed.example", kDoNotKnow},
                    QueryCase{"VrfyElsewhere", Disclosure::on, "VRFY carl@there.example", kDoNotKnow},
                    QueryCase{"VrfyName", Disclosure::on, "VRFY anna", kDoNotKnow},
                    QueryCase{"ExpnOff", Disclosure::off, "EXPN team@here.example", "502 5.5.1 EXPN is not provided"},
                    QueryCase{"ExpnForLogins", Disclosure::authenticated, "EXPN team@here.example", "502 5.5.1 EXPN is not provided"},
                    QueryCase{"Expn", Disclosure::on, "EXPN team@here.example",
                              "250-2.1.5 <anna@here.example>\r\n250 2.1.5 <carl@there.example>"},
                    QueryCase{"ExpnMailbox", Disclosure::on, "EXPN anna@here.example", "250 2.1.5 <anna@here.example>"},
                    QueryCase{"ExpnNobody", Disclosure::on, "EXPN nobody@here.example", "550 5.1.1 no such mailbox here"},
                    QueryCase{"ExpnElsewhere", Disclosure::on, "EXPN carl@there.example", "550 5.1.1 no such mailbox here"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST_F(AccessTest, TellsLoginsWhatItTellsThemOnly) {
    options_.vrfy = options_.expn = Disclosure::authenticated;
    start();
    auto stranger = submitting();
    EXPECT_THAT(stranger->ask("VRFY nobody@here.example"), StartsWith("252 "));
    EXPECT_THAT(stranger->ask("EXPN anna@here.example"), StartsWith("530 5.7.0"));
    auto client = logged_in();
    EXPECT_THAT(client->ask("VRFY nobody@here.example"), StartsWith("550 5.1.1"));
    EXPECT_THAT(client->ask("EXPN anna@here.example"), StartsWith("250 "));
    directory_.fail_with({base::ErrorKind::disk, "secret path"});
    EXPECT_THAT(client->ask("VRFY anna@here.example"), AllOf(StartsWith("451 "), Not(HasSubstr("secret"))));
    EXPECT_THAT(client->ask("EXPN anna@here.example"), StartsWith("451 "));
}

TEST_F(AccessTest, StartsTheQueueOfARelayedDomain) {
    options_.relay_networks = networks({"127.0.0.0/8"});
    options_.relay_domains = {"there.example", "sub.there.example", "other.example"};
    start();
    auto client = connect(mx_);
    client->hear();
    EXPECT_THAT(client->ask("EHLO client.example"), HasSubstr("\r\n250-ETRN\r\n"));
    EXPECT_THAT(client->ask("ETRN elsewhere.example"), StartsWith("459 4.7.1"));
    EXPECT_THAT(client->ask("ETRN #name"), StartsWith("459 4.7.1"));
    EXPECT_THAT(client->ask("ETRN there.example"), StartsWith("250 2.0.0"));
    EXPECT_THAT(queue_runs(), ElementsAre("there.example"));
    EXPECT_THAT(client->ask("ETRN There.Example"), StartsWith("458 4.7.1")) << "just done";
    EXPECT_THAT(client->ask("ETRN @there.example"), StartsWith("250 2.0.0"));
    EXPECT_THAT(queue_runs(), ElementsAre("there.example", "sub.there.example"));
    waiting_ = 0;
    EXPECT_THAT(client->ask("ETRN other.example"), StartsWith("251 2.0.0"));
}

TEST_F(AccessTest, StartsNoQueueForOthers) {
    options_.relay_domains = {"there.example"};
    start();
    auto client = connect(mx_);
    client->hear();
    EXPECT_THAT(client->ask("EHLO client.example"), Not(HasSubstr("ETRN")));
    EXPECT_THAT(client->ask("ETRN there.example"), StartsWith("500 "));
    EXPECT_TRUE(queue_runs().empty());
}

TEST_F(AccessTest, SaysWhenTheQueueCannotBeStarted) {
    options_.etrn = QueueRunBy::everyone;
    options_.relay_domains = {"there.example"};
    waiting_ = base::fail(base::ErrorKind::disk, "secret path");
    start();
    EXPECT_EQ(greeted()->ask("ETRN there.example"), "458 4.3.0 local trouble, try again later");
}

// ---- who talks before the greeting. What stands behind a PROXY header in one write is there for sure

constexpr const char* kHeader = "PROXY TCP4 203.0.113.1 198.51.100.2 4711 25\r\n";

TEST_F(AccessTest, RefusesAnEarlyTalkerWithoutADelay) {
    start();
    auto client = connect(behind_proxy_);
    client->say(std::string(kHeader) + "EHLO hasty.example\r\n");
    EXPECT_EQ(client->hear(), "554 5.5.1 you talked before you were greeted");
    EXPECT_EQ(client->hear(), "");
    EXPECT_TRUE(accepted().empty());
}

TEST_F(AccessTest, LetsRelayNetworksTalkEarly) {
    options_.relay_networks = networks({"203.0.113.0/24"});
    start();
    auto client = connect(behind_proxy_);
    client->say(std::string(kHeader) + "EHLO hasty.example\r\n");
    EXPECT_THAT(client->hear(), StartsWith("220 "));
    EXPECT_THAT(client->hear(), StartsWith("250-"));
}

TEST_F(AccessTest, TakesNoTlsForEarlyTalk) {
    start();
    auto profile = behind_proxy_;
    profile.tls = smtp::TlsState::active;
    auto client = connect(profile);
    client->say(kHeader);
    client->start_tls();
    EXPECT_THAT(client->hear(), StartsWith("220 "));
    EXPECT_THAT(client->ask("EHLO client.example"), StartsWith("250-"));
}

// ---- XCLIENT, XFORWARD

TEST_F(AccessTest, BecomesWhomXclientTellsOf) {
    options_.relay_networks = networks({"198.51.100.0/24"});
    start();
    auto client = greeted_on(mail_proxy_);
    EXPECT_THAT(client->ask("EHLO proxy.example"), AllOf(HasSubstr("250-XCLIENT NAME ADDR"), HasSubstr("250-XFORWARD NAME ADDR")));
    client->ask("MAIL FROM:<a@there.example>");
    EXPECT_THAT(client->ask("RCPT TO:<carl@there.example>"), StartsWith("550 5.7.1"));
    client->ask("RSET");
    EXPECT_THAT(client->ask("XCLIENT NAME=inner.example ADDR=198.51.100.7 PORT=4711 HELO=inner"), StartsWith("220 mx.here.example"));
    EXPECT_THAT(client->ask("MAIL FROM:<a@there.example>"), StartsWith("503 ")) << "as if it had just connected";
    client->ask("EHLO proxy.example");
    EXPECT_THAT(send(*client, "carl@there.example"), StartsWith("250 "));
    EXPECT_THAT(client->ask("XCLIENT ADDR=203.0.113.1"), StartsWith("220 ")) << "the proxy goes on to the next";
    client->ask("EHLO proxy.example");
    client->ask("MAIL FROM:<a@there.example>");
    EXPECT_THAT(client->ask("RCPT TO:<carl@there.example>"), StartsWith("550 5.7.1"));
    ASSERT_EQ(accepted().size(), 1);
    EXPECT_THAT(text(accepted()[0]), StartsWith("Received: from inner (inner.example [198.51.100.7])"));
    EXPECT_EQ(accepted()[0].envelope.client, "198.51.100.7");
    EXPECT_THAT(journal_.story(), AllOf(HasSubstr("198.51.100.7:4711"), HasSubstr("by XCLIENT")));
}

TEST_F(AccessTest, TakesALoginFromXclientAndForgetsItWithTheNext) {
    start();
    auto client = greeted_on(mail_proxy_);
    client->ask("XCLIENT ADDR=203.0.113.1 LOGIN=anna@here.example");
    client->ask("EHLO proxy.example");
    EXPECT_THAT(client->ask("MAIL FROM:<bob@here.example>"), StartsWith("553 5.7.1")) << "it is held to its addresses as any login";
    EXPECT_THAT(client->ask("MAIL FROM:<anna@here.example>"), StartsWith("250 "));
    EXPECT_THAT(client->ask("RCPT TO:<carl@there.example>"), StartsWith("250 "));
    client->ask("RSET");
    client->ask("XCLIENT ADDR=203.0.113.2");
    client->ask("EHLO proxy.example");
    client->ask("MAIL FROM:<anna@here.example>");
    EXPECT_THAT(client->ask("RCPT TO:<carl@there.example>"), StartsWith("550 5.7.1"));
}

TEST_F(AccessTest, ForgetsALoginFromXclientWithStarttls) {
    auto submission = mail_proxy_;
    submission.role = policy::Role::submission;
    start();
    auto client = greeted_on(submission);
    EXPECT_THAT(client->ask("XCLIENT ADDR=203.0.113.1 LOGIN=anna@here.example"), StartsWith("220 "));
    client->ask("EHLO proxy.example");
    EXPECT_THAT(client->ask("STARTTLS"), StartsWith("220 "));
    client->start_tls();
    EXPECT_THAT(client->ask("EHLO proxy.example"), HasSubstr("250-AUTH ")) << "what was said in clear is forgotten (RFC 3207 §4.2)";
    EXPECT_THAT(client->ask("MAIL FROM:<anna@here.example>"), StartsWith("530 5.7.0"));
    EXPECT_THAT(client->ask("AUTH PLAIN AGFubmFAaGVyZS5leGFtcGxlAHNlY3JldA=="), StartsWith("235 2.7.0"));
    EXPECT_THAT(client->ask("XCLIENT ADDR=203.0.113.1 LOGIN=bob@here.example"), StartsWith("220 "));
    client->ask("EHLO proxy.example");
    EXPECT_THAT(client->ask("MAIL FROM:<bob@here.example>"), StartsWith("250 ")) << "under TLS it is told again";
}

TEST_F(AccessTest, OffersWhatIsForLoginsNoMoreAfterStarttls) {
    options_.vrfy = Disclosure::authenticated;
    start();
    auto client = greeted_on(mail_proxy_);
    client->ask("XCLIENT ADDR=203.0.113.1 LOGIN=anna@here.example");
    EXPECT_THAT(client->ask("EHLO proxy.example"), HasSubstr("VRFY"));
    client->ask("STARTTLS");
    client->start_tls();
    EXPECT_THAT(client->ask("EHLO proxy.example"), Not(HasSubstr("VRFY")));
    EXPECT_THAT(client->ask("VRFY nobody@here.example"), StartsWith("252 "));
}

TEST_F(AccessTest, TurnsAwayWhomXclientNamesFromOtherNetworks) {
    auto profile = mail_proxy_;
    profile.networks = networks({"127.0.0.0/8", "203.0.113.0/24"});
    start();
    auto client = greeted_on(profile);
    EXPECT_THAT(client->ask("XCLIENT ADDR=203.0.113.1"), StartsWith("220 "));
    EXPECT_THAT(client->ask("XCLIENT ADDR=198.51.100.1"), StartsWith("421 4.7.1"));
    EXPECT_EQ(client->hear(), "");
    EXPECT_THAT(greeted_on(profile)->ask("XCLIENT ADDR=[UNAVAILABLE]"), StartsWith("421 4.7.1")) << "who knows where it is";
}

TEST_F(AccessTest, AnUnknownAddressByXclientHasNoPrivileges) {
    options_.relay_networks = networks({"127.0.0.0/8"});
    start();
    auto client = greeted_on(mail_proxy_);
    client->ask("XCLIENT NAME=[UNAVAILABLE] ADDR=[UNAVAILABLE]");
    client->ask("EHLO proxy.example");
    client->ask("MAIL FROM:<a@there.example>");
    EXPECT_THAT(client->ask("RCPT TO:<carl@there.example>"), StartsWith("550 5.7.1"));
}

TEST_F(AccessTest, CountsTheClientOfXclientInItsLimits) {
    start(100, 1);
    auto first = greeted_on(mail_proxy_);
    EXPECT_THAT(first->ask("XCLIENT ADDR=203.0.113.1"), StartsWith("220 "));
    auto second = greeted_on(mail_proxy_);  // the proxy's own place is free again
    EXPECT_THAT(second->ask("XCLIENT ADDR=203.0.113.1"), StartsWith("421 4.7.0"));
    EXPECT_EQ(second->hear(), "");
    auto third = greeted_on(mail_proxy_);
    EXPECT_THAT(third->ask("XCLIENT ADDR=203.0.113.2"), StartsWith("220 "));
}

TEST_F(AccessTest, OffersXclientToNobodyElse) {
    start();
    auto client = connect(mx_);
    client->hear();
    EXPECT_THAT(client->ask("EHLO client.example"), Not(HasSubstr("XCLIENT")));
    EXPECT_THAT(client->ask("XCLIENT ADDR=203.0.113.1 LOGIN=anna@here.example"), StartsWith("500 "));
    EXPECT_THAT(client->ask("XFORWARD ADDR=203.0.113.1"), StartsWith("500 "));
}

TEST_F(AccessTest, NotesWhomXforwardTellsOfForOneMessage) {
    start();
    auto client = greeted_on(mail_proxy_);
    EXPECT_THAT(client->ask("XFORWARD NAME=outer.example ADDR=203.0.113.1 PORT=4711"), StartsWith("250 "));
    EXPECT_THAT(client->ask("XFORWARD IDENT=4ABC HELO=outer"), StartsWith("250 "));
    send(*client);
    send(*client);
    ASSERT_EQ(accepted().size(), 2);
    const auto story = journal_.story();
    const auto noted = story.find("forwarded for");
    ASSERT_NE(noted, std::string::npos) << story;
    EXPECT_THAT(story, HasSubstr("outer.example [203.0.113.1]:4711, helo outer, id 4ABC"));
    EXPECT_EQ(story.find("forwarded for", noted + 1), std::string::npos) << "of the first only";
    EXPECT_EQ(accepted()[0].envelope.client, "127.0.0.1") << "it decides nothing";
}

// ---- PROXY

TEST_F(AccessTest, BelievesAListedLoadBalancer) {
    options_.relay_networks = networks({"198.51.100.0/24"});
    start();
    auto client = connect(behind_proxy_);
    client->say("PROXY TCP4 198.51.100.7 192.0.2.25 4711 25\r\n");
    EXPECT_THAT(client->hear(), StartsWith("220 "));
    client->ask("EHLO client.example");
    EXPECT_THAT(send(*client, "carl@there.example"), StartsWith("250 "));
    EXPECT_THAT(journal_.story(), AllOf(HasSubstr("198.51.100.7:4711"), HasSubstr("127.0.0.1:"), HasSubstr("by PROXY")));
    EXPECT_EQ(accepted().at(0).envelope.client, "198.51.100.7");
}

TEST_F(AccessTest, DoesNotLendTheLoadBalancersRightsToItsClients) {
    options_.relay_networks = networks({"127.0.0.0/8"});
    start();
    auto client = connect(behind_proxy_);
    client->say("PROXY TCP4 203.0.113.1 192.0.2.25 4711 25\r\n");
    client->hear();
    client->ask("EHLO client.example");
    client->ask("MAIL FROM:<a@there.example>");
    EXPECT_THAT(client->ask("RCPT TO:<carl@there.example>"), StartsWith("550 5.7.1"));
}

TEST_F(AccessTest, ReadsTheProxyHeaderInPiecesAndNothingBehindIt) {
    start();
    auto client = connect(submissions_behind_proxy_);
    client->say("PROXY TCP6 2001:db8::1");
    client->say(" 2001:db8::2 4711 465\r");
    client->say("\n");
    client->start_tls();
    EXPECT_THAT(client->hear(), StartsWith("220 "));
}

TEST_F(AccessTest, TakesABinaryProxyHeader) {
    start(100, 1);
    const auto header = std::string("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc6\x33\x64\x07\xc0\0\x02\x19\x12\x67\0\x19", 28);
    auto client = connect(behind_proxy_);
    client->say(header);
    EXPECT_THAT(client->hear(), StartsWith("220 "));
    auto second = connect(behind_proxy_);
    second->say(header);
    EXPECT_THAT(second->hear(), StartsWith("421 4.7.0")) << "the client is counted, not the load balancer";
    auto check = connect(behind_proxy_);
    check->say(std::string("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16));
    EXPECT_THAT(check->hear(), StartsWith("220 ")) << "its own health check";
}

TEST_F(AccessTest, CutsOffAListedAddressWithoutAHeaderAndAnUnlistedOneWithIt) {
    start();
    auto without = connect(behind_proxy_);
    without->say("EHLO client.example\r\n");
    EXPECT_EQ(without->hear(), "");
    auto with = connect(mx_);
    with->hear();
    EXPECT_THAT(with->ask("PROXY TCP4 203.0.113.1 192.0.2.25 4711 25"), StartsWith("421 4.7.0"));
    EXPECT_EQ(with->hear(), "");
}

}  // namespace
}  // namespace thurn::inbound
