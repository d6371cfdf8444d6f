// Logins by what a client shows instead of a password: a certificate (EXTERNAL) or a token (OAUTHBEARER, XOAUTH2).
#include "base/base64.h"
#include "smtp/server_session.h"
#include "support/fake_random.h"

#include <gtest/gtest.h>

namespace thurn::smtp {
namespace {

using namespace std::string_literals;
using Proof = CredentialsGiven::Proof;

/// Under TLS and behind EHLO.
class ServerAuthTest : public testing::Test {
protected:
    explicit ServerAuthTest(ServerOptions options = {.hostname = "mx.example", .tls = TlsState::active, .auth = AuthRule::required})
        : session_(std::move(options)) {}

    std::string say(const std::string& line) {
        session_.receive(line + "\r\n");
        return listen();
    }
    std::string listen() {
        while (auto event = session_.next_event()) {
            if (std::holds_alternative<HelloGiven>(*event)) session_.accept();
            if (auto* given = std::get_if<CredentialsGiven>(&*event)) given_ = std::move(*given);
        }
        return session_.take_output();
    }
    std::string refuse() {
        session_.answer(make_reply(535, {5, 7, 8}, "no"));
        return listen();
    }
    std::string hello() {
        session_.greet();
        listen();
        return say("EHLO client.example");
    }

    ServerSession session_;
    std::optional<CredentialsGiven> given_;
};

TEST_F(ServerAuthTest, WhatBeginsWithAChallengeTakesNoInitialResponse) {
    support::FakeRandom random;
    session_ = ServerSession({.hostname = "mx.example",
                              .tls = TlsState::active,
                              .auth = AuthRule::required,
                              .random = &random,
                              .cram_md5 = true,
                              .auth_failures = 1});
    EXPECT_TRUE(hello().contains("CRAM-MD5"));
    for (const std::string initial : {"=", "YQ==", "%"}) EXPECT_TRUE(say("AUTH CRAM-MD5 " + initial).starts_with("501 5.5.2 ")) << initial;
    EXPECT_TRUE(say("AUTH CRAM-MD5").starts_with("334 ")) << "no password was wrong";
}

TEST_F(ServerAuthTest, ExternalIsOfferedToWhoShowedACertificateAlone) {
    EXPECT_FALSE(hello().contains("EXTERNAL"));
    EXPECT_TRUE(say("AUTH EXTERNAL =").starts_with("504 5.5.4"));
    session_.certificate_shown({"anna@example.org"});
    EXPECT_TRUE(say("EHLO client.example").contains("AUTH EXTERNAL "));
}

TEST_F(ServerAuthTest, ExternalNamesTheMailboxOfTheCertificate) {
    struct Row {
        std::string authorization;
        std::string login;
    };
    for (const auto& [authorization, login] : {Row{"", "anna@example.org"}, Row{"info@example.org", "info@example.org"},
                                               Row{"INFO@example.org", "info@example.org"}, Row{"bob@example.org", "anna@example.org"}}) {
        session_ = ServerSession({.hostname = "mx.example", .tls = TlsState::active, .auth = AuthRule::required});
        session_.certificate_shown({"anna@example.org", "info@example.org"});
        hello();
        say("AUTH EXTERNAL " + (authorization.empty() ? "=" : base::encode_base64(authorization)));
        ASSERT_TRUE(given_);
        EXPECT_EQ(given_->proof, Proof::certificate);
        EXPECT_EQ(given_->login, login);
        EXPECT_EQ(given_->authorization, authorization) << "whether it may is the driver's to say";
        session_.accept();
        EXPECT_TRUE(listen().starts_with("235 2.7.0"));
        EXPECT_TRUE(say("AUTH EXTERNAL =").starts_with("503")) << "once is enough";
        given_.reset();
    }
}

class ServerTokenTest : public ServerAuthTest {
protected:
    ServerTokenTest() : ServerAuthTest({.hostname = "mx.example", .tls = TlsState::active, .auth = AuthRule::required, .tokens = true}) {}
    static std::string oauthbearer(const std::string& token) {
        return "AUTH OAUTHBEARER " + base::encode_base64("n,a=anna@example.org,\1auth=Bearer "s + token + "\1\1");
    }
    static std::string xoauth2(const std::string& token) {
        return "AUTH XOAUTH2 " + base::encode_base64("user=anna@example.org\1auth=Bearer "s + token + "\1\1");
    }
};

TEST_F(ServerTokenTest, IsHandedOverAndBelieved) {
    EXPECT_TRUE(hello().contains("OAUTHBEARER XOAUTH2"));
    EXPECT_EQ(say(oauthbearer("secret")), "");
    ASSERT_TRUE(given_);
    EXPECT_EQ(given_->proof, Proof::token);
    EXPECT_EQ(given_->authorization, "anna@example.org");
    EXPECT_EQ(given_->login, "");
    EXPECT_EQ(given_->password, "secret");
    session_.accept();
    EXPECT_TRUE(listen().starts_with("235 2.7.0"));
    EXPECT_TRUE(say("MAIL FROM:<anna@example.org>").empty()) << "asks the driver";
}

TEST_F(ServerTokenTest, WhenBadIsExplainedBeforeItIsRefused) {
    hello();
    for (const auto& line : {oauthbearer("bad"), xoauth2("bad")}) {
        say(line);
        const auto challenge = refuse();
        ASSERT_TRUE(challenge.starts_with("334 ")) << challenge;
        const auto told = base::decode_base64(challenge.substr(4, challenge.size() - 6));
        ASSERT_TRUE(told.has_value());
        EXPECT_TRUE(told->starts_with("{\"status\":")) << *told;
        EXPECT_TRUE(say("AQ==").starts_with("535 5.7.8"));
        EXPECT_TRUE(say("MAIL FROM:<anna@example.org>").starts_with("530"));
    }
}

TEST_F(ServerTokenTest, TheAnswerToAnExplanationCannotLogIn) {
    hello();
    for (const auto& answer : {"*"s, ""s, "=!"s, base::encode_base64("n,a=anna@example.org,\1auth=Bearer good\1\1")}) {
        session_ = ServerSession({.hostname = "mx.example", .tls = TlsState::active, .auth = AuthRule::required, .tokens = true});
        hello();
        say(oauthbearer("bad"));
        refuse();
        given_.reset();
        EXPECT_TRUE(say(answer).starts_with("5")) << answer;
        EXPECT_FALSE(given_);
    }
}

TEST_F(ServerTokenTest, ThatCannotBeCheckedNowIsPutOffWithoutAWord) {
    hello();
    say(oauthbearer("secret"));
    session_.answer(make_reply(454, {4, 7, 0}, "later"));
    EXPECT_TRUE(listen().starts_with("454 4.7.0"));
    EXPECT_TRUE(say("NOOP").starts_with("250"));
}

TEST_F(ServerTokenTest, GuessingEndsTheConnection) {
    hello();
    for (int guess = 0; guess < 3; ++guess) {
        say(oauthbearer("bad"));
        refuse();
        say("AQ==");
    }
    EXPECT_TRUE(say("NOOP").starts_with("421 4.7.0"));
    EXPECT_TRUE(session_.closed());
}

}  // namespace
}  // namespace thurn::smtp
