#include "sasl/scram.h"

#include "base/base64.h"
#include "sasl/saslprep.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace thurn::sasl {
namespace {

using namespace std::string_literals;
using base::ErrorKind;

std::string told(const base::Result<ServerStep>& step) {
    if (step) {
        if (const auto* challenge = std::get_if<Challenge>(&*step)) return challenge->octets;
        if (const auto* wanted = std::get_if<ScramSecretWanted>(&*step)) return "secret of " + wanted->login;
        const auto& proven = std::get<IdentityProven>(std::get<Claim>(*step));
        return "proven " + proven.authorization + "|" + proven.login;
    }
    switch (step.error().kind) {
        case ErrorKind::syntax:
            return "syntax";
        case ErrorKind::refused:
            return "refused";
        case ErrorKind::too_long:
            return "too_long";
        case ErrorKind::invalid:
            return "invalid";
        default:
            return "another error";
    }
}

/// The exchange of an RFC, message by message.
struct Vector {
    const char* name;
    Hash hash;
    std::string client_nonce, server_nonce, salt;
    std::string client_first, server_first, client_final, server_final;
};

const Vector kRfc5802{"Rfc5802Section5",
                      Hash::sha1,
                      "fyko+d2lbbFgONRv9qkxdawL",
                      "3rfcNHYJY1ZVvWVs7j",
                      "QSXCR+Q6sek8bf92",
                      "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
                      "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
                      "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
                      "v=rmF9pqV8S7suAoZWja4dJRkFsKQ="};
const Vector kRfc7677{"Rfc7677Section3",
                      Hash::sha256,
                      "rOprNGfwEbeRWgbNEkqO",
                      "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
                      "W22ZaJ0SNY7soEsUEjb6gQ==",
                      "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
                      "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
                      "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                      "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="};

ScramSecret secret_of(const Vector& vector, std::string_view password = "pencil") {
    return derive_scram_secret(password, base::decode_base64(vector.salt).value(), 4096, vector.hash);
}

class ScramVectorTest : public testing::TestWithParam<Vector> {
protected:
    static ScramServer server(ChannelBindings bindings = {}) {
        return ScramServer({.hash = GetParam().hash, .bindings = std::move(bindings), .nonce = GetParam().server_nonce});
    }
    static ScramClient client(std::string password = "pencil") {
        return ScramClient({.hash = GetParam().hash, .login = "user", .password = std::move(password), .nonce = GetParam().client_nonce});
    }
};

TEST_P(ScramVectorTest, IsWhatTheServerSays) {
    auto server = this->server();
    EXPECT_EQ(told(server.step(GetParam().client_first)), "secret of user");
    EXPECT_EQ(told(server.give(secret_of(GetParam()))), GetParam().server_first);
    EXPECT_EQ(told(server.step(GetParam().client_final)), GetParam().server_final);
    EXPECT_EQ(told(server.step("")), "proven |user");
    EXPECT_EQ(told(server.step("")), "invalid");
}

TEST_P(ScramVectorTest, IsWhatTheClientSays) {
    auto client = this->client();
    EXPECT_EQ(client.initial(), GetParam().client_first);
    EXPECT_EQ(client.respond(GetParam().server_first), GetParam().client_final);
    EXPECT_FALSE(client.complete());
    EXPECT_EQ(client.respond(GetParam().server_final), "");
    EXPECT_TRUE(client.complete());
    EXPECT_EQ(client.respond("").error().kind, ErrorKind::invalid);
}

TEST_P(ScramVectorTest, ClientWithoutInitialResponseAnswersAnEmptyChallenge) {
    auto client = this->client();
    EXPECT_EQ(client.respond(""), GetParam().client_first);
    EXPECT_EQ(client.respond(GetParam().server_first), GetParam().client_final);
}

TEST_P(ScramVectorTest, EveryChangedOctetOfTheClientsLastMessageFails) {
    for (std::size_t at = 0; at < GetParam().client_final.size(); ++at) {
        auto server = this->server();
        ASSERT_TRUE(server.step(GetParam().client_first));
        ASSERT_TRUE(server.give(secret_of(GetParam())));
        auto changed = GetParam().client_final;
        changed[at] = changed[at] == 'A' ? 'B' : 'A';
        EXPECT_FALSE(server.step(changed)) << "octet " << at;
        EXPECT_EQ(told(server.step("")), "invalid");
    }
}

TEST_P(ScramVectorTest, EveryChangedOctetOfTheServersLastMessageFails) {
    for (std::size_t at = 0; at < GetParam().server_final.size(); ++at) {
        auto client = this->client();
        static_cast<void>(client.initial());
        ASSERT_TRUE(client.respond(GetParam().server_first));
        auto changed = GetParam().server_final;
        changed[at] = changed[at] == 'A' ? 'B' : 'A';
        EXPECT_FALSE(client.respond(changed)) << "octet " << at;
        EXPECT_FALSE(client.complete());
    }
}

INSTANTIATE_TEST_SUITE_P(Rfc, ScramVectorTest, testing::Values(kRfc5802, kRfc7677),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(ScramServer, AsksForTheFirstMessageWithAnEmptyChallenge) {
    ScramServer server({.hash = Hash::sha1, .nonce = "n"});
    EXPECT_EQ(told(server.start()), "");
    EXPECT_EQ(told(server.start()), "invalid");
    EXPECT_EQ(told(server.step(kRfc5802.client_first)), "secret of user");
}

TEST(ScramServer, WantsTheSecretItAskedForAndNothingElseMeanwhile) {
    const auto ask = [] {
        ScramServer server({.hash = Hash::sha1, .nonce = "n"});
        EXPECT_EQ(told(server.step(kRfc5802.client_first)), "secret of user");
        return server;
    };
    EXPECT_EQ(told(ask().step(kRfc5802.client_final)), "invalid");
    EXPECT_EQ(told(ask().give(NoSecret{})), "invalid");
    EXPECT_EQ(told(ask().give(derive_cram_md5_secret("pencil"))), "invalid");
    EXPECT_EQ(told(ask().give(secret_of(kRfc7677))), "invalid") << "of the other hash";
    EXPECT_EQ(told(ScramServer({.hash = Hash::sha1, .nonce = "n"}).give(secret_of(kRfc5802))), "invalid");
}

struct MessageCase {
    const char* name;
    std::string message;
    std::string answer;
};

class ClientFirstTest : public testing::TestWithParam<MessageCase> {};

TEST_P(ClientFirstTest, IsReadStrictly) {
    ScramServer server({.nonce = "server"});
    EXPECT_EQ(told(server.step(GetParam().message)), GetParam().answer);
    if (!GetParam().answer.starts_with("secret")) EXPECT_EQ(told(server.give(secret_of(kRfc7677))), "invalid") << "spent";
}

INSTANTIATE_TEST_SUITE_P(
    Rfc5802Section7, ClientFirstTest,
    testing::Values(MessageCase{"Plain", "n,,n=user,r=abc", "secret of user"}, MessageCase{"Y", "y,,n=user,r=abc", "secret of user"},
                    MessageCase{"WithAuthorization", "n,a=boss,n=user,r=abc", "secret of user"},
                    MessageCase{"EscapedName", "n,,n=a=2Cb=3Dc,r=abc", "secret of a,b=c"},
                    MessageCase{"Utf8Name", "n,,n=käthe,r=abc", "secret of käthe"},
                    MessageCase{"Extension", "n,,n=user,r=abc,x=whatever=that is", "secret of user"},
                    MessageCase{"TwoExtensions", "n,,n=user,r=abc,x=1,y=2", "secret of user"}, MessageCase{"Empty", "", "syntax"},
                    MessageCase{"OneComma", "n,", "syntax"}, MessageCase{"HeaderOnly", "n,,", "syntax"},
                    MessageCase{"NoFlag", ",,n=user,r=abc", "syntax"}, MessageCase{"UnknownFlag", "x,,n=user,r=abc", "syntax"},
                    MessageCase{"UpperFlag", "N,,n=user,r=abc", "syntax"}, MessageCase{"FlagWithMore", "nn,,n=user,r=abc", "syntax"},
                    MessageCase{"EmptyBindingName", "p=,,n=user,r=abc", "syntax"},
                    MessageCase{"BadBindingName", "p=tls_unique,,n=user,r=abc", "syntax"},
                    MessageCase{"BindingWithoutPlus", "p=tls-exporter,,n=user,r=abc", "refused"},
                    MessageCase{"EmptyAuthorization", "n,a=,n=user,r=abc", "syntax"},
                    MessageCase{"BadAuthorization", "n,boss,n=user,r=abc", "syntax"},
                    MessageCase{"BadEscapeInAuthorization", "n,a=b=2c,n=user,r=abc", "syntax"},
                    MessageCase{"DemandedExtension", "n,,m=x,n=user,r=abc", "refused"},
                    MessageCase{"DemandedExtensionLater", "n,,n=user,m=x,r=abc", "refused"}, MessageCase{"NoName", "n,,r=abc", "syntax"},
                    MessageCase{"EmptyName", "n,,n=,r=abc", "syntax"}, MessageCase{"LowerEscape", "n,,n=a=2c,r=abc", "syntax"},
                    MessageCase{"UnknownEscape", "n,,n=a=41,r=abc", "syntax"}, MessageCase{"CutEscape", "n,,n=a=2,r=abc", "syntax"},
                    MessageCase{"NulInName", "n,,n=a\0b,r=abc"s, "syntax"}, MessageCase{"NameNotUtf8", "n,,n=\xff,r=abc", "syntax"},
                    MessageCase{"NameTooLong", "n,,n=" + std::string(256, 'a') + ",r=abc", "too_long"},
                    MessageCase{"LongestName", "n,,n=" + std::string(255, 'a') + ",r=abc", "secret of " + std::string(255, 'a')},
                    MessageCase{"AuthorizationTooLong", "n,a=" + std::string(256, 'a') + ",n=user,r=abc", "too_long"},
                    MessageCase{"NoNonce", "n,,n=user", "syntax"}, MessageCase{"EmptyNonce", "n,,n=user,r=", "syntax"},
                    MessageCase{"SpaceInNonce", "n,,n=user,r=a b", "syntax"}, MessageCase{"ControlInNonce", "n,,n=user,r=a\x7f", "syntax"},
                    MessageCase{"Utf8InNonce", "n,,n=user,r=ä", "syntax"},
                    MessageCase{"NonceTooLong", "n,,n=user,r=" + std::string(1025, 'a'), "syntax"},
                    MessageCase{"WrongOrder", "n,,r=abc,n=user", "syntax"}, MessageCase{"CommaAtTheEnd", "n,,n=user,r=abc,", "syntax"},
                    MessageCase{"EmptyExtension", "n,,n=user,r=abc,x=", "syntax"},
                    MessageCase{"ExtensionWithoutName", "n,,n=user,r=abc,=x", "syntax"},
                    MessageCase{"ExtensionNotUtf8", "n,,n=user,r=abc,x=\xff", "syntax"},
                    MessageCase{"NulInExtension", "n,,n=user,r=abc,x=\0"s, "syntax"}),
    [](const auto& row) { return std::string(row.param.name); });

class ClientFinalTest : public testing::TestWithParam<MessageCase> {};

TEST_P(ClientFinalTest, IsReadStrictly) {
    ScramServer server({.hash = Hash::sha1, .nonce = kRfc5802.server_nonce});
    ASSERT_TRUE(server.step(kRfc5802.client_first));
    ASSERT_TRUE(server.give(secret_of(kRfc5802)));
    EXPECT_EQ(told(server.step(GetParam().message)), GetParam().answer);
    EXPECT_EQ(told(server.step("")), "invalid") << "spent";
}

const std::string kNonce = "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j";
const std::string kProof = "p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=";
INSTANTIATE_TEST_SUITE_P(
    Rfc5802Section7, ClientFinalTest,
    testing::Values(MessageCase{"Empty", "", "syntax"}, MessageCase{"NoProof", "c=biws," + kNonce, "syntax"},
                    MessageCase{"EmptyProof", "c=biws," + kNonce + ",p=", "syntax"},
                    MessageCase{"ProofNotBase64", "c=biws," + kNonce + ",p=!!!!", "syntax"},
                    MessageCase{"ProofTooShort", "c=biws," + kNonce + ",p=AAAA", "refused"},
                    MessageCase{"ProofOfZeroes", "c=biws," + kNonce + ",p=AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "refused"},
                    MessageCase{"ExtensionBehindTheProof", "c=biws," + kNonce + "," + kProof + ",x=1", "syntax"},
                    MessageCase{"TwoProofs", "c=biws," + kNonce + "," + kProof + "," + kProof, "syntax"},
                    MessageCase{"ExtensionNotSigned", "c=biws," + kNonce + ",x=1," + kProof, "refused"},
                    MessageCase{"BadExtension", "c=biws," + kNonce + ",x," + kProof, "syntax"},
                    MessageCase{"NoBinding", kNonce + "," + kProof, "syntax"},
                    MessageCase{"BindingNotBase64", "c=biw," + kNonce + "," + kProof, "syntax"},
                    MessageCase{"OtherHeader", "c=" + base::encode_base64("y,,") + "," + kNonce + "," + kProof, "refused"},
                    MessageCase{"BindingDataAdded", "c=" + base::encode_base64("n,,x") + "," + kNonce + "," + kProof, "refused"},
                    MessageCase{"DemandedExtension", "m=1,c=biws," + kNonce + "," + kProof, "refused"},
                    MessageCase{"OnlyTheClientsNonce", "c=biws,r=fyko+d2lbbFgONRv9qkxdawL," + kProof, "refused"},
                    MessageCase{"OtherNonce", "c=biws,r=fyko+d2lbbFgONRv9qkxdawLXrfcNHYJY1ZVvWVs7j," + kProof, "refused"},
                    MessageCase{"LongerNonce", "c=biws," + kNonce + "x," + kProof, "refused"},
                    MessageCase{"NoNonce", "c=biws," + kProof, "syntax"},
                    MessageCase{"WrongOrder", kNonce + ",c=biws," + kProof, "syntax"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(ScramServer, WantsNothingAfterItsSignature) {
    ScramServer server({.hash = Hash::sha1, .nonce = kRfc5802.server_nonce});
    ASSERT_TRUE(server.step(kRfc5802.client_first));
    ASSERT_TRUE(server.give(secret_of(kRfc5802)));
    ASSERT_TRUE(server.step(kRfc5802.client_final));
    EXPECT_EQ(told(server.step("x")), "syntax");
    EXPECT_EQ(told(server.step("")), "invalid");
}

class ServerFirstTest : public testing::TestWithParam<MessageCase> {};

TEST_P(ServerFirstTest, IsReadStrictlyByTheClient) {
    ScramClient client({.hash = Hash::sha256, .login = "user", .password = "pencil", .nonce = "abc"});
    static_cast<void>(client.initial());
    const auto response = client.respond(GetParam().message);
    EXPECT_EQ(response ? "fine" : response.error().kind == ErrorKind::syntax ? "syntax" : "refused", GetParam().answer);
    if (!response) EXPECT_EQ(client.respond(GetParam().message).error().kind, ErrorKind::invalid) << "spent";
}

INSTANTIATE_TEST_SUITE_P(
    Rfc5802Section7, ServerFirstTest,
    testing::Values(
        MessageCase{"Good", "r=abcdef,s=QSXC,i=4096", "fine"}, MessageCase{"Extension", "r=abcdef,s=QSXC,i=4096,x=1", "fine"},
        MessageCase{"MostIterations", "r=abcdef,s=QSXC,i=200000", "fine"},
        MessageCase{"TooManyIterations", "r=abcdef,s=QSXC,i=200001", "refused"},
        MessageCase{"TooFewIterations", "r=abcdef,s=QSXC,i=4095", "refused"}, MessageCase{"OneIteration", "r=abcdef,s=QSXC,i=1", "refused"},
        MessageCase{"ZeroIterations", "r=abcdef,s=QSXC,i=0", "syntax"}, MessageCase{"LeadingZero", "r=abcdef,s=QSXC,i=04096", "syntax"},
        MessageCase{"NegativeIterations", "r=abcdef,s=QSXC,i=-4096", "syntax"},
        MessageCase{"HugeIterations", "r=abcdef,s=QSXC,i=99999999999999999999", "syntax"},
        MessageCase{"IterationsInWords", "r=abcdef,s=QSXC,i=4096x", "syntax"}, MessageCase{"NoIterations", "r=abcdef,s=QSXC", "syntax"},
        MessageCase{"EmptySalt", "r=abcdef,s=,i=4096", "syntax"}, MessageCase{"SaltNotBase64", "r=abcdef,s=Q,i=4096", "syntax"},
        MessageCase{"SaltTooLong", "r=abcdef,s=" + base::encode_base64(std::string(257, 's')) + ",i=4096", "refused"},
        MessageCase{"OurNonceAlone", "r=abc,s=QSXC,i=4096", "refused"}, MessageCase{"OtherNonce", "r=abXdef,s=QSXC,i=4096", "refused"},
        MessageCase{"ShortNonce", "r=ab,s=QSXC,i=4096", "refused"},
        MessageCase{"DemandedExtension", "m=1,r=abcdef,s=QSXC,i=4096", "refused"}, MessageCase{"Empty", "", "syntax"},
        MessageCase{"WrongOrder", "s=QSXC,r=abcdef,i=4096", "syntax"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(ScramClient, BelievesNoErrorAndNoSuccessWithoutSignature) {
    for (const std::string last :
         {"e=invalid-proof", "", "v=", "v=rmF9", "v=rmF9pqV8S7suAoZWja4dJRkFsKQ", "x=1,v=rmF9pqV8S7suAoZWja4dJRkFsKQ="}) {
        ScramClient client({.hash = Hash::sha1, .login = "user", .password = "pencil", .nonce = kRfc5802.client_nonce});
        EXPECT_FALSE(client.complete());
        static_cast<void>(client.initial());
        ASSERT_TRUE(client.respond(kRfc5802.server_first));
        EXPECT_FALSE(client.respond(last)) << last;
        EXPECT_FALSE(client.complete()) << last;
    }
}

// ---- Channel bindings (RFC 5802 §6)

const ChannelBindings kBindings{.exporter = "exported", .server_end_point = "certified"};

std::string first_answer(ScramServer::Variant variant, const ChannelBindings& bindings, const std::string& flag) {
    ScramServer server({.variant = variant, .bindings = bindings, .nonce = "n"});
    return told(server.step(flag + ",,n=user,r=abc"));
}

TEST(ScramBinding, FlagMustFitTheMechanism) {
    using enum ScramServer::Variant;
    EXPECT_EQ(first_answer(plus, kBindings, "p=tls-exporter"), "secret of user");
    EXPECT_EQ(first_answer(plus, kBindings, "p=tls-server-end-point"), "secret of user");
    EXPECT_EQ(first_answer(plus, kBindings, "p=tls-unique"), "refused");
    EXPECT_EQ(first_answer(plus, {.exporter = "e"}, "p=tls-server-end-point"), "refused");
    EXPECT_EQ(first_answer(plus, {.server_end_point = "c"}, "p=tls-exporter"), "refused");
    EXPECT_EQ(first_answer(plus, kBindings, "n"), "refused");
    EXPECT_EQ(first_answer(plus, kBindings, "y"), "refused");
    EXPECT_EQ(first_answer(plain, kBindings, "n"), "secret of user");
    EXPECT_EQ(first_answer(plain, kBindings, "p=tls-exporter"), "refused");
}

TEST(ScramBinding, ClientThatThinksWeHaveNoneWasDeceived) {
    EXPECT_EQ(first_answer(ScramServer::Variant::plain, kBindings, "y"), "refused");
    EXPECT_EQ(first_answer(ScramServer::Variant::plain, {}, "y"), "secret of user");
}

TEST(ScramBinding, ClientSaysWhatItCan) {
    const auto first = [](ScramClient::Options options) { return ScramClient(std::move(options)).initial()->substr(0, 20); };
    EXPECT_EQ(first({.login = "u", .password = "p", .nonce = "0"}), "n,,n=u,r=0");
    EXPECT_EQ(first({.binding_possible = true, .login = "u", .password = "p", .nonce = "0"}), "y,,n=u,r=0");
    EXPECT_EQ(first({.binding_name = "tls-exporter", .binding_data = "d", .login = "u", .password = "p", .nonce = "0"}),
              "p=tls-exporter,,n=u,");
}

TEST(ScramBinding, AnotherChannelIsRefused) {
    for (const std::string seen_by_client : {"exported", "of the man in the middle"}) {
        ScramServer server({.variant = ScramServer::Variant::plus, .bindings = kBindings, .nonce = "n"});
        ScramClient client({.binding_name = "tls-exporter", .binding_data = seen_by_client, .login = "u", .password = "p", .nonce = "0"});
        ASSERT_TRUE(server.step(*client.initial()));
        const auto challenge = server.give(derive_scram_secret("p", "salt", 4096, Hash::sha256));
        const auto answer = told(server.step(client.respond(told(challenge)).value()));
        EXPECT_EQ(answer == "refused", seen_by_client != "exported") << answer;
    }
}

TEST(ScramServer, ActingAsAnotherIsLeftToTheDriver) {
    ScramServer server({.hash = Hash::sha256, .nonce = "n"});
    const auto challenge = [&] {
        EXPECT_EQ(told(server.step("n,a=boss,n=user,r=abc")), "secret of user");
        return told(server.give(derive_scram_secret("p", "salt", 4096, Hash::sha256)));
    }();
    // c= must repeat the whole header, with the name.
    EXPECT_EQ(challenge.substr(0, 7), "r=abcn,");
    EXPECT_EQ(told(server.step("c=biws,r=abcn,p=" + base::encode_base64(std::string(32, 'x')))), "refused");
}

// ---- Stored secrets

TEST(ScramSecret, TextIsReadBack) {
    for (const auto& vector : {kRfc5802, kRfc7677}) {
        const auto secret = secret_of(vector);
        EXPECT_EQ(parse_scram_secret(render_scram_secret(secret)), secret);
    }
    EXPECT_EQ(render_scram_secret(secret_of(kRfc7677)),
              "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
              "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=");
}

TEST(ScramSecret, OtherTextIsNone) {
    const std::string good =
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
        "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
    ASSERT_TRUE(parse_scram_secret(good));
    for (std::size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(parse_scram_secret(good.substr(0, size))) << size;
    EXPECT_FALSE(parse_scram_secret(good + "A"));
    EXPECT_FALSE(parse_scram_secret("x" + good));
    const auto with = [&](std::string_view what, std::string_view instead) {
        auto text = good;
        return text.replace(text.find(what), what.size(), instead);
    };
    for (const auto* count : {"$:", "$0:", "$-1:", "$04096:", "$4096x:", "$2147483648:", "$99999999999:"})
        EXPECT_FALSE(parse_scram_secret(with("$4096:", count))) << count;
    EXPECT_FALSE(parse_scram_secret(with("SHA-256", "SHA-1"))) << "keys of the wrong size";
    EXPECT_FALSE(parse_scram_secret(with("SHA-256", "SHA-512")));
    EXPECT_FALSE(parse_scram_secret(with("W22ZaJ0SNY7soEsUEjb6gQ==", "")));
    const auto error = parse_scram_secret("SCRAM-SHA-256$4096:hunter2").error();
    EXPECT_EQ(error.kind, ErrorKind::corrupt);
    EXPECT_FALSE(error.detail.contains("hunter2"));
}

TEST(ScramSecret, DecoyIsAlwaysTheSameAndLooksLikeARealOne) {
    for (const auto hash : {Hash::sha1, Hash::sha256}) {
        const auto decoy = make_decoy_secret("nobody", "key", hash);
        EXPECT_EQ(decoy, make_decoy_secret("nobody", "key", hash));
        EXPECT_EQ(parse_scram_secret(render_scram_secret(decoy)), decoy);
        EXPECT_EQ(decoy.salt.size(), kSaltOctets);
        EXPECT_EQ(decoy.iterations, kUsualIterations);
        for (const auto& other : {make_decoy_secret("someone", "key", hash), make_decoy_secret("nobody", "yek", hash)}) {
            EXPECT_NE(decoy.salt, other.salt);
            EXPECT_NE(decoy.stored_key, other.stored_key);
            EXPECT_NE(decoy.server_key, other.server_key);
        }
    }
    EXPECT_NE(make_decoy_secret("nobody", "key", Hash::sha1).salt, make_decoy_secret("nobody", "key", Hash::sha256).salt);
}

// ---- SASLprep (RFC 4013 §3)

TEST(PreparePassword, FollowsSaslprep) {
    struct Row {
        std::string given, prepared;
    };
    for (const auto& [given, prepared] : std::vector<Row>{{"pencil", "pencil"},
                                                          {" two  words ", " two  words "},
                                                          {"I\xc2\xadX", "IX"},  // SOFT HYPHEN mapped to nothing
                                                          {"user", "user"},
                                                          {"USER", "USER"},
                                                          {"\xc2\xaa", "a"},                         // NFKC
                                                          {"\xe2\x85\xa8", "IX"},                    // ROMAN NUMERAL NINE
                                                          {"e\xcc\x81", "\xc3\xa9"},                 // e and an accent are é
                                                          {"a\xc2\xa0z", "a z"},                     // NO-BREAK SPACE
                                                          {"a\x07z", "a\x07z"},                      // forbidden: as it is
                                                          {"\xd8\xa7\x31", "\xd8\xa7\x31"},          // mixed directions: as it is
                                                          {"\xc2\xad", "\xc2\xad"},                  // nothing would be left
                                                          {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},  // younger than Unicode 3.2
                                                          {"a\0b"s, "a\0b"s},
                                                          {"\xff", "\xff"}})
        EXPECT_EQ(prepare_password(given), prepared) << given;
}

TEST(PreparePassword, MakesOnePasswordOfTwoWaysToTypeIt) {
    EXPECT_EQ(derive_scram_secret("caf\xc3\xa9", "salt", 4096, Hash::sha256),
              derive_scram_secret("cafe\xcc\x81", "salt", 4096, Hash::sha256));
}

}  // namespace
}  // namespace thurn::sasl
