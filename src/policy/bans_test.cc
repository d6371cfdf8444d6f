#include "policy/bans.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::policy {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr base::Time kNow{std::chrono::days(20000)};

Ban by_hand(std::string_view subject) { return {.subject = *parse_ban_subject(subject), .reason = "spam", .since = kNow}; }
Ban for_failures(std::string_view subject, base::Duration length) {
    return {.subject = *parse_ban_subject(subject), .by = Ban::By::failures, .since = kNow, .until = kNow + length, .failures = 30};
}

struct SubjectCase {
    const char* name;
    std::string_view text;
    BanSubject::Of of;
    std::string_view shown;
};
class BanSubjectTest : public testing::TestWithParam<SubjectCase> {};

TEST_P(BanSubjectTest, HasOneForm) {
    const auto subject = parse_ban_subject(GetParam().text);
    ASSERT_TRUE(subject) << subject.error().detail;
    EXPECT_EQ(subject->of, GetParam().of);
    EXPECT_EQ(subject->text, GetParam().shown);
    EXPECT_EQ(parse_ban_subject(subject->text), subject);
}

constexpr auto kNetwork = BanSubject::Of::network;
constexpr auto kAccount = BanSubject::Of::account;
INSTANTIATE_TEST_SUITE_P(Forms, BanSubjectTest,
                         testing::Values(SubjectCase{"Address", "192.0.2.1", kNetwork, "192.0.2.1"},
                                         SubjectCase{"AddressAsNetwork", "192.0.2.1/32", kNetwork, "192.0.2.1"},
                                         SubjectCase{"Network", "192.0.2.0/24", kNetwork, "192.0.2.0/24"},
                                         SubjectCase{"Ipv6", "2001:DB8:0:0::/64", kNetwork, "2001:db8::/64"},
                                         SubjectCase{"Ipv6Address", "2001:db8::0001", kNetwork, "2001:db8::1"},
                                         SubjectCase{"Mapped", "::ffff:192.0.2.0/120", kNetwork, "192.0.2.0/24"},
                                         SubjectCase{"Login", "Anna@Here.Example", kAccount, "anna@here.example"},
                                         SubjectCase{"QuotedLogin", R"("\Anna"@here.example)", kAccount, "anna@here.example"},
                                         SubjectCase{"LoginWithoutDomain", "Admin", kAccount, "admin"},
                                         SubjectCase{"LoginOfDigits", "12345", kAccount, "12345"}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(BanSubject, IsRefusedWhenItMustBeAMistake) {
    for (const auto* text : {"", "192.0.2", "192.0.2.300", "192.0.2.0/33", "0.0.0.0/0", "::/0", "2001:db8::/129", "1.2.3.4/", "a\nb@here"})
        EXPECT_FALSE(parse_ban_subject(text)) << text;
    EXPECT_THAT(parse_ban_subject("192.0.2.1/24").error().detail, HasSubstr("did you mean 192.0.2.0/24?"));
    EXPECT_FALSE(parse_ban_subject(std::string(321, 'a')));
}

TEST(Bans, FindAddressesInTheirNetworks) {
    Bans bans;
    for (const auto* subject : {"192.0.2.1", "198.51.100.0/24", "2001:db8::/64"}) ASSERT_TRUE(bans.put(by_hand(subject), kNow));
    for (const auto* address : {"192.0.2.1", "::ffff:192.0.2.1", "198.51.100.255", "2001:db8::5:6:7:8"})
        EXPECT_TRUE(bans.find_network(address, kNow)) << address;
    for (const auto* address : {"192.0.2.2", "198.51.101.0", "2001:db8:0:1::1", "local", "", "::c000:201"})
        EXPECT_FALSE(bans.find_network(address, kNow)) << address;
}

TEST(Bans, FindAccountsWithoutCase) {
    Bans bans;
    ASSERT_TRUE(bans.put(by_hand("Anna@here.example"), kNow));
    EXPECT_TRUE(bans.find_account("anna@HERE.example", kNow));
    EXPECT_FALSE(bans.find_account("bob@here.example", kNow));
}

TEST(Bans, EndWhenTheyEnd) {
    Bans bans;
    ASSERT_TRUE(bans.put(for_failures("192.0.2.1", 10min), kNow));
    EXPECT_TRUE(bans.find_network("192.0.2.1", kNow + 599s));
    EXPECT_FALSE(bans.find_network("192.0.2.1", kNow + 600s));
    EXPECT_TRUE(bans.list(kNow + 600s).empty());
}

TEST(Bans, ByHandComeFirst) {
    Bans bans;
    ASSERT_TRUE(bans.put(by_hand("192.0.2.0/24"), kNow));
    ASSERT_TRUE(bans.put(for_failures("192.0.2.1", 1h), kNow));
    EXPECT_EQ(bans.find_network("192.0.2.1", kNow)->by, Ban::By::hand) << "of a wider one too";
    ASSERT_TRUE(bans.put(by_hand("192.0.2.1"), kNow));
    ASSERT_TRUE(bans.put(for_failures("192.0.2.1", 1h), kNow));
    ASSERT_TRUE(bans.lift(*parse_ban_subject("192.0.2.0/24")));
    EXPECT_EQ(bans.find_network("192.0.2.1", kNow)->by, Ban::By::hand) << "it does not give way";
    EXPECT_TRUE(bans.lift(*parse_ban_subject("192.0.2.1")));
    EXPECT_FALSE(bans.find_network("192.0.2.1", kNow));
    EXPECT_FALSE(bans.lift(*parse_ban_subject("192.0.2.1")));
}

TEST(Bans, AreBounded) {
    Bans bans;
    ASSERT_TRUE(bans.put(for_failures("203.0.113.1", 24h), kNow));
    ASSERT_TRUE(bans.put(by_hand("203.0.113.2"), kNow));
    for (unsigned i = 0; i < 120'000; ++i) {
        const auto address = fmt::format("10.{}.{}.{}", i >> 16U, (i >> 8U) & 255U, i & 255U);
        ASSERT_TRUE(bans.put(for_failures(address, 10min), kNow));
    }
    EXPECT_LE(bans.list(kNow).size(), Bans::kMost);
    EXPECT_TRUE(bans.find_network("203.0.113.1", kNow)) << "the longest stay";
    EXPECT_TRUE(bans.find_network("203.0.113.2", kNow));
    EXPECT_FALSE(bans.put({.subject = *parse_ban_subject("a@b"), .reason = std::string(201, 'x')}, kNow));
    for (unsigned i = 1; i < Bans::kMostByHand; ++i)
        ASSERT_TRUE(bans.put(by_hand(fmt::format("11.0.{}.{}", i >> 8U, i & 255U)), kNow)) << i;
    const auto refused = bans.put(by_hand("12.0.0.1"), kNow);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, base::ErrorKind::full);
}

}  // namespace
}  // namespace thurn::policy
