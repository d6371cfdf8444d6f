#include "sasl/mechanism.h"

#include "sasl/login.h"
#include "sasl/plain.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace thurn::sasl {
namespace {

using namespace std::string_literals;
using base::ErrorKind;

/// What the mechanism answers to each octet string in turn; words for people who read a failure.
std::string told(const base::Result<ServerStep>& step) {
    if (!step) {
        switch (step.error().kind) {
            case ErrorKind::syntax:
                return "syntax";
            case ErrorKind::too_long:
                return "too_long";
            case ErrorKind::invalid:
                return "invalid";
            default:
                return "another error";
        }
    }
    if (const auto* challenge = std::get_if<Challenge>(&*step)) return "challenge " + challenge->octets;
    const auto& [authorization, login, password] = std::get<Credentials>(*step);
    return "credentials " + authorization + "|" + login + "|" + password;
}

struct PlainCase {
    const char* name;
    std::string message;
    std::string answer;
};

class PlainServerTest : public testing::TestWithParam<PlainCase> {};

TEST_P(PlainServerTest, ReadsItsOneMessage) {
    PlainServer as_initial_response;
    EXPECT_EQ(told(as_initial_response.step(GetParam().message)), GetParam().answer);
    EXPECT_EQ(told(as_initial_response.step(GetParam().message)), "invalid") << "spent";

    PlainServer after_challenge;
    EXPECT_EQ(told(after_challenge.start()), "challenge ");
    EXPECT_EQ(told(after_challenge.start()), "invalid");
    EXPECT_EQ(told(after_challenge.step(GetParam().message)), GetParam().answer);
    EXPECT_EQ(told(after_challenge.start()), "invalid") << "spent";
}

INSTANTIATE_TEST_SUITE_P(
    Rfc4616, PlainServerTest,
    testing::Values(PlainCase{"Example", "\0tim\0tanstaaftanstaaf"s, "credentials |tim|tanstaaftanstaaf"},
                    PlainCase{"ExampleWithAuthorization", "Ursel\0Kurt\0xipj3plmq"s, "credentials Ursel|Kurt|xipj3plmq"},
                    PlainCase{"Utf8", "\0käthe\0schlüssel"s, "credentials |käthe|schlüssel"},
                    PlainCase{"Spaces", "\0a b\0 c "s, "credentials |a b| c "}, PlainCase{"Empty", ""s, "syntax"},
                    PlainCase{"NoNul", "tim"s, "syntax"}, PlainCase{"OneNul", "\0tim"s, "syntax"}, PlainCase{"OnlyNuls", "\0\0"s, "syntax"},
                    PlainCase{"NoLogin", "\0\0secret"s, "syntax"}, PlainCase{"NoPassword", "\0tim\0"s, "syntax"},
                    PlainCase{"NulInPassword", "\0tim\0sec\0ret"s, "syntax"}, PlainCase{"NulAtTheEnd", "\0tim\0secret\0"s, "syntax"},
                    PlainCase{"LoginNotUtf8", "\0t\xff\0secret"s, "syntax"}, PlainCase{"PasswordNotUtf8", "\0tim\0\xc3"s, "syntax"},
                    PlainCase{"AuthorizationNotUtf8", "\xed\xa0\x80\0tim\0secret"s, "syntax"},
                    PlainCase{"LongestLogin", "\0"s + std::string(255, 'a') + "\0p"s, "credentials |" + std::string(255, 'a') + "|p"},
                    PlainCase{"LoginTooLong", "\0"s + std::string(256, 'a') + "\0p"s, "too_long"},
                    PlainCase{"AuthorizationTooLong", std::string(256, 'a') + "\0a\0p"s, "too_long"},
                    PlainCase{"LongestPassword", "\0a\0"s + std::string(1024, 'p'), "credentials |a|" + std::string(1024, 'p')},
                    PlainCase{"PasswordTooLong", "\0a\0"s + std::string(1025, 'p'), "too_long"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(LoginServer, AsksTwice) {
    LoginServer server;
    EXPECT_EQ(told(server.start()), "challenge Username:");
    EXPECT_EQ(told(server.step("tim")), "challenge Password:");
    EXPECT_EQ(told(server.step("secret")), "credentials |tim|secret");
    EXPECT_EQ(told(server.step("secret")), "invalid");
    EXPECT_EQ(told(server.start()), "invalid");
}

TEST(LoginServer, TakesTheLoginAsInitialResponse) {
    LoginServer server;
    EXPECT_TRUE(server.client_first());
    EXPECT_EQ(told(server.step("tim")), "challenge Password:");
    EXPECT_EQ(told(server.step("secret")), "credentials |tim|secret");
}

TEST(LoginServer, RefusesWhatIsNoLoginAndIsSpentThen) {
    for (const std::string& login : {""s, "t\0m"s, "\xff"s, std::string(256, 'a')}) {
        LoginServer server;
        EXPECT_EQ(told(server.start()), "challenge Username:");
        EXPECT_FALSE(server.step(login)) << login.size();
        EXPECT_EQ(told(server.step("secret")), "invalid") << login.size();
    }
}

TEST(LoginServer, RefusesWhatIsNoPasswordAndIsSpentThen) {
    for (const std::string& password : {""s, "p\0w"s, "\xc0\x80"s, std::string(1025, 'a')}) {
        LoginServer server;
        EXPECT_EQ(told(server.step("tim")), "challenge Password:");
        EXPECT_FALSE(server.step(password)) << password.size();
        EXPECT_EQ(told(server.step("secret")), "invalid") << password.size();
    }
}

TEST(Mechanisms, ErrorsNeverShowWhatTheClientSent) {
    for (const std::string& secret :
         {"hunter2"s, "\0tim\0hunter2\xff"s, "\0tim\0hunter2\0"s, "\0\0hunter2"s, "\0tim\0hunter2"s + std::string(1024, 'p')}) {
        const auto step = PlainServer().step(secret);
        ASSERT_FALSE(step);
        EXPECT_EQ(step.error().detail.find("hunter2"), std::string::npos);
        EXPECT_EQ(step.error().detail.find("tim"), std::string::npos);
    }
}

TEST(Mechanisms, AreFoundByNameInAnyCase) {
    for (const std::string_view name : {"PLAIN", "plain", "LoGiN"}) {
        EXPECT_TRUE(make_server_mechanism(name)) << name;
        EXPECT_TRUE(make_client_mechanism(name, "tim", "secret")) << name;
    }
    for (const std::string_view name : {"", "PLAI", "PLAINX", "PLAIN ", "CRAM-MD5", "EXTERNAL"}) {
        EXPECT_FALSE(make_server_mechanism(name)) << name;
        EXPECT_FALSE(make_client_mechanism(name, "tim", "secret")) << name;
    }
    for (const auto name : kServerMechanisms) EXPECT_TRUE(make_server_mechanism(name)) << name;
    for (const auto name : kClientMechanisms) EXPECT_TRUE(make_client_mechanism(name, "tim", "secret")) << name;
}

TEST(ClientMechanisms, AreNotMadeFromCredentialsTheyCannotCarry) {
    for (const auto name : kClientMechanisms) {
        EXPECT_FALSE(make_client_mechanism(name, "", "secret"));
        EXPECT_FALSE(make_client_mechanism(name, "tim", ""));
        EXPECT_FALSE(make_client_mechanism(name, "t\0m"s, "secret"));
        EXPECT_FALSE(make_client_mechanism(name, "tim", "sec\0ret"s));
        EXPECT_FALSE(make_client_mechanism(name, std::string(256, 'a'), "secret"));
        EXPECT_FALSE(make_client_mechanism(name, "tim", std::string(1025, 'a')));
    }
}

TEST(PlainClient, SaysAllAtOnce) {
    PlainClient client("tim", "secret");
    EXPECT_EQ(client.initial(), "\0tim\0secret"s);
}

TEST(PlainClient, AnswersOneChallengeOnly) {
    PlainClient client("tim", "secret");
    EXPECT_EQ(client.respond(""), "\0tim\0secret"s);
    EXPECT_EQ(client.respond("").error().kind, ErrorKind::invalid);
}

TEST(LoginClient, AnswersTwoChallengesWhateverTheySay) {
    LoginClient client("tim", "secret");
    EXPECT_EQ(client.initial(), std::nullopt);
    EXPECT_EQ(client.respond("Benutzer?"), "tim");
    EXPECT_EQ(client.respond(""), "secret");
    EXPECT_EQ(client.respond("Password:").error().kind, ErrorKind::invalid);
}

TEST(Mechanisms, ClientAndServerUnderstandEachOther) {
    for (const auto name : kServerMechanisms) {
        const auto server = make_server_mechanism(name);
        const auto client = make_client_mechanism(name, "käthe", "pass word");
        const auto initial = client->initial();
        auto step = initial ? server->step(*initial) : server->start();
        for (int round = 0; round < 3 && step && std::holds_alternative<Challenge>(*step); ++round) {
            step = server->step(client->respond(std::get<Challenge>(*step).octets).value());
        }
        EXPECT_EQ(told(step), "credentials |käthe|pass word") << name;
    }
}

}  // namespace
}  // namespace thurn::sasl
