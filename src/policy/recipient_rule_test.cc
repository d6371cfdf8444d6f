#include "policy/recipient_rule.h"

#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace thurn::policy {
namespace {

using directory::AliasFor;
using directory::MailboxOf;
using directory::NotLocal;
using directory::Resolution;
using directory::UnknownUser;

Network network(std::string_view text) {
    auto parsed = parse_network(text);
    EXPECT_TRUE(parsed) << text;
    return parsed.value_or(Network{});
}

std::vector<Network> networks(const std::vector<std::string>& texts) {
    std::vector<Network> all;
    for (const auto& text : texts) all.push_back(network(text));
    return all;
}

struct ContainsCase {
    const char* network;
    const char* address;
    bool inside;
};
class ContainsTest : public testing::TestWithParam<ContainsCase> {};
TEST_P(ContainsTest, TellsWhoIsInside) { EXPECT_EQ(network(GetParam().network).contains(GetParam().address), GetParam().inside); }
INSTANTIATE_TEST_SUITE_P(
    Networks, ContainsTest,
    testing::Values(ContainsCase{"192.0.2.0/24", "192.0.2.0", true}, ContainsCase{"192.0.2.0/24", "192.0.2.255", true},
                    ContainsCase{"192.0.2.0/24", "192.0.3.0", false}, ContainsCase{"192.0.2.0/24", "192.0.1.255", false},
                    ContainsCase{"192.0.2.0/24", "::ffff:192.0.2.7", true}, ContainsCase{"::ffff:192.0.2.0/120", "192.0.2.7", true},
                    ContainsCase{"192.0.2.0/24", "::192.0.2.7", false}, ContainsCase{"192.0.2.0/23", "192.0.3.9", true},
                    ContainsCase{"192.0.2.0/23", "192.0.4.0", false}, ContainsCase{"192.0.2.7", "192.0.2.7", true},
                    ContainsCase{"192.0.2.7", "192.0.2.6", false}, ContainsCase{"192.0.2.4/31", "192.0.2.5", true},
                    ContainsCase{"192.0.2.4/31", "192.0.2.6", false}, ContainsCase{"127.0.0.0/8", "127.9.9.9", true},
                    ContainsCase{"127.0.0.0/8", "128.0.0.1", false}, ContainsCase{"0.0.0.0/0", "203.0.113.9", true},
                    ContainsCase{"0.0.0.0/0", "2001:db8::1", false}, ContainsCase{"::/0", "2001:db8::1", true},
                    ContainsCase{"::/0", "203.0.113.9", false}, ContainsCase{"::/8", "203.0.113.9", false},
                    ContainsCase{"2001:db8::/32", "2001:DB8:ffff::1", true}, ContainsCase{"2001:db8::/32", "2001:db9::1", false},
                    ContainsCase{"2001:db8::/33", "2001:db8:8000::1", false}, ContainsCase{"fe80::/10", "fe80::1%eth0", true},
                    ContainsCase{"::1/128", "::1", true}, ContainsCase{"::1", "::2", false}, ContainsCase{"0.0.0.0/0", "", false},
                    ContainsCase{"0.0.0.0/0", "localhost", false}, ContainsCase{"0.0.0.0/0", "1.2.3", false}));

TEST(ParseNetwork, RefusesWhatIsNone) {
    for (const char* text : {"",
                             "/",
                             "/8",
                             "example.com",
                             "192.0.2.0/",
                             "192.0.2.0/33",
                             "192.0.2.0/-1",
                             "192.0.2.0/+8",
                             "192.0.2.0/08",
                             "192.0.2.0/8 ",
                             "192.0.2/24",
                             "192.0.2.0.0/24",
                             "300.0.2.0/24",
                             "010.0.0.0/8",
                             "2001:db8::/129",
                             "2001:db8:::/32",
                             "[::1]/128",
                             "fe80::1%eth0/64",
                             "192.0.2.0/24/24",
                             "192.0.2.0/99999999999999999999"}) {
        auto parsed = parse_network(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error().kind, base::ErrorKind::syntax) << text;
    }
}

TEST(ParseNetwork, NamesTheNetworkThatWasMeant) {
    EXPECT_NE(parse_network("192.0.2.1/24").error().detail.find("192.0.2.0/24"), std::string::npos);
    EXPECT_NE(parse_network("2001:db8::1/32").error().detail.find("2001:db8::/32"), std::string::npos);
    EXPECT_EQ(parse_network("10.0.0.1/0").error().kind, base::ErrorKind::invalid);
}

struct EveryoneCase {
    const char* name;
    std::vector<std::string> networks;
    bool everyone;
};
class EveryoneTest : public testing::TestWithParam<EveryoneCase> {};
TEST_P(EveryoneTest, IsFoundOut) { EXPECT_EQ(covers_everyone(networks(GetParam().networks)), GetParam().everyone); }
INSTANTIATE_TEST_SUITE_P(Unions, EveryoneTest,
                         testing::Values(EveryoneCase{"Nothing", {}, false},
                                         EveryoneCase{"Usual", {"127.0.0.0/8", "::1/128", "10.0.0.0/8", "192.168.0.0/16"}, false},
                                         EveryoneCase{"Ipv4", {"0.0.0.0/0"}, true}, EveryoneCase{"Ipv6", {"::/0"}, true},
                                         EveryoneCase{"Mapped", {"::ffff:0.0.0.0/96"}, true},
                                         EveryoneCase{"Halves", {"128.0.0.0/1", "0.0.0.0/1"}, true},
                                         EveryoneCase{"OneHalf", {"128.0.0.0/1"}, false},
                                         EveryoneCase{"Quarters", {"192.0.0.0/2", "0.0.0.0/2", "128.0.0.0/2", "64.0.0.0/2"}, true},
                                         EveryoneCase{"AQuarterMissing", {"192.0.0.0/2", "0.0.0.0/2", "128.0.0.0/2"}, false},
                                         EveryoneCase{"Overlapping", {"0.0.0.0/1", "64.0.0.0/2", "96.0.0.0/3", "128.0.0.0/1"}, true},
                                         EveryoneCase{"AllButMulticast", {"0.0.0.0/1", "128.0.0.0/2", "192.0.0.0/3"}, true},
                                         EveryoneCase{"GlobalUnicastIpv6", {"2000::/3"}, true},
                                         EveryoneCase{"HalvesOfIpv6", {"::/1", "8000::/1"}, true},
                                         EveryoneCase{"HalvesOfGlobalUnicast", {"2000::/4", "3000::/4"}, true},
                                         EveryoneCase{"HalfOfGlobalUnicast", {"2000::/4"}, false},
                                         EveryoneCase{"MixedHalves", {"0.0.0.0/1", "8000::/1"}, false}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(IsEveryone, TellsOfOneNetwork) {
    EXPECT_TRUE(network("0.0.0.0/0").is_everyone());
    EXPECT_TRUE(network("::/0").is_everyone());
    EXPECT_FALSE(network("10.0.0.0/8").is_everyone());
}

// Many single networks that leave out one address: the arithmetic must carry across all 16 octets.
TEST(CoversEveryone, NoticesOneMissingAddress) {
    std::vector<std::string> texts = {"0.0.0.0/1"};
    std::uint32_t rest = 0x80000000u;  // 128.0.0.0/1 without 255.255.255.255 has all public addresses; without 200.0.0.1 it has not
    const std::uint32_t hole = (200u << 24) | 1u;
    for (unsigned bits = 2; bits <= 32; ++bits) {
        const std::uint32_t half = 1u << (32 - bits);
        const bool upper = (hole & half) != 0;
        const std::uint32_t start = upper ? rest : rest | half;
        texts.push_back(std::to_string(start >> 24) + "." + std::to_string(start >> 16 & 255) + "." + std::to_string(start >> 8 & 255) +
                        "." + std::to_string(start & 255) + "/" + std::to_string(bits));
        if (upper) rest |= half;
    }
    EXPECT_FALSE(covers_everyone(networks(texts)));
    texts.push_back("200.0.0.1/32");
    EXPECT_TRUE(covers_everyone(networks(texts)));
}

const Resolution kNotLocal = NotLocal{};
const Resolution kUnknown = UnknownUser{};
const Resolution kMailbox = MailboxOf{};
const Resolution kAlias = AliasFor{};

struct RecipientCase {
    const char* name;
    Role role;
    const char* client;
    const char* login;
    Resolution resolution;
    bool relayed;
    int code;
    const char* status;
};
class RecipientTest : public testing::TestWithParam<RecipientCase> {};
TEST_P(RecipientTest, IsDecided) {
    const auto& row = GetParam();
    const auto decision =
        decide_recipient({row.role, row.client, row.login}, row.resolution, row.relayed, networks({"10.0.0.0/8", "::1/128"}));
    EXPECT_EQ(decision.code, row.code);
    EXPECT_EQ(mail::render_status(decision.status), row.status);
    EXPECT_EQ(decision.kind == Decision::Kind::accept, row.code == 250);
    EXPECT_FALSE(decision.rule.empty());
    EXPECT_FALSE(decision.reason.empty());
}
INSTANTIATE_TEST_SUITE_P(
    Rcpt, RecipientTest,
    testing::Values(RecipientCase{"Mailbox", Role::mx, "203.0.113.1", "", kMailbox, false, 250, "2.1.5"},
                    RecipientCase{"Alias", Role::mx, "203.0.113.1", "", kAlias, false, 250, "2.1.5"},
                    RecipientCase{"Unknown", Role::mx, "203.0.113.1", "", kUnknown, false, 550, "5.1.1"},
                    RecipientCase{"UnknownForALogin", Role::submission, "203.0.113.1", "a@a.example", kUnknown, false, 550, "5.1.1"},
                    RecipientCase{"UnknownForARelayNetwork", Role::mx, "10.1.1.1", "", kUnknown, false, 550, "5.1.1"},
                    RecipientCase{"Relaying", Role::mx, "203.0.113.1", "", kNotLocal, false, 550, "5.7.1"},
                    RecipientCase{"RelayDomain", Role::mx, "203.0.113.1", "", kNotLocal, true, 250, "2.1.5"},
                    RecipientCase{"RelayNetwork", Role::mx, "10.1.1.1", "", kNotLocal, false, 250, "2.1.5"},
                    RecipientCase{"RelayNetworkMapped", Role::mx, "::ffff:10.1.1.1", "", kNotLocal, false, 250, "2.1.5"},
                    RecipientCase{"Login", Role::submission, "203.0.113.1", "a@a.example", kNotLocal, false, 250, "2.1.5"},
                    RecipientCase{"LoginOnTheMxPort", Role::mx, "203.0.113.1", "a@a.example", kNotLocal, false, 250, "2.1.5"},
                    RecipientCase{"SubmissionOfAMailbox", Role::submission, "203.0.113.1", "", kMailbox, false, 530, "5.7.0"},
                    RecipientCase{"LmtpMailbox", Role::lmtp, "203.0.113.1", "", kMailbox, false, 250, "2.1.5"},
                    RecipientCase{"LmtpUnknown", Role::lmtp, "10.1.1.1", "", kUnknown, false, 550, "5.1.1"},
                    RecipientCase{"LmtpNotOurs", Role::lmtp, "10.1.1.1", "a@a.example", kNotLocal, true, 550, "5.7.1"},
                    RecipientCase{"SubmissionFromARelayNetwork", Role::submission, "10.1.1.1", "", kNotLocal, true, 530, "5.7.0"}),
    [](const auto& row) { return std::string(row.param.name); });

// The promise: never an open relay. Told apart from the code under test by a slow, obvious reading of DESIGN §7.
TEST(OpenRelay, NeverHappensWhateverTheFacts) {
    std::mt19937 random(20240607);
    const auto dice = [&](unsigned sides) { return static_cast<unsigned>(random() % sides); };
    const auto allowed = networks({"10.0.0.0/8", "192.0.2.4/30", "2001:db8:1::/48"});
    const std::vector<Resolution> resolutions = {kNotLocal, kUnknown, kMailbox, kAlias};
    int relayed_count = 0, denied_count = 0;
    for (int round = 0; round < 20000; ++round) {
        const unsigned first = dice(4) == 0 ? 10 : dice(256);
        std::string client =
            std::to_string(first) + "." + std::to_string(dice(256)) + "." + std::to_string(dice(256)) + "." + std::to_string(dice(256));
        bool inside = first == 10;
        if (dice(8) == 0) {
            client = "192.0.2." + std::to_string(dice(16));
            inside = client == "192.0.2.4" || client == "192.0.2.5" || client == "192.0.2.6" || client == "192.0.2.7";
        }
        if (dice(8) == 0) {
            inside = dice(2) == 0;
            client = inside ? "2001:db8:1::5" : "2001:db8:2::5";
        }
        if (dice(16) == 0) {
            inside = false;
            client = dice(2) == 0 ? "" : "unknown";
        }
        const Facts facts{static_cast<Role>(dice(3)), client, dice(3) == 0 ? "anna@a.example" : ""};
        const auto& resolution = resolutions[dice(4)];
        const bool relayed = dice(4) == 0;
        const auto decision = decide_recipient(facts, resolution, relayed, allowed);
        if (decision.kind != Decision::Kind::accept) {
            EXPECT_GE(decision.code, 500);
            ++denied_count;
            continue;
        }
        EXPECT_FALSE(std::holds_alternative<UnknownUser>(resolution));
        if (!std::holds_alternative<NotLocal>(resolution)) continue;
        EXPECT_NE(facts.role, Role::lmtp);
        EXPECT_TRUE(!facts.login.empty() || (facts.role == Role::mx && (relayed || inside))) << client;
        ++relayed_count;
    }
    EXPECT_GT(relayed_count, 500);
    EXPECT_GT(denied_count, 500);
}

}  // namespace
}  // namespace thurn::policy
