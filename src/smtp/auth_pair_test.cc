// Both sessions against each other, for AUTH alone: which mechanism is taken, and how it can go wrong.
#include "base/base64.h"
#include "smtp/client_session.h"
#include "smtp/server_session.h"
#include "support/fake_random.h"

#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::smtp {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

const sasl::ChannelBindings kBindings{.exporter = "exported", .server_end_point = "certified"};

/// A server that knows joe with the password `secret`.
class Pair {
public:
    struct Options {
        sasl::ChannelBindings server_bindings = {};
        sasl::ChannelBindings client_bindings = {};
        std::string password = "secret";
        bool client_random = true;
        bool scram = true;
        bool cram_md5 = false;
        std::function<std::string(std::string)> on_the_way = [](std::string octets) { return octets; };  // to the client
    };

    explicit Pair(Options options) : options_(std::move(options)), server_(server_options()), client_(client_options()) {
        server_.bind_channel(options_.server_bindings);
        client_.bind_channel(options_.client_bindings);
        server_.greet();
        run();
    }

    std::string mechanism;   // of the last CredentialsGiven
    bool logged_in = false;  // by the server
    bool ready = false;      // the client thinks so
    std::optional<ClientFailed> failed;
    std::string offered;  // the AUTH line

private:
    ServerOptions server_options() {
        return {.hostname = "server.example",
                .tls = TlsState::active,
                .auth = AuthRule::required,
                .random = &random_,
                .scram = options_.scram,
                .cram_md5 = options_.cram_md5};
    }
    ClientOptions client_options() {
        return {.hello_name = "client.example",
                .tls_active = true,
                .credentials = ClientCredentials{"joe", options_.password},
                .random = options_.client_random ? &random_ : nullptr};
    }
    void run() {
        for (int round = 0; round < 20 && !ready && !failed; ++round) {
            serve();
            auto output = options_.on_the_way(server_.take_output());
            if (const auto at = output.find("250-AUTH "); at != std::string::npos)
                offered = output.substr(at + 9, output.find('\r', at) - at - 9);
            client_.receive(output);
            while (auto event = client_.next_event()) {
                if (std::holds_alternative<Ready>(*event)) ready = true;
                if (auto* end = std::get_if<ClientFailed>(&*event)) failed = *end;
            }
            server_.receive(client_.take_output());
        }
    }
    void serve() {
        while (auto event = server_.next_event()) {
            if (auto* wanted = std::get_if<SecretWanted>(&*event)) {
                EXPECT_EQ(wanted->login, "joe");
                if (wanted->hash == sasl::Hash::md5)
                    server_.give_secret(sasl::derive_cram_md5_secret("secret"));
                else
                    server_.give_secret(sasl::derive_scram_secret("secret", "salt", sasl::kMinIterations, wanted->hash));
            } else if (auto* given = std::get_if<CredentialsGiven>(&*event)) {
                mechanism = given->mechanism;
                EXPECT_EQ(given->login, "joe");
                logged_in = given->proof == CredentialsGiven::Proof::proven || given->password == "secret";
                EXPECT_TRUE(given->proof == CredentialsGiven::Proof::claimed || given->password.empty());
                logged_in ? server_.accept() : server_.answer(make_reply(535, {5, 7, 8}, "wrong"));
            } else if (std::holds_alternative<HelloGiven>(*event)) {
                server_.accept();
            }
        }
    }

    Options options_;
    support::FakeRandom random_;
    ServerSession server_;
    ClientSession client_;
};

TEST(AuthPair, TakesTheStrongestThatBothHave) {
    struct Row {
        sasl::ChannelBindings server, client;
        bool client_random;
        std::string mechanism;
    };
    for (const auto& [server, client, random, mechanism] : std::vector<Row>{{kBindings, kBindings, true, "SCRAM-SHA-256-PLUS"},
                                                                            {kBindings, {}, true, "SCRAM-SHA-256"},
                                                                            {{}, kBindings, true, "SCRAM-SHA-256"},
                                                                            {{}, {}, true, "SCRAM-SHA-256"},
                                                                            {kBindings, kBindings, false, "PLAIN"}}) {
        const Pair pair({.server_bindings = server, .client_bindings = client, .client_random = random});
        EXPECT_EQ(pair.mechanism, mechanism);
        EXPECT_TRUE(pair.logged_in && pair.ready) << mechanism;
    }
    EXPECT_EQ(Pair({.server_bindings = kBindings}).offered, "SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-1 PLAIN LOGIN");
    EXPECT_EQ(Pair({}).offered, "SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN");
}

TEST(AuthPair, ProvesByCramMd5WhereItIsOffered) {
    const Pair pair({.scram = false, .cram_md5 = true});
    EXPECT_EQ(pair.offered, "PLAIN LOGIN CRAM-MD5");
    EXPECT_EQ(pair.mechanism, "CRAM-MD5");
    EXPECT_TRUE(pair.logged_in && pair.ready);
    const Pair wrong({.password = "Secret", .scram = false, .cram_md5 = true});
    EXPECT_FALSE(wrong.logged_in || wrong.ready);
    EXPECT_EQ(wrong.mechanism, "") << "a wrong digest is refused by the session";
    EXPECT_EQ(Pair({.scram = false}).mechanism, "PLAIN");
}

std::function<std::string(std::string)> replacing(std::string what, std::string with) {
    return [=](std::string octets) {
        if (const auto at = octets.find(what); at != std::string::npos) octets.replace(at, what.size(), with);
        return octets;
    };
}

TEST(AuthPair, SpeaksEachMechanismThatIsOffered) {
    for (const std::string name : {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "PLAIN", "LOGIN"}) {
        const bool plus = name.ends_with("PLUS");
        const auto full =
            plus ? "SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-1 PLAIN LOGIN" : "SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN";
        const auto bindings = plus ? kBindings : sasl::ChannelBindings{};
        const Pair pair({.server_bindings = bindings, .client_bindings = bindings, .on_the_way = replacing(full, name)});
        EXPECT_EQ(pair.mechanism, name);
        EXPECT_TRUE(pair.logged_in && pair.ready) << name;
    }
}

TEST(AuthPair, WrongPasswordIsRefusedByEach) {
    for (const std::string name : {"SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN"}) {
        const Pair pair({.password = "Secret", .on_the_way = replacing("SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN", name)});
        EXPECT_FALSE(pair.logged_in || pair.ready) << name;
        ASSERT_TRUE(pair.failed && pair.failed->reply) << name;
        EXPECT_EQ(pair.failed->reply->code, 535) << name;
    }
}

TEST(AuthPair, AManInTheMiddleCannotBindHisChannel) {
    const Pair pair({.server_bindings = kBindings, .client_bindings = {.exporter = "of the man in the middle"}});
    EXPECT_FALSE(pair.logged_in || pair.ready);
}

TEST(AuthPair, AManInTheMiddleCannotHideOurPlus) {
    const Pair pair({.server_bindings = kBindings,
                     .client_bindings = kBindings,
                     .on_the_way = replacing("SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-1 ", "SCRAM-SHA-256 ")});
    EXPECT_FALSE(pair.logged_in || pair.ready);
}

TEST(AuthPair, ASuccessWithoutTheServersProofIsNone) {
    const auto forge = [](std::string octets) {
        const bool is_last =
            octets.starts_with("334 ") && base::decode_base64(octets.substr(4, octets.size() - 6)).value().starts_with("v=");
        return is_last ? std::string("235 2.7.0 welcome\r\n") : octets;
    };
    const Pair pair({.on_the_way = forge});
    EXPECT_FALSE(pair.ready);
    ASSERT_TRUE(pair.failed);
    EXPECT_THAT(pair.failed->error.detail, HasSubstr("not proved"));
}

TEST(AuthPair, AServerThatDoesNotKnowThePasswordIsCancelled) {
    const auto forge = [](std::string octets) {
        const bool is_last =
            octets.starts_with("334 ") && base::decode_base64(octets.substr(4, octets.size() - 6)).value().starts_with("v=");
        return is_last ? "334 " + base::encode_base64("v=" + base::encode_base64(std::string(32, 'x'))) + "\r\n" : octets;
    };
    const Pair pair({.on_the_way = forge});
    EXPECT_FALSE(pair.ready || pair.logged_in);
    ASSERT_TRUE(pair.failed && pair.failed->reply);
    EXPECT_EQ(pair.failed->reply->code, 501);
    EXPECT_THAT(pair.failed->error.detail, HasSubstr("does not know the password"));
}

// ---- The server's side of the exchange

class ScramSessionTest : public testing::Test {
protected:
    ScramSessionTest()
        : session_(
              {.hostname = "mx.example", .tls = TlsState::active, .auth = AuthRule::required, .random = &random_, .auth_failures = 2}) {
        session_.greet();
        say("EHLO a");
    }

    /// Answers EHLO; other events are left to the test.
    std::string say(const std::string& line) {
        session_.receive(line + "\r\n");
        event_ = session_.next_event();
        if (event_ && std::holds_alternative<HelloGiven>(*event_)) session_.accept();
        return session_.take_output();
    }
    std::string after(std::function<void()> answer) {
        answer();
        event_ = session_.next_event();
        return session_.take_output();
    }
    std::string begin(const std::string& login = "joe") {
        EXPECT_EQ(say("AUTH scram-sha-256 " + base::encode_base64("n,,n=" + login + ",r=abc")), "");
        EXPECT_EQ(std::get<SecretWanted>(*event_).login, login);
        EXPECT_EQ(std::get<SecretWanted>(*event_).hash, sasl::Hash::sha256);
        return after([&] { session_.give_secret(sasl::make_decoy_secret(login, "key", sasl::Hash::sha256)); });
    }
    std::string fail() {
        const auto first = begin();
        EXPECT_THAT(first, StartsWith("334 "));
        auto nonce = base::decode_base64(first.substr(4, first.size() - 6)).value();
        nonce = nonce.substr(0, nonce.find(','));
        return say(base::encode_base64("c=biws," + nonce + ",p=" + base::encode_base64(std::string(32, 'x'))));
    }

    support::FakeRandom random_;
    ServerSession session_;
    std::optional<ServerEvent> event_;
};

TEST_F(ScramSessionTest, ADecoyGoesOnAndFailsAtItsEnd) {
    EXPECT_EQ(fail(), "535 5.7.8 Authentication failed\r\n");
    EXPECT_TRUE(std::holds_alternative<CommandRefused>(*event_));
    EXPECT_THAT(say("MAIL FROM:<a@b.example>"), StartsWith("530 5.7.0"));
}

TEST_F(ScramSessionTest, FailuresCount) {
    fail();
    fail();
    EXPECT_THAT(say("NOOP"), StartsWith("421 4.7.0"));
}

TEST_F(ScramSessionTest, NothingIsReadWhileTheSecretIsAwaited) {
    say("AUTH SCRAM-SHA-256 " + base::encode_base64("n,,n=joe,r=abc") + "\r\nNOOP");
    EXPECT_FALSE(session_.next_event());
    EXPECT_FALSE(session_.has_output());
    session_.answer(make_reply(454, {4, 7, 0}, "later"));
    while (session_.next_event()) {}  // such pipelining is told of
    EXPECT_EQ(session_.take_output(), "454 4.7.0 later\r\n250 2.0.0 Ok\r\n");
}

TEST_F(ScramSessionTest, CanBeCancelled) {
    EXPECT_THAT(begin(), StartsWith("334 "));
    EXPECT_EQ(say("*"), "501 5.7.0 Authentication cancelled\r\n");
    EXPECT_EQ(say("NOOP"), "250 2.0.0 Ok\r\n");
}

TEST_F(ScramSessionTest, BrokenMessagesAreSyntax) {
    EXPECT_EQ(say("AUTH SCRAM-SHA-256 " + base::encode_base64("n,,n=joe")), "501 5.5.2 The response breaks the mechanism's grammar\r\n");
    EXPECT_EQ(say("AUTH SCRAM-SHA-256"), "334 \r\n");
    EXPECT_EQ(say("###"), "501 5.5.2 Cannot decode the response\r\n");
    EXPECT_EQ(say("AUTH SCRAM-SHA-256 ="), "501 5.5.2 The response breaks the mechanism's grammar\r\n");
    EXPECT_EQ(say("NOOP"), "250 2.0.0 Ok\r\n");
}

TEST_F(ScramSessionTest, WhatIsNotOfferedIsNotKnown) {
    for (const std::string name : {"SCRAM-SHA-256-PLUS", "CRAM-MD5", "OAUTHBEARER", "XOAUTH2", "EXTERNAL", "DIGEST-MD5"})
        EXPECT_THAT(say("AUTH " + name), StartsWith("504 5.5.4")) << name;
}

TEST_F(ScramSessionTest, TimeOutAndShutDownDuringTheQuestionAreSafe) {
    say("AUTH SCRAM-SHA-256 " + base::encode_base64("n,,n=joe,r=abc"));
    session_.shut_down();
    session_.give_secret(sasl::make_decoy_secret("joe", "key", sasl::Hash::sha256));
    EXPECT_THAT(session_.take_output(), HasSubstr("421 4.3.2"));
    session_.give_secret(sasl::make_decoy_secret("joe", "key", sasl::Hash::sha256));
    EXPECT_TRUE(session_.closed());
    EXPECT_FALSE(session_.has_output());
}

}  // namespace
}  // namespace thurn::smtp
