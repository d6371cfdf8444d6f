#include "sasl/cram_md5.h"

#include <string>

#include <gtest/gtest.h>

namespace thurn::sasl {
namespace {

using namespace std::string_literals;
using base::ErrorKind;

// RFC 2195 §2.
const std::string kChallenge = "<1896.697170952@postoffice.reston.mci.net>";
const std::string kResponse = "tim b913a602c7eda7a495b4e6e7334d3890";
const std::string kPassword = "tanstaaftanstaaf";

CramMd5Server asked() {
    CramMd5Server server(kChallenge);
    EXPECT_EQ(std::get<Challenge>(server.start().value()).octets, kChallenge);
    return server;
}

TEST(CramMd5, ServerTakesTheExample) {
    auto server = asked();
    EXPECT_EQ(std::get<PasswordWanted>(server.step(kResponse).value()).login, "tim");
    EXPECT_EQ(std::get<IdentityProven>(std::get<Claim>(server.give(kPassword).value())).login, "tim");
    EXPECT_EQ(server.give(kPassword).error().kind, ErrorKind::invalid);
}

TEST(CramMd5, ClientGivesTheExample) {
    CramMd5Client client("tim", kPassword);
    EXPECT_EQ(client.initial(), std::nullopt);
    EXPECT_EQ(client.respond(kChallenge), kResponse);
    EXPECT_EQ(client.respond(kChallenge).error().kind, ErrorKind::invalid);
}

TEST(CramMd5, ServerRefusesAnotherPasswordAndNone) {
    for (const Secret& secret : {Secret("Tanstaaftanstaaf"s), Secret(NoSecret{})}) {
        auto server = asked();
        ASSERT_TRUE(server.step(kResponse));
        EXPECT_EQ(server.give(secret).error().kind, ErrorKind::refused);
        EXPECT_EQ(server.step(kResponse).error().kind, ErrorKind::invalid);
    }
    // A digest under the empty password must not do where there is none.
    auto server = asked();
    ASSERT_TRUE(server.step(CramMd5Client("tim", "").respond(kChallenge).value()));
    EXPECT_EQ(server.give(NoSecret{}).error().kind, ErrorKind::refused);
}

TEST(CramMd5, ServerTakesNoInitialResponseAndOneResponse) {
    CramMd5Server fresh(kChallenge);
    EXPECT_FALSE(fresh.client_first());
    EXPECT_EQ(fresh.step(kResponse).error().kind, ErrorKind::invalid);
    auto server = asked();
    EXPECT_EQ(server.start().error().kind, ErrorKind::invalid);
}

TEST(CramMd5, LoginMayHoldSpaces) {
    auto server = asked();
    EXPECT_EQ(std::get<PasswordWanted>(server.step("tim the first b913a602c7eda7a495b4e6e7334d3890").value()).login, "tim the first");
}

TEST(CramMd5, ServerReadsStrictly) {
    const std::string digest = "b913a602c7eda7a495b4e6e7334d3890";
    for (const auto& [response, kind] :
         std::initializer_list<std::pair<std::string, ErrorKind>>{{"", ErrorKind::syntax},
                                                                  {digest, ErrorKind::syntax},
                                                                  {" " + digest, ErrorKind::syntax},
                                                                  {"tim ", ErrorKind::syntax},
                                                                  {"tim " + digest + " ", ErrorKind::syntax},
                                                                  {"tim " + digest.substr(1), ErrorKind::syntax},
                                                                  {"tim " + digest + "0", ErrorKind::syntax},
                                                                  {"tim B913A602C7EDA7A495B4E6E7334D3890", ErrorKind::syntax},
                                                                  {"tim x913a602c7eda7a495b4e6e7334d3890", ErrorKind::syntax},
                                                                  {"t\0m "s + digest, ErrorKind::syntax},
                                                                  {"\xff " + digest, ErrorKind::syntax},
                                                                  {std::string(256, 'a') + " " + digest, ErrorKind::too_long}}) {
        auto server = asked();
        const auto step = server.step(response);
        ASSERT_FALSE(step) << response;
        EXPECT_EQ(step.error().kind, kind) << response;
        EXPECT_EQ(server.give(kPassword).error().kind, ErrorKind::invalid) << response;
    }
}

}  // namespace
}  // namespace thurn::sasl
