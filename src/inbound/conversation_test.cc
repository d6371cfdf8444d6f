#include "base/base64.h"
#include "sasl/mechanism.h"
#include "support/conversation_fixture.h"

namespace thurn::inbound {
namespace {

TEST_F(ConversationTest, TakesAMessageForOurOwn) {
    start();
    auto client = greeted();
    EXPECT_THAT(client->ask("MAIL FROM:<carl@there.example>"), StartsWith("250 "));
    EXPECT_THAT(client->ask("RCPT TO:<anna@here.example>"), StartsWith("250 "));
    EXPECT_THAT(client->ask("RCPT TO:<anna@here.example>"), StartsWith("250 "));
    EXPECT_THAT(client->ask("DATA"), StartsWith("354 "));
    const auto reply = client->ask("Subject: x\r\n\r\nHello.\r\n..\r\n.");
    ASSERT_EQ(accepted().size(), 1);
    const auto message = accepted().front();
    EXPECT_THAT(reply, AllOf(StartsWith("250 2.0.0 "), HasSubstr(message.id.text())));
    EXPECT_THAT(text(message),
                AllOf(StartsWith("Received: from client.example"), HasSubstr("by mx.here.example"), HasSubstr(" ESMTP "),
                      HasSubstr("\r\nSubject: x\r\n\r\nHello.\r\n.\r\n"), Not(HasSubstr("Message-ID")), Not(HasSubstr("Date:"))));
    ASSERT_EQ(message.envelope.recipients.size(), 1) << "the same recipient twice is one";
    EXPECT_EQ(mail::render_mailbox(message.envelope.recipients.front().mailbox), "anna@here.example");
    EXPECT_TRUE(spool_.load(message.id));
    EXPECT_THAT(client->ask("QUIT"), StartsWith("221 "));
    EXPECT_EQ(client->hear(), "");
}

TEST_F(ConversationTest, RefusesToRelay) {
    start();
    auto client = greeted();
    client->ask("MAIL FROM:<anna@here.example>");
    // The client comes from a loopback address; no network is allowed to relay in these options.
    EXPECT_THAT(client->ask("RCPT TO:<carl@there.example>"), StartsWith("550 5.7.1"));
    EXPECT_THAT(client->ask("RCPT TO:<nobody@here.example>"), StartsWith("550 5.1.1"));
    EXPECT_THAT(client->ask("DATA"), StartsWith("5"));
    EXPECT_TRUE(accepted().empty());
}

TEST_F(ConversationTest, RelaysForItsNetworksAndItsDomains) {
    options_.relay_networks.push_back(policy::parse_network("127.0.0.0/8").value());
    start();
    auto client = greeted();
    client->ask("MAIL FROM:<anna@here.example>");
    EXPECT_THAT(client->ask("RCPT TO:<carl@there.example>"), StartsWith("250 "));
}

TEST_F(ConversationTest, DefersWhileTheDirectoryFails) {
    start();
    auto client = greeted();
    client->ask("MAIL FROM:<carl@there.example>");
    directory_.fail_with({base::ErrorKind::disk, "secret path"});
    EXPECT_THAT(client->ask("RCPT TO:<anna@here.example>"), AllOf(StartsWith("451 4.3.0"), Not(HasSubstr("secret"))));
    EXPECT_THAT(client->ask("RCPT TO:<nobody@here.example>"), StartsWith("451 4.3.0"));
    directory_.works_again();
    EXPECT_THAT(client->ask("RCPT TO:<anna@here.example>"), StartsWith("250 "));
}

TEST_F(ConversationTest, SaysThatTheDiskIsFull) {
    start();
    auto client = greeted();
    client->ask("MAIL FROM:<carl@there.example>");
    client->ask("RCPT TO:<anna@here.example>");
    client->ask("DATA");
    spool_.refuse_commits(base::ErrorKind::full);
    EXPECT_THAT(client->ask("x: y\r\n\r\n."), StartsWith("452 4.3.1"));
    EXPECT_THAT(client->ask("MAIL FROM:<carl@there.example>"), StartsWith("452 4.3.1"));
    EXPECT_TRUE(accepted().empty());
    spool_.refuse_commits(base::ErrorKind::disk);
    EXPECT_THAT(client->ask("MAIL FROM:<carl@there.example>"), StartsWith("250 "));
    client->ask("RCPT TO:<anna@here.example>");
    client->ask("DATA");
    EXPECT_THAT(client->ask("x: y\r\n\r\n."), StartsWith("451 4.3.0"));
    EXPECT_TRUE(accepted().empty());
}

TEST_F(ConversationTest, BreaksMailLoops) {
    options_.received_fields = 3;
    start();
    auto client = greeted();
    for (const int fields : {3, 4}) {
        client->ask("MAIL FROM:<carl@there.example>");
        client->ask("RCPT TO:<anna@here.example>");
        client->ask("DATA");
        std::string content;
        for (int k = 0; k < fields; ++k) content += "Received: from a\r\n";
        EXPECT_THAT(client->ask(content + "\r\n."), StartsWith(fields == 3 ? "250 " : "554 5.4.6")) << fields;
    }
    EXPECT_EQ(accepted().size(), 1);
}

TEST_F(ConversationTest, KeepsMessagesOfOneConnectionApart) {
    start();
    auto client = greeted();
    for (const std::string name : {"one", "two"}) {
        client->say("MAIL FROM:<" + name + "@there.example>\r\nRCPT TO:<anna@here.example>\r\nDATA\r\n");
        for (int k = 0; k < 3; ++k) EXPECT_THAT(client->hear(), testing::AnyOf(StartsWith("250 "), StartsWith("354 ")));
        client->ask("Subject: " + name + "\r\n\r\nx\r\n.");
    }
    ASSERT_EQ(accepted().size(), 2);
    EXPECT_THAT(text(accepted()[1]), AllOf(HasSubstr("Subject: two"), Not(HasSubstr("one"))));
    EXPECT_NE(accepted()[0].id, accepted()[1].id);
}

TEST_F(ConversationTest, CompletesWhatOurUsersSubmit) {
    start();
    auto client = logged_in();
    EXPECT_THAT(client->ask("MAIL FROM:<anna@here.example>"), StartsWith("250 "));
    EXPECT_THAT(client->ask("RCPT TO:<carl@there.example>"), StartsWith("250 "));
    client->ask("DATA");
    EXPECT_THAT(client->ask("Subject: x\r\n\r\nHello.\r\n."), StartsWith("250 "));
    ASSERT_EQ(accepted().size(), 1);
    const auto message = accepted().front();
    EXPECT_THAT(text(message),
                AllOf(StartsWith("Authentication-Results: mx.here.example;\r\n\tauth=pass smtp.auth=anna@here.example\r\nReceived: "),
                      HasSubstr(" ESMTPSA "), HasSubstr("\r\nDate: Sun, 22 Nov 2026"),
                      HasSubstr("\r\nMessage-ID: <" + message.id.text() + "@mx.here.example>\r\n")));
    EXPECT_EQ(message.envelope.login, "anna@here.example");

    client->ask("MAIL FROM:<anna@here.example>");
    client->ask("RCPT TO:<carl@there.example>");
    client->ask("DATA");
    client->ask("Date: then\r\nMESSAGE-ID: <own@x>\r\n\r\nHello.\r\n.");
    EXPECT_THAT(text(accepted().at(1)), AllOf(Not(HasSubstr("Message-ID:")), HasSubstr("Date: then\r\n"), Not(HasSubstr("2026\r\nDate"))));
}

TEST_F(ConversationTest, RefusesForeignSenders) {
    start();
    auto client = logged_in();
    EXPECT_THAT(client->ask("MAIL FROM:<bob@here.example>"), StartsWith("553 5.7.1"));
    EXPECT_THAT(client->ask("MAIL FROM:<anna+tag@here.example>"), StartsWith("250 "));
}

TEST_F(ConversationTest, AsksForALoginBeforeSubmission) {
    start();
    auto client = submitting();
    EXPECT_THAT(client->ask("MAIL FROM:<anna@here.example>"), StartsWith("530 5.7.0"));
    EXPECT_THAT(client->ask("AUTH PLAIN AGFubmFAaGVyZS5leGFtcGxlAHdyb25n"), StartsWith("535 5.7.8"));
    directory_.fail_with({base::ErrorKind::disk, "down"});
    EXPECT_THAT(client->ask("AUTH PLAIN AGFubmFAaGVyZS5leGFtcGxlAHNlY3JldA=="), StartsWith("454 4.7.0"));
    directory_.works_again();
    EXPECT_THAT(client->ask("MAIL FROM:<anna@here.example>"), StartsWith("530 5.7.0"));
    // bob's name to act under, anna's to log in with
    EXPECT_THAT(client->ask("AUTH PLAIN Ym9iQGhlcmUuZXhhbXBsZQBhbm5hQGhlcmUuZXhhbXBsZQBzZWNyZXQ="), StartsWith("535 5.7.8"));
}

/// Logs in by `mechanism`; gives the last reply.
std::string log_in(TestClient& client, std::string_view mechanism, const sasl::ClientContext& context) {
    const auto spoken = sasl::make_client_mechanism(mechanism, context);
    const auto initial = spoken->initial();
    auto reply = client.ask("AUTH " + std::string(mechanism) + (initial ? " " + base::encode_base64(*initial) : ""));
    while (reply.starts_with("334 ")) {
        const auto response = spoken->respond(base::decode_base64(reply.substr(4)).value());
        reply = client.ask(response ? base::encode_base64(*response) : "*");
    }
    if (mechanism != "CRAM-MD5") EXPECT_EQ(reply.starts_with("235"), spoken->complete());  // there the server proves nothing
    return reply;
}

TEST_F(ConversationTest, LogsInByScramBoundToTheChannel) {
    start();
    for (const std::string mechanism : {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1"}) {
        auto client = submitting();
        sasl::ClientContext context{.login = "anna@here.example", .password = "secret", .random = &random_};
        if (mechanism.ends_with("PLUS")) context.bindings.exporter = client->exported();
        EXPECT_THAT(log_in(*client, mechanism, context), StartsWith("235 2.7.0")) << mechanism;
        EXPECT_THAT(client->ask("MAIL FROM:<anna@here.example>"), StartsWith("250 ")) << mechanism;
        EXPECT_THAT(client->ask("AUTH " + mechanism), StartsWith("503 5.5.1")) << mechanism;
    }
}

TEST_F(ConversationTest, ScramRefusesWrongPasswordsUnknownLoginsAndOtherChannelsAlike) {
    start();
    const auto attempt = [&](std::string mechanism, std::string login, std::string password) {
        auto client = submitting();
        return log_in(*client, mechanism,
                      {.login = login, .password = password, .random = &random_, .bindings = {.exporter = "of someone else"}});
    };
    // Without -PLUS a client that has bindings says so, and is told that somebody hid our -PLUS.
    for (const std::string mechanism : {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"})
        EXPECT_THAT(attempt(mechanism, "anna@here.example", "secret"), StartsWith("535 5.7.8")) << mechanism;
    for (const std::string login : {"anna@here.example", "nobody@here.example"}) {
        auto client = submitting();
        EXPECT_EQ(log_in(*client, "SCRAM-SHA-256", {.login = login, .password = "wrong", .random = &random_}),
                  "535 5.7.8 Authentication failed");
    }
    directory_.fail_with({base::ErrorKind::disk, "down"});
    auto client = submitting();
    EXPECT_THAT(log_in(*client, "SCRAM-SHA-256", {.login = "anna@here.example", .password = "secret", .random = &random_}),
                StartsWith("454 4.7.0"));
}

TEST_F(ConversationTest, CramMd5DoesTheSameForAllItRefuses) {
    options_.cram_md5 = true;
    directory_.add_account("shut@here.example", "secret", false);
    start();
    {
        auto client = submitting();
        EXPECT_THAT(log_in(*client, "CRAM-MD5", {.login = "anna@here.example", .password = "secret", .random = &random_}),
                    StartsWith("235 "));
    }
    for (const std::string login :
         {"anna@here.example", "nobody@here.example", "shut@here.example", "nobody", "nobody@elsewhere.example"}) {
        auto client = submitting();
        const auto before = directory_.cram_md5_secrets_asked_for();
        EXPECT_EQ(log_in(*client, "CRAM-MD5", {.login = login, .password = "wrong", .random = &random_}), "535 5.7.8 Authentication failed")
            << login;
        EXPECT_EQ(directory_.cram_md5_secrets_asked_for() - before, 1U) << login;
    }
}

TEST_F(ConversationTest, ScramLetsNobodyInWhoseAccountWasShutDuringTheExchange) {
    start();
    auto client = submitting();
    const auto spoken =
        sasl::make_client_mechanism("SCRAM-SHA-256", {.login = "anna@here.example", .password = "secret", .random = &random_});
    const auto challenge = client->ask("AUTH SCRAM-SHA-256 " + base::encode_base64(*spoken->initial()));
    const auto proof = spoken->respond(base::decode_base64(challenge.substr(4)).value());
    directory_.remove_account("anna@here.example");
    const auto last = client->ask(base::encode_base64(*proof));
    EXPECT_THAT(last.starts_with("334 ") ? client->ask("") : last, StartsWith("535 5.7.8"));
    EXPECT_THAT(client->ask("MAIL FROM:<anna@here.example>"), StartsWith("530 5.7.0"));
}

TEST_F(ConversationTest, RecipientGivenTwiceIsReportedAboutAsEitherAsks) {
    options_.session.extensions.dsn = true;
    start();
    auto client = greeted();
    EXPECT_THAT(client->ask("MAIL FROM:<carl@there.example>"), StartsWith("250 "));
    EXPECT_THAT(client->ask("RCPT TO:<anna@here.example> NOTIFY=NEVER"), StartsWith("250 "));
    EXPECT_THAT(client->ask("RCPT TO:<anna@here.example> NOTIFY=SUCCESS"), StartsWith("250 "));
    EXPECT_THAT(client->ask("DATA"), StartsWith("354 "));
    EXPECT_THAT(client->ask("\r\nHello.\r\n."), StartsWith("250 "));
    const auto messages = accepted();
    const auto& recipients = messages.at(0).envelope.recipients;
    ASSERT_EQ(recipients.size(), 1U);
    EXPECT_EQ(recipients[0].notify, (mail::Notify{.given = true, .success = true, .failure = false, .delay = false}));
}

TEST_F(ConversationTest, StoresWhatTheOriginatorAskedFor) {
    options_.session.extensions.deliver_by = std::chrono::seconds(60);
    options_.session.extensions.mt_priority = "MIXER";
    options_.session.extensions.require_tls = true;
    start();
    auto client = logged_in();
    EXPECT_THAT(client->ask("MAIL FROM:<anna@here.example> BY=120;RT MT-PRIORITY=4 REQUIRETLS"), StartsWith("250 2.1.0"));
    client->ask("RCPT TO:<bob@here.example>");
    client->ask("DATA");
    EXPECT_THAT(client->ask("TLS-Required: No\r\n\r\n."), StartsWith("250 "));
    EXPECT_THAT(client->ask("MAIL FROM:<anna@here.example> BY=-5;N MT-PRIORITY=-9"), StartsWith("250 2.1.0"));
    client->ask("RCPT TO:<bob@here.example>");
    client->ask("DATA");
    EXPECT_THAT(client->ask("TLS-Required: no\r\n\r\n."), StartsWith("250 "));
    ASSERT_EQ(accepted().size(), 2);
    const auto first = accepted()[0].envelope.wishes;
    using After = spool::DeliverBy::After;
    const auto at = [this](int seconds, After after, bool trace) {
        return spool::DeliverBy{.deadline = clock_.now() + std::chrono::seconds(seconds), .after = after, .trace = trace};
    };
    EXPECT_EQ(first.deliver_by, at(120, After::give_back, true));
    EXPECT_EQ(first.priority, 4);
    EXPECT_THAT(text(accepted()[0]), HasSubstr("PRIORITY 4;"));
    EXPECT_TRUE(first.require_tls);
    EXPECT_FALSE(first.tls_optional) << "REQUIRETLS has the last word (RFC 8689 §4.1)";
    const auto second = accepted()[1].envelope.wishes;
    EXPECT_EQ(second.deliver_by, at(-5, After::notify, false));
    EXPECT_EQ(second.priority, -9);
    EXPECT_TRUE(second.tls_optional);
}

TEST_F(ConversationTest, TlsRequiredIsBelievedWhereItSaysOneThing) {
    start();
    auto client = logged_in();
    const std::pair<const char*, bool> fields[] = {{"TLS-Required: No", true},
                                                   {"tls-required:no", true},
                                                   {"TLS-Required:\r\n No", true},
                                                   {"TLS-Required: No\r\nTLS-Required: No", false},  // RFC 8689 §3
                                                   {"TLS-Required: No\r\nTLS-Required: Yes", false},
                                                   {"TLS-Required: Never", false},
                                                   {"TLS-Required:", false},
                                                   {"Subject: x\r\n\r\nTLS-Required: No", false}};
    for (const auto& [field, meant] : fields) {
        client->ask("MAIL FROM:<anna@here.example>");
        client->ask("RCPT TO:<bob@here.example>");
        client->ask("DATA");
        ASSERT_THAT(client->ask(std::string(field) + "\r\n\r\n."), StartsWith("250 ")) << field;
        EXPECT_EQ(accepted().back().envelope.wishes.tls_optional, meant) << field;
    }
}

TEST_F(ConversationTest, StrangersAreNotUrgent) {
    options_.session.extensions.mt_priority = "MIXER";
    start();
    auto client = greeted();
    EXPECT_THAT(client->ask("MAIL FROM:<carl@there.example> MT-PRIORITY=9"), StartsWith("250 2.3.6"));
    client->ask("RCPT TO:<bob@here.example>");
    client->ask("DATA");
    EXPECT_THAT(client->ask("A: b\r\n\r\n."), StartsWith("250 "));
    EXPECT_THAT(client->ask("MAIL FROM:<carl@there.example> MT-PRIORITY=-1"), StartsWith("250 2.1.0"));
    client->ask("RCPT TO:<bob@here.example>");
    client->ask("DATA");
    EXPECT_THAT(client->ask("A: b\r\n\r\n."), StartsWith("250 "));
    ASSERT_EQ(accepted().size(), 2);
    EXPECT_EQ(accepted()[0].envelope.wishes.priority, 0);
    EXPECT_EQ(accepted()[1].envelope.wishes.priority, -1);
}

TEST_F(ConversationTest, BinaryContentIsStoredAsItCame) {
    options_.session.extensions.chunking = true;
    options_.session.extensions.binary_mime = true;
    start();
    auto client = greeted();
    EXPECT_THAT(client->ask("MAIL FROM:<carl@there.example> BODY=BINARYMIME"), StartsWith("250 "));
    client->ask("RCPT TO:<bob@here.example>");
    EXPECT_THAT(client->ask("DATA"), StartsWith("503 "));
    const std::string content("A: b\r\n\r\nx\0\n\r.\r\n", 15);
    client->say("BDAT 15 LAST\r\n" + content);
    EXPECT_THAT(client->hear(), StartsWith("250 "));
    ASSERT_EQ(accepted().size(), 1);
    EXPECT_EQ(accepted()[0].envelope.body, mail::BodyType::binary);
    EXPECT_TRUE(text(accepted()[0]).ends_with(content));
}

TEST_F(ConversationTest, StartsTlsAndForgetsWhatWasSaidBefore) {
    start();
    auto client = greeted();
    EXPECT_THAT(client->ask("STARTTLS"), StartsWith("220 "));
    client->start_tls();
    EXPECT_THAT(client->ask("MAIL FROM:<carl@there.example>"), StartsWith("503 ")) << "the EHLO does not count any more";
    EXPECT_THAT(client->ask("EHLO again.example"), Not(HasSubstr("STARTTLS")));
    EXPECT_THAT(client->ask("MAIL FROM:<carl@there.example>"), StartsWith("250 "));
}

TEST_F(ConversationTest, RefusesWhoTalksBeforeTheGreeting) {
    options_.greeting_delay = std::chrono::seconds(30);  // over at once, as the client talks
    start();
    auto client = connect(mx_);
    client->say("EHLO client.example\r\nMAIL FROM:<x@y.example>\r\n");
    EXPECT_EQ(client->hear(), "554 5.5.1 you talked before you were greeted");
    EXPECT_EQ(client->hear(), "");
}

TEST_F(ConversationTest, GreetsAtOnceWhoMayRelay) {
    options_.greeting_delay = std::chrono::seconds(3600);
    options_.relay_networks = {*policy::parse_network("127.0.0.0/8")};
    start();
    EXPECT_THAT(connect(mx_)->hear(), StartsWith("220 "));
}

TEST_F(ConversationTest, SaysGoodbyeToWhoWaitsForTheGreeting) {
    options_.greeting_delay = std::chrono::seconds(3600);
    start();
    auto client = connect(mx_);
    service_->shut_down();
    EXPECT_THAT(client->hear(), StartsWith("421 4.3.2"));
}

TEST_F(ConversationTest, SaysWhenAllConnectionsAreInUse) {
    start(1, 100);
    auto first = greeted();
    auto second = connect(mx_);
    EXPECT_THAT(second->hear(), StartsWith("421 4.3.2"));
    EXPECT_EQ(second->hear(), "");
}

TEST_F(ConversationTest, CountsConnectionsAndForgetsThoseThatEnded) {
    start(100, 2);
    auto first = greeted();
    auto second = greeted();
    auto third = connect(mx_);
    EXPECT_THAT(third->hear(), StartsWith("421 4.7.0"));
    EXPECT_EQ(third->hear(), "");
    EXPECT_EQ(service_->open(), 2);
    EXPECT_THAT(first->ask("QUIT"), StartsWith("221 "));
    EXPECT_EQ(first->hear(), "");
    while (service_->open() == 2) std::this_thread::yield();
    auto fourth = greeted();
}

TEST_F(ConversationTest, SaysGoodbyeToIdleClientsWhenItStops) {
    start();
    auto idle = greeted();
    auto sending = greeted();
    sending->ask("MAIL FROM:<carl@there.example>");
    sending->ask("RCPT TO:<anna@here.example>");
    EXPECT_THAT(sending->ask("DATA"), StartsWith("354 "));
    service_->shut_down();
    EXPECT_THAT(idle->hear(), StartsWith("421 4.3.2"));
    EXPECT_EQ(idle->hear(), "");
    EXPECT_THAT(sending->ask("Subject: x\r\n\r\nHello.\r\n."), StartsWith("250 2.0.0"));
    EXPECT_EQ(accepted().size(), 1);
    EXPECT_THAT(sending->hear(), StartsWith("421 4.3.2"));
    EXPECT_EQ(sending->hear(), "");
}

TEST_F(ConversationTest, LosesAClientInTheMiddleOfContentWithoutATrace) {
    start();
    {
        auto client = greeted();
        client->ask("MAIL FROM:<carl@there.example>");
        client->ask("RCPT TO:<anna@here.example>");
        client->ask("DATA");
        client->say("Subject: x\r\n\r\nHalf of");
    }
    while (service_->open() > 0) std::this_thread::yield();
    EXPECT_TRUE(accepted().empty());
    EXPECT_EQ(spool_.stats().messages, 0);
}

}  // namespace
}  // namespace thurn::inbound
