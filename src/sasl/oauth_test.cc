#include "sasl/oauth.h"

#include "sasl/external.h"

#include <string>

#include <gtest/gtest.h>

namespace thurn::sasl {
namespace {

using namespace std::string_literals;
using base::ErrorKind;
using enum TokenServer::Dialect;

std::string told(const base::Result<ServerStep>& step) {
    if (step) {
        const auto& claim = std::get<TokenClaim>(std::get<Claim>(*step));
        return claim.authorization + "|" + claim.token;
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

struct TokenCase {
    const char* name;
    std::string message;
    std::string answer;
};

class OauthbearerTest : public testing::TestWithParam<TokenCase> {};

TEST_P(OauthbearerTest, IsReadStrictly) {
    TokenServer server(oauthbearer);
    EXPECT_EQ(told(server.step(GetParam().message)), GetParam().answer);
    EXPECT_EQ(told(server.step(GetParam().message)), "invalid") << "spent";
}

const std::string kAuth = "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01";
const std::string kToken = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==";
INSTANTIATE_TEST_SUITE_P(
    Rfc7628, OauthbearerTest,
    testing::Values(TokenCase{"Section41", "n,a=user@example.com,\x01host=server.example.com\x01port=143\x01" + kAuth + "\x01",
                              "user@example.com|" + kToken},
                    TokenCase{"WithoutAuthorization", "n,,\x01" + kAuth + "\x01", "|" + kToken},
                    TokenCase{"Y", "y,,\x01" + kAuth + "\x01", "|" + kToken},
                    TokenCase{"SchemeInLowerCase",
                              "n,,\x01"
                              "auth=bearer abc\x01\x01",
                              "|abc"},
                    TokenCase{"EscapedAuthorization",
                              "n,a=a=2Cb,\x01"
                              "auth=Bearer abc\x01\x01",
                              "a,b|abc"},
                    TokenCase{"Binding", "p=tls-exporter,,\x01" + kAuth + "\x01", "refused"}, TokenCase{"Empty", "", "syntax"},
                    TokenCase{"OnlySeparator", "\x01", "syntax"}, TokenCase{"HeaderOnly", "n,,", "syntax"},
                    TokenCase{"NoPairs", "n,,\x01\x01", "syntax"}, TokenCase{"NoLastSeparator", "n,,\x01" + kAuth, "syntax"},
                    TokenCase{"NoFirstSeparator", "n,," + kAuth + "\x01", "syntax"}, TokenCase{"NoAuth", "n,,\x01host=x\x01\x01", "syntax"},
                    TokenCase{"TwoAuths", "n,,\x01" + kAuth + kAuth + "\x01", "syntax"},
                    TokenCase{"Basic",
                              "n,,\x01"
                              "auth=Basic abc\x01\x01",
                              "syntax"},
                    TokenCase{"EmptyAuth",
                              "n,,\x01"
                              "auth=\x01\x01",
                              "syntax"},
                    TokenCase{"EmptyToken",
                              "n,,\x01"
                              "auth=Bearer \x01\x01",
                              "syntax"},
                    TokenCase{"OnlyPadding",
                              "n,,\x01"
                              "auth=Bearer ==\x01\x01",
                              "syntax"},
                    TokenCase{"PaddingInside",
                              "n,,\x01"
                              "auth=Bearer a=b\x01\x01",
                              "syntax"},
                    TokenCase{"SpaceInToken",
                              "n,,\x01"
                              "auth=Bearer a b\x01\x01",
                              "syntax"},
                    TokenCase{"QuoteInToken",
                              "n,,\x01"
                              "auth=Bearer a\"b\x01\x01",
                              "syntax"},
                    TokenCase{"NulInValue", "n,,\x01host=\0\x01"s + kAuth + "\x01", "syntax"},
                    TokenCase{"PairWithoutKey", "n,,\x01=x\x01" + kAuth + "\x01", "syntax"},
                    TokenCase{"PairWithoutValue", "n,,\x01host\x01" + kAuth + "\x01", "syntax"},
                    TokenCase{"DigitInKey", "n,,\x01h0st=x\x01" + kAuth + "\x01", "syntax"},
                    TokenCase{"BadHeader", "x,,\x01" + kAuth + "\x01", "syntax"},
                    TokenCase{"AuthorizationTooLong", "n,a=" + std::string(256, 'a') + ",\x01" + kAuth + "\x01", "too_long"},
                    TokenCase{"LongestToken",
                              "n,,\x01"
                              "auth=Bearer " +
                                  std::string(kMaxToken, 't') + "\x01\x01",
                              "|" + std::string(kMaxToken, 't')},
                    TokenCase{"TokenTooLong",
                              "n,,\x01"
                              "auth=Bearer " +
                                  std::string(kMaxToken + 1, 't') + "\x01\x01",
                              "too_long"}),
    [](const auto& row) { return std::string(row.param.name); });

class Xoauth2Test : public testing::TestWithParam<TokenCase> {};

TEST_P(Xoauth2Test, IsReadStrictly) {
    TokenServer server(xoauth2);
    EXPECT_EQ(told(server.step(GetParam().message)), GetParam().answer);
    EXPECT_EQ(told(server.step(GetParam().message)), "invalid") << "spent";
}

INSTANTIATE_TEST_SUITE_P(Google, Xoauth2Test,
                         testing::Values(TokenCase{"Example",
                                                   "user=someuser@example.com\x01"
                                                   "auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\x01\x01",
                                                   "someuser@example.com|ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg"},
                                         TokenCase{"Empty", "", "syntax"},
                                         TokenCase{"NoUser",
                                                   "\x01"
                                                   "auth=Bearer abc\x01\x01",
                                                   "syntax"},
                                         TokenCase{"EmptyUser",
                                                   "user=\x01"
                                                   "auth=Bearer abc\x01\x01",
                                                   "syntax"},
                                         TokenCase{"UserOnly", "user=a\x01", "syntax"},
                                         TokenCase{"NoFrame",
                                                   "user=a\x01"
                                                   "auth=Bearer abc\x01",
                                                   "syntax"},
                                         TokenCase{"NoSeparator", "user=a", "syntax"}, TokenCase{"NoAuth", "user=a\x01\x01", "syntax"},
                                         TokenCase{"UserNotUtf8",
                                                   "user=\xff\x01"
                                                   "auth=Bearer abc\x01\x01",
                                                   "syntax"},
                                         TokenCase{"NulInUser",
                                                   "user=a\0b\x01"
                                                   "auth=Bearer abc\x01\x01"s,
                                                   "syntax"},
                                         TokenCase{"UserTooLong",
                                                   "user=" + std::string(256, 'a') +
                                                       "\x01"
                                                       "auth=Bearer abc\x01\x01",
                                                   "too_long"}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(TokenServer, TellsWhatIsWrongBeforeItFails) {
    for (const auto dialect : {oauthbearer, xoauth2}) {
        TokenServer server(dialect);
        EXPECT_EQ(server.refuse(), std::nullopt) << "nothing was claimed yet";
    }
    for (const auto dialect : {oauthbearer, xoauth2}) {
        TokenServer server(dialect);
        TokenClient client(dialect, "tim", "token");
        EXPECT_EQ(told(server.step(*client.initial())), "tim|token");
        const auto complaint = server.refuse();
        ASSERT_TRUE(complaint);
        EXPECT_TRUE(complaint->octets.starts_with("{\"status\":\""));
        const auto answer = client.respond(complaint->octets);
        EXPECT_EQ(answer, dialect == oauthbearer ? "\x01" : "");
        EXPECT_EQ(told(server.step(*answer)), "refused");
        EXPECT_EQ(told(server.step("")), "invalid");
        EXPECT_EQ(client.respond("").error().kind, ErrorKind::invalid);
    }
}

TEST(TokenClient, SaysTheExamples) {
    EXPECT_EQ(TokenClient(oauthbearer, "user@example.com", kToken).initial(), "n,a=user@example.com,\x01" + kAuth + "\x01");
    EXPECT_EQ(TokenClient(xoauth2, "user@example.com", "abc").initial(),
              "user=user@example.com\x01"
              "auth=Bearer abc\x01\x01");
}

TEST(TokenClient, AnswersAnEmptyChallengeWithTheMessage) {
    TokenClient client(xoauth2, "tim", "token");
    EXPECT_EQ(client.respond(""),
              "user=tim\x01"
              "auth=Bearer token\x01\x01");
}

TEST(External, ServerTakesANameOrNone) {
    for (const std::string name : {"", "tim", "käthe@example.com"}) {
        ExternalServer server;
        const auto step = server.step(name);
        ASSERT_TRUE(step) << name;
        EXPECT_EQ(std::get<CertificateClaim>(std::get<Claim>(*step)).authorization, name);
        EXPECT_EQ(server.step(name).error().kind, ErrorKind::invalid);
    }
    for (const std::string& name : {"a\0b"s, "\xff"s, std::string(256, 'a')}) EXPECT_FALSE(ExternalServer().step(name));
    ExternalServer asking;
    EXPECT_EQ(std::get<Challenge>(asking.start().value()).octets, "");
    EXPECT_EQ(asking.start().error().kind, ErrorKind::invalid);
    EXPECT_TRUE(asking.step(""));
}

}  // namespace
}  // namespace thurn::sasl
