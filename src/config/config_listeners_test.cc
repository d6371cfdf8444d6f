// Listeners for others than clients, and settings that open a server too far.
#include "support/parsed_config.h"

namespace thurn::config {
namespace {

TEST(Listener, SpeaksLmtpOnLoopbackOrToItsNetworks) {
    const auto loaded = parse(R"(
        [[listener]]
        bind = ["127.0.0.1:24", "[::1]:24"]
        role = "lmtp"
        [[listener]]
        bind = ["0.0.0.0:24"]
        role = "lmtp"
        networks = ["10.0.0.0/8"]
    )")
                            .value();
    EXPECT_EQ(loaded.config.listeners.at(0).name(), "lmtp");
    EXPECT_EQ(loaded.config.listeners.at(0).role, policy::Role::lmtp);
    EXPECT_TRUE(loaded.config.listeners.at(1).networks.at(0).contains("10.1.2.3"));
    EXPECT_TRUE(loaded.warnings.empty());
}

TEST(Listener, MayBeALocalSocketForLmtp) {
    const auto loaded =
        parse("[[listener]]\nbind = [\"unix:/run/thurn/lmtp\", \"127.0.0.1:24\"]\nrole = \"lmtp\"\nsocket_mode = \"0600\"").value();
    EXPECT_EQ(loaded.config.listeners.at(0).socket_mode, 0600U);
    EXPECT_EQ(ListenerConfig().socket_mode, 0660U);
}

TEST(Listener, BelievesWhomItNames) {
    const auto loaded = parse(R"(
        [[listener]]
        bind = ["0.0.0.0:25"]
        proxy_protocol_from = ["10.0.0.0/8"]
        xclient_from = ["10.0.0.1"]
        xforward_from = ["10.0.0.2", "::1"]
        relay = false
        [smtp]
        vrfy = "on"
        expn = "authenticated"
        [relay]
        etrn = "everyone"
    )")
                            .value();
    const auto& listener = loaded.config.listeners.at(0);
    EXPECT_TRUE(listener.proxy_protocol_from.at(0).contains("10.255.0.1"));
    EXPECT_TRUE(listener.xclient_from.at(0).contains("10.0.0.1"));
    EXPECT_TRUE(listener.xforward_from.at(1).contains("::1"));
    EXPECT_FALSE(listener.relay);
    EXPECT_TRUE(ListenerConfig().relay);
    EXPECT_EQ(loaded.config.vrfy, inbound::Disclosure::on);
    EXPECT_EQ(loaded.config.expn, inbound::Disclosure::authenticated);
    EXPECT_EQ(loaded.config.etrn, inbound::QueueRunBy::everyone);
    EXPECT_TRUE(loaded.warnings.empty());
}

struct DangerCase {
    const char* name;
    const char* text;
    const char* warning;
};
class DangerTest : public testing::TestWithParam<DangerCase> {};
TEST_P(DangerTest, IsWarnedOf) { EXPECT_THAT(parse(GetParam().text).value().warnings, testing::Contains(HasSubstr(GetParam().warning))); }
INSTANTIATE_TEST_SUITE_P(
    Settings, DangerTest,
    testing::Values(DangerCase{"LmtpToTheInternet", "[[listener]]\nbind = [\"0.0.0.0:24\"]\nrole = \"lmtp\"\nnetworks = [\"0.0.0.0/0\"]",
                               "listener 0.0.0.0:24 speaks LMTP to the whole internet"},
                    DangerCase{"LoadBalancerThatMayRelay",
                               "[[listener]]\nbind = [\"0.0.0.0:25\"]\nproxy_protocol_from = [\"10.0.0.1\"]\n[relay]\nnetworks = "
                               "[\"10.0.0.0/8\"]",
                               "is in relay.networks too"},
                    DangerCase{"Expn", "[smtp]\nexpn = \"on\"", "smtp.expn"}),
    [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace thurn::config
