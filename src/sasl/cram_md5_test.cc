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
    EXPECT_EQ(std::get<CramMd5SecretWanted>(server.step(kResponse).value()).login, "tim");
    EXPECT_EQ(std::get<IdentityProven>(std::get<Claim>(server.give(derive_cram_md5_secret(kPassword)).value())).login, "tim");
    EXPECT_EQ(server.give(derive_cram_md5_secret(kPassword)).error().kind, ErrorKind::invalid);
}

TEST(CramMd5, ClientGivesTheExample) {
    CramMd5Client client("tim", kPassword);
    EXPECT_EQ(client.initial(), std::nullopt);
    EXPECT_EQ(client.respond(kChallenge), kResponse);
    EXPECT_EQ(client.respond(kChallenge).error().kind, ErrorKind::invalid);
}

TEST(CramMd5, ServerRefusesAnotherPasswordAndNone) {
    for (const Secret& secret : {Secret(derive_cram_md5_secret("Tanstaaftanstaaf")), Secret(NoSecret{})}) {
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
    EXPECT_EQ(std::get<CramMd5SecretWanted>(server.step("tim the first b913a602c7eda7a495b4e6e7334d3890").value()).login, "tim the first");
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
        EXPECT_EQ(server.give(derive_cram_md5_secret(kPassword)).error().kind, ErrorKind::invalid) << response;
    }
}

TEST(CramMd5Secret, DoesWhatHmacDoes) {
    for (const std::size_t size : {0U, 1U, 16U, 63U, 64U, 65U, 200U}) {
        const std::string password(size, 'p');
        for (const std::size_t octets : {0U, 1U, 55U, 56U, 64U, 300U}) {
            const std::string text(octets, 't');
            EXPECT_EQ(hmac_md5(derive_cram_md5_secret(password), text), hmac(Hash::md5, password, text)) << size << ", " << octets;
        }
    }
}

TEST(CramMd5Secret, IsWrittenAsDovecotDoes) {
    // doveadm pw -s CRAM-MD5 -p tanstaaftanstaaf
    const std::string text = "d06d4e1b26fccaa4b0b61801132340a354b21152711fb604ca3e035e7015116b";
    EXPECT_EQ(render_cram_md5_secret(derive_cram_md5_secret(kPassword)), text);
    EXPECT_EQ(parse_cram_md5_secret(text).value(), derive_cram_md5_secret(kPassword));
}

TEST(CramMd5Secret, ReadsNothingElse) {
    const std::string digits = render_cram_md5_secret(derive_cram_md5_secret("x"));
    for (const std::string& text : {""s, digits + "0", digits.substr(1), "g" + digits.substr(1), "A" + digits.substr(1)}) {
        const auto read = parse_cram_md5_secret(text);
        ASSERT_FALSE(read) << text;
        EXPECT_EQ(read.error().kind, ErrorKind::corrupt);
        EXPECT_EQ(read.error().detail.find(digits.substr(8, 8)), std::string::npos);
    }
}

TEST(CramMd5Secret, DecoysFitNobody) {
    EXPECT_EQ(make_decoy_cram_md5_secret("joe", "key"), make_decoy_cram_md5_secret("joe", "key"));
    EXPECT_NE(make_decoy_cram_md5_secret("joe", "key"), make_decoy_cram_md5_secret("jim", "key"));
    EXPECT_NE(make_decoy_cram_md5_secret("joe", "key"), make_decoy_cram_md5_secret("joe", "another"));
    auto server = asked();
    ASSERT_TRUE(server.step(CramMd5Client("joe", "").respond(kChallenge).value()));
    EXPECT_EQ(server.give(make_decoy_cram_md5_secret("joe", "")).error().kind, ErrorKind::refused);
}

}  // namespace
}  // namespace thurn::sasl
