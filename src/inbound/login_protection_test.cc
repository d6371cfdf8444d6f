// What guessing passwords comes to, on the wire.
#include "base/base64.h"
#include "support/conversation_fixture.h"

namespace thurn::inbound {
namespace {

using namespace std::chrono_literals;

class LoginProtectionTest : public ConversationTest {
protected:
    const ListenerProfile submission_{.name = "submission", .role = policy::Role::submission, .tls = smtp::TlsState::offered};

    static std::string ask(TestClient& client, const std::string& login, const std::string& password) {
        using namespace std::string_literals;
        return client.ask("AUTH PLAIN " + base::encode_base64("\0"s + login + "\0"s + password));
    }
    /// Over a connection of its own.
    std::string guess(const std::string& login, const std::string& password = "wrong") { return ask(*submitting(), login, password); }
    static std::string begin_scram(TestClient& client) {
        return client.ask("AUTH SCRAM-SHA-256 " + base::encode_base64("n,,n=anna@here.example,r=abcdefghijklmnop"));
    }
};

TEST_F(LoginProtectionTest, LocksOutAClientThatGuesses) {
    options_.logins.failures = 4;
    start();
    auto early = submitting();
    auto scram = submitting();
    for (int attempt = 0; attempt < 4; ++attempt)
        EXPECT_THAT(guess(attempt % 2 == 0 ? "anna@here.example" : "nobody@here.example"), StartsWith("535 5.7.8"));
    EXPECT_THAT(ask(*early, "bob@here.example", "other"), StartsWith("421 4.7.0")) << "though it is right";
    EXPECT_THAT(begin_scram(*scram), StartsWith("421 4.7.0"));
    EXPECT_EQ(scram->hear(), "");
    EXPECT_THAT(connect(submission_)->hear(), StartsWith("421 4.7.0 too many failed logins from your address"));
    EXPECT_THAT(connect(mx_)->hear(), StartsWith("220 ")) << "mail may come from there still";
    clock_.advance(10min);
    EXPECT_THAT(guess("bob@here.example", "other"), StartsWith("235 "));
}

TEST_F(LoginProtectionTest, ARateOfFailedLoginsHoldsForWhatItCountsBy) {
    auto book = std::make_shared<policy::Rulebook>();
    ASSERT_TRUE(book->rates.add({.name = "guesses",
                                 .of = policy::Counted::failed_logins,
                                 .per = {"client.subnet", "login"},
                                 .limit = {.amount = 2, .period = 1h},
                                 .when = "listener != \"mx\" and not authenticated"}));
    options_.rulebook = book;
    policy::TokenBuckets buckets({.capacity = 100, .seed = 1});
    buckets_ = &buckets;
    start();
    for (int attempt = 0; attempt < 2; ++attempt) EXPECT_THAT(guess("anna@here.example"), StartsWith("535 5.7.8"));
    EXPECT_THAT(guess("anna@here.example", "secret"), StartsWith("454 4.7.0 too much for now, try again later (guesses)"))
        << "though it is right";
    auto scram = submitting();
    EXPECT_THAT(begin_scram(*scram), StartsWith("454 4.7.0"));
    EXPECT_THAT(guess("bob@here.example", "other"), StartsWith("235 ")) << "another login";
    clock_.advance(31min);
    EXPECT_THAT(guess("anna@here.example", "secret"), StartsWith("235 "));
}

TEST_F(LoginProtectionTest, ARateThatOnlyAlarmsHidesNoOtherAndWhatIsNotCheckedIsNotCounted) {
    auto book = std::make_shared<policy::Rulebook>();
    const auto rate = [&](policy::RateText said) {
        said.of = policy::Counted::failed_logins;
        ASSERT_TRUE(book->rates.add(std::move(said)));
    };
    rate({.name = "watch", .per = {"client.address"}, .limit = {.amount = 1, .period = 1h}, .action = policy::Action::none, .alarm = true});
    rate({.name = "client", .per = {"client.address", "login"}, .limit = {.amount = 2, .period = 1h}});
    rate({.name = "all", .per = {"listener"}, .limit = {.amount = 4, .period = 1h}});
    options_.rulebook = book;
    policy::TokenBuckets buckets({.capacity = 100, .seed = 1});
    buckets_ = &buckets;
    start();
    for (int attempt = 0; attempt < 2; ++attempt) EXPECT_THAT(guess("anna@here.example"), StartsWith("535 5.7.8"));
    for (int attempt = 0; attempt < 5; ++attempt) EXPECT_THAT(guess("ANNA@here.example"), StartsWith("454 4.7.0"));
    EXPECT_THAT(guess("bob@here.example", "other"), StartsWith("235 ")) << "what was not checked took nothing from the rate of all";
}

TEST_F(LoginProtectionTest, EverySpellingOfALoginIsThatLogin) {
    options_.logins.account_failures = 4;
    start();
    for (const auto* login : {R"("anna"@here.example)", R"("\a\nna"@HERE.example)", "ANNA@here.example",
                              "anna@\xef\xbd\x88"
                              "ere.example"})
        EXPECT_THAT(guess(login), StartsWith("535 5.7.8")) << login;
    EXPECT_THAT(guess("anna@here.example", "secret"), StartsWith("454 4.7.0")) << "locked, though it is right";
    auto other = submitting();
    EXPECT_THAT(ask(*other, R"("B\ob"@HERE.example)", "other"), StartsWith("235 "));
    EXPECT_THAT(other->ask("MAIL FROM:<bob@here.example>"), StartsWith("250 "));
    EXPECT_THAT(other->ask("RCPT TO:<anna@here.example>"), StartsWith("250 "));
    EXPECT_THAT(other->ask("DATA"), StartsWith("354 "));
    EXPECT_THAT(other->ask("From: bob@here.example\r\n\r\nhi\r\n."), StartsWith("250 "));
    EXPECT_EQ(accepted().at(0).envelope.login, "bob@here.example");
}

TEST_F(LoginProtectionTest, AWrongProofCountsAsAWrongPassword) {
    options_.logins.failures = 1;
    start();
    auto client = submitting();
    const auto challenge = begin_scram(*client);
    ASSERT_THAT(challenge, StartsWith("334 "));
    const auto nonce = base::decode_base64(challenge.substr(4)).value();
    EXPECT_THAT(
        client->ask(base::encode_base64("c=biws," + nonce.substr(0, nonce.find(',')) + ",p=" + base::encode_base64(std::string(32, 'x')))),
        StartsWith("535 5.7.8"));
    EXPECT_THAT(client->ask("AUTH PLAIN AGFubmFAaGVyZS5leGFtcGxlAHNlY3JldA=="), StartsWith("421 4.7.0"));
}

TEST_F(LoginProtectionTest, LetsAnAttemptAfterAFailureWaitButOthersNot) {
    options_.logins.delay = 2s;
    start();
    guess("anna@here.example");
    const auto begun = std::chrono::steady_clock::now();
    auto slowed = submitting();
    slowed->say("AUTH PLAIN AGFubmFAaGVyZS5leGFtcGxlAHNlY3JldA==\r\n");
    auto other = greeted();
    EXPECT_THAT(other->ask("NOOP"), StartsWith("250 "));
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 2s) << "the loop goes on";
    EXPECT_THAT(slowed->hear(), StartsWith("235 "));
    EXPECT_GE(std::chrono::steady_clock::now() - begun, 2s);
}

TEST_F(LoginProtectionTest, SaysTheSameOfALoginThatNobodyHas) {
    options_.logins.account_failures = 2;
    start();
    std::vector<std::string> replies[2];
    for (int attempt = 0; attempt < 4; ++attempt) {
        replies[0].push_back(guess("anna@here.example"));
        replies[1].push_back(guess("nobody@here.example"));
    }
    EXPECT_EQ(replies[0], replies[1]);
    EXPECT_THAT(replies[0],
                ElementsAre(StartsWith("535 5.7.8"), StartsWith("535 5.7.8"), StartsWith("454 4.7.0"), StartsWith("454 4.7.0")));
    EXPECT_THAT(guess("anna@here.example", "secret"), StartsWith("454 4.7.0")) << "a guess that would be right is not looked at";
    auto scram = submitting();
    EXPECT_THAT(begin_scram(*scram), StartsWith("454 4.7.0"));
    EXPECT_THAT(guess("bob@here.example", "other"), StartsWith("235 "));
}

TEST_F(LoginProtectionTest, LetsInWhoLoggedInFromThereBefore) {
    options_.logins.failures = 4;
    options_.logins.account_failures = 2;
    start();
    EXPECT_THAT(guess("anna@here.example", "secret"), StartsWith("235 "));
    for (int attempt = 0; attempt < 4; ++attempt) guess("bob@here.example");
    for (int attempt = 0; attempt < 4; ++attempt) guess("carl@here.example");
    EXPECT_THAT(guess("carl@here.example"), StartsWith("421 4.7.0"));
    EXPECT_THAT(guess("anna@here.example", "secret"), StartsWith("235 "));
}

TEST_F(LoginProtectionTest, TurnsAwayWhoIsBannedByHandEverywhere) {
    start();
    auto before = submitting();
    ASSERT_TRUE(login_guard_.ban({.subject = *policy::parse_ban_subject("127.0.0.0/24"), .reason = "secret reason"}, clock_.now()));
    for (const auto* profile : {&mx_, &submission_}) {
        auto client = connect(*profile);
        EXPECT_THAT(client->hear(), AllOf(StartsWith("554 5.7.1 your address is banned"), Not(HasSubstr("secret"))));
    }
    EXPECT_THAT(ask(*before, "anna@here.example", "secret"), StartsWith("525 5.7.13"));
    ASSERT_TRUE(login_guard_.lift(*policy::parse_ban_subject("127.0.0.0/24"), clock_.now()));
    EXPECT_THAT(connect(mx_)->hear(), StartsWith("220 "));
}

TEST_F(LoginProtectionTest, TurnsAwayWhomXclientNames) {
    const ListenerProfile proxy{.name = "mx",
                                .role = policy::Role::mx,
                                .tls = smtp::TlsState::offered,
                                .xclient_from = {policy::parse_network("127.0.0.1").value()}};
    ASSERT_TRUE(login_guard_.ban({.subject = *policy::parse_ban_subject("203.0.113.0/24")}, clock_.now()));
    start();
    auto client = greeted_on(proxy);
    EXPECT_THAT(client->ask("XCLIENT ADDR=203.0.113.7"), StartsWith("421 4.7.0"));
}

TEST_F(LoginProtectionTest, KeepsABannedLoginOut) {
    start();
    EXPECT_THAT(guess("anna@here.example", "secret"), StartsWith("235 "));
    ASSERT_TRUE(login_guard_.ban({.subject = *policy::parse_ban_subject("anna@here.example")}, clock_.now()));
    EXPECT_THAT(guess("Anna@here.example", "secret"), StartsWith("525 5.7.13"));
    EXPECT_THAT(guess("bob@here.example", "other"), StartsWith("235 "));
}

// ---- suspended accounts

TEST_F(LoginProtectionTest, TellsASuspendedAccountOnlyToWhoHasItsPassword) {
    options_.logins.failures = 3;
    ASSERT_TRUE(directory_.suspend("anna@here.example", "a secret reason").value());
    start();
    for (int attempt = 0; attempt < 5; ++attempt)
        EXPECT_THAT(guess("anna@here.example", "secret"), AllOf(StartsWith("525 5.7.13"), Not(HasSubstr("reason"))))
            << "and it is not counted as a wrong one";
    EXPECT_THAT(guess("anna@here.example"), StartsWith("535 5.7.8"));
    EXPECT_THAT(guess("bob@here.example", "other"), StartsWith("235 "));
}

TEST_F(LoginProtectionTest, ASuspendedAccountSendsNoMoreOverAnOpenConnection) {
    start();
    auto client = submitting();
    ASSERT_THAT(ask(*client, "anna@here.example", "secret"), StartsWith("235 "));
    ASSERT_THAT(client->ask("MAIL FROM:<anna@here.example>"), StartsWith("250 "));
    client->ask("RSET");
    ASSERT_TRUE(directory_.suspend("Anna@here.example", "").value());
    EXPECT_THAT(client->ask("MAIL FROM:<anna@here.example>"), StartsWith("550 5.7.13"));
    EXPECT_THAT(client->ask("MAIL FROM:<>"), StartsWith("550 5.7.13"));
    EXPECT_THAT(client->ask("NOOP"), StartsWith("250 "));
}

TEST_F(LoginProtectionTest, ASuspendedAccountSendsNothingUnderAnyNameEither) {
    options_.senders = policy::SenderScope::any;
    start();
    auto client = submitting();
    ASSERT_THAT(ask(*client, "anna@here.example", "secret"), StartsWith("235 "));
    ASSERT_TRUE(directory_.suspend("anna@here.example", "").value());
    EXPECT_THAT(client->ask("MAIL FROM:<somebody@there.example>"), StartsWith("550 5.7.13"));
}

TEST_F(LoginProtectionTest, ASuspendedAccountGetsItsMail) {
    ASSERT_TRUE(directory_.suspend("anna@here.example", "").value());
    start();
    auto client = greeted();
    client->ask("MAIL FROM:<x@there.example>");
    EXPECT_THAT(client->ask("RCPT TO:<anna@here.example>"), StartsWith("250 "));
}

}  // namespace
}  // namespace thurn::inbound
