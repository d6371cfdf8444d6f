#include "sasl/mechanism.h"

#include "base/ascii.h"
#include "sasl/login.h"
#include "sasl/plain.h"
#include "support/fake_random.h"

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
            case ErrorKind::refused:
                return "refused";
            default:
                return "another error";
        }
    }
    if (const auto* challenge = std::get_if<Challenge>(&*step)) return "challenge " + challenge->octets;
    const auto& [authorization, login, password] = std::get<PasswordClaim>(std::get<Claim>(*step));
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

const ChannelBindings kBothBindings{.exporter = "exported", .server_end_point = "certified"};

std::vector<std::string_view> all_names() {
    std::vector<std::string_view> names(kClientMechanisms.begin(), kClientMechanisms.end());
    names.insert(names.end(), {"OAUTHBEARER", "XOAUTH2", "EXTERNAL"});
    return names;
}

TEST(Mechanisms, AreFoundByNameInAnyCase) {
    support::FakeRandom random;
    const ServerContext server{.random = &random, .bindings = kBothBindings};
    const ClientContext client{.login = "tim", .password = "secret", .token = "token", .random = &random, .bindings = kBothBindings};
    for (const auto name : all_names()) {
        std::string lower(name);
        for (char& octet : lower) octet = base::to_lower(octet);
        for (const std::string_view written : {name, std::string_view(lower)}) {
            EXPECT_TRUE(make_server_mechanism(written, server)) << written;
            EXPECT_TRUE(make_client_mechanism(written, client)) << written;
        }
    }
    for (const std::string_view name : {"", "PLAI", "PLAINX", "PLAIN ", "SCRAM-SHA-512", "SCRAM-SHA-1-PLUSPLUS", "DIGEST-MD5", "NTLM"}) {
        EXPECT_FALSE(make_server_mechanism(name, server)) << name;
        EXPECT_FALSE(make_client_mechanism(name, client)) << name;
    }
}

TEST(Mechanisms, AreOfferedAsFarAsTheContextGoes) {
    support::FakeRandom random;
    using Names = std::vector<std::string_view>;
    EXPECT_EQ(offered_mechanisms({}), (Names{"PLAIN", "LOGIN"}));
    EXPECT_EQ(offered_mechanisms({.bindings = kBothBindings}), (Names{"PLAIN", "LOGIN"})) << "no random, no SCRAM";
    EXPECT_EQ(offered_mechanisms({.random = &random}), (Names{"SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN"}));
    EXPECT_EQ(offered_mechanisms({.random = &random, .bindings = kBothBindings}),
              (Names{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "PLAIN", "LOGIN"}));
    EXPECT_EQ(offered_mechanisms({.random = &random, .scram = false, .cram_md5 = true}), (Names{"PLAIN", "LOGIN", "CRAM-MD5"}));
    for (const auto name : {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"})
        EXPECT_FALSE(make_server_mechanism(name, {.random = &random})) << name;
    for (const auto name : {"SCRAM-SHA-256", "CRAM-MD5"}) EXPECT_FALSE(make_server_mechanism(name, {})) << name;
}

TEST(ClientMechanisms, AreNotMadeFromCredentialsTheyCannotCarry) {
    support::FakeRandom random;
    const auto made = [&](std::string_view name, std::string login, std::string password) {
        return make_client_mechanism(
            name, {.login = std::move(login), .password = std::move(password), .random = &random, .bindings = kBothBindings});
    };
    for (const auto name : kClientMechanisms) {
        EXPECT_TRUE(made(name, "tim", "secret")) << name;
        EXPECT_FALSE(made(name, "", "secret")) << name;
        EXPECT_FALSE(made(name, "tim", "")) << name;
        EXPECT_FALSE(made(name, "t\0m"s, "secret")) << name;
        EXPECT_FALSE(made(name, "tim", "sec\0ret"s)) << name;
        EXPECT_FALSE(made(name, std::string(256, 'a'), "secret")) << name;
        EXPECT_FALSE(made(name, "tim", std::string(1025, 'a'))) << name;
    }
    EXPECT_FALSE(make_client_mechanism("OAUTHBEARER", {.login = "tim"}));
    EXPECT_FALSE(make_client_mechanism("XOAUTH2", {.login = "tim", .token = std::string(kMaxToken + 1, 't')}));
    EXPECT_FALSE(make_client_mechanism("SCRAM-SHA-256", {.login = "tim", .password = "secret"})) << "without random";
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

/// Plays both sides against each other; answers the server's questions from a store with one password.
class Encounter {
public:
    explicit Encounter(std::string stored_password) : stored_(std::move(stored_password)) {}

    base::Result<ServerStep> play(ServerMechanism& server, ClientMechanism& client) {
        const auto initial = server.client_first() ? client.initial() : std::nullopt;
        auto step = initial ? server.step(*initial) : server.start();
        for (int round = 0; round < 5 && step; ++round) {
            if (auto* challenge = std::get_if<Challenge>(&*step)) {
                auto response = client.respond(challenge->octets);
                if (!response) return base::pass_on(response);
                step = server.step(*response);
            } else if (auto* wanted = std::get_if<ScramSecretWanted>(&*step)) {
                step = server.give(derive_scram_secret(stored_, "some salt", kMinIterations, wanted->hash));
            } else if (std::holds_alternative<CramMd5SecretWanted>(*step)) {
                step = server.give(derive_cram_md5_secret(stored_));
            } else {
                break;
            }
        }
        return step;
    }

private:
    std::string stored_;
};

std::string claimed(const base::Result<ServerStep>& step) {
    if (!step) return told(step);
    const auto& claim = std::get<Claim>(*step);
    if (const auto* proven = std::get_if<IdentityProven>(&claim)) return "proven " + proven->login;
    if (const auto* token = std::get_if<TokenClaim>(&claim)) return "token " + token->authorization + " " + token->token;
    if (const auto* certificate = std::get_if<CertificateClaim>(&claim)) return "certificate " + certificate->authorization;
    return told(step);
}

std::string expected_claim(std::string_view name, const std::string& login) {
    if (name == "PLAIN" || name == "LOGIN") return "credentials |" + login + "|pass wörd";
    if (name == "OAUTHBEARER" || name == "XOAUTH2") return "token " + login + " to.k-e_n==";
    return (name == "EXTERNAL" ? "certificate " : "proven ") + login;
}

TEST(Mechanisms, ClientAndServerUnderstandEachOther) {
    support::FakeRandom random;
    for (const ChannelBindings& bindings : {kBothBindings, ChannelBindings{.exporter = "e"}, ChannelBindings{.server_end_point = "c"}}) {
        for (const std::string login : {"käthe", "a=b,c=3D,=2C", "with space"}) {
            for (const auto name : all_names()) {
                const bool is_plus = name.ends_with("-PLUS");
                const auto server = make_server_mechanism(name, {.random = &random, .bindings = is_plus ? bindings : ChannelBindings{}});
                const auto client = make_client_mechanism(
                    name, {.login = login, .password = "pass wörd", .token = "to.k-e_n==", .random = &random, .bindings = bindings});
                EXPECT_EQ(claimed(Encounter("pass wörd").play(*server, *client)), expected_claim(name, login)) << name;
                EXPECT_TRUE(client->complete()) << name;
                EXPECT_EQ(told(server->step("")), "invalid") << name << " is spent";
            }
        }
    }
}

TEST(Mechanisms, ThatProveRefuseAnotherPassword) {
    support::FakeRandom random;
    for (const auto name : {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5"}) {
        const bool is_plus = std::string_view(name).ends_with("-PLUS");
        const auto server = make_server_mechanism(name, {.random = &random, .bindings = is_plus ? kBothBindings : ChannelBindings{}});
        const auto client =
            make_client_mechanism(name, {.login = "tim", .password = "secret", .random = &random, .bindings = kBothBindings});
        EXPECT_EQ(told(Encounter("Secret").play(*server, *client)), "refused") << name;
        EXPECT_EQ(told(server->step("")), "invalid") << name << " is spent";
        EXPECT_EQ(told(server->give(NoSecret{})), "invalid") << name << " is spent";
    }
}

}  // namespace
}  // namespace thurn::sasl
