#include "policy/greylist.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::policy {
namespace {

using namespace std::chrono_literals;
using State = Greylist::Verdict::State;
using Verdict = Greylist::Verdict;

constexpr base::Time kStart{std::chrono::days(20000)};
const Triplet kTriplet{"192.0.2.0", "carl@there.example", "anna@here.example"};

Triplet from(const std::string& sender) { return {"192.0.2.0", sender, "anna@here.example"}; }

class GreylistTest : public testing::Test {
protected:
    State judge(const Triplet& triplet, base::Time now) { return list_.judge(triplet, rules_, now).state; }
    void pass(const Triplet& triplet, base::Time now) {
        judge(triplet, now);
        EXPECT_EQ(judge(triplet, now + 5min), State::passed);
    }
    GreylistRules rules_;
    Greylist list_{{.capacity = 1000, .seed = 1}};
};

TEST_F(GreylistTest, PutsOffWhatIsNewUntilTheDelayIsOver) {
    EXPECT_EQ(list_.judge(kTriplet, rules_, kStart), (Verdict{State::fresh, 300s}));
    EXPECT_EQ(list_.judge(kTriplet, rules_, kStart + 100s), (Verdict{State::waiting, 200s}));
    EXPECT_EQ(list_.judge(kTriplet, rules_, kStart + 299s), (Verdict{State::waiting, 1s}));
    EXPECT_EQ(list_.judge(kTriplet, rules_, kStart + 300s), (Verdict{State::passed, 0s}));
    EXPECT_EQ(list_.judge(kTriplet, rules_, kStart + 301s), (Verdict{State::passed, 0s}));
    EXPECT_TRUE(Verdict{State::fresh}.defers());
    EXPECT_FALSE(Verdict{State::passed}.defers());
    EXPECT_EQ((Verdict{State::waiting, 200s}).wait(), FactValue(200.0));
    EXPECT_EQ((Verdict{State::waiting, 0s}).wait(), FactValue(1.0)) << "who is put off has to wait";
    EXPECT_EQ((Verdict{State::known}).wait(), FactValue(0.0));
}

TEST_F(GreylistTest, GoesByTheEnvelope) {
    const auto recipient = *mail::parse_mailbox("Bob@b.example");
    const auto sender = *mail::parse_mailbox("anna@a.example");
    const auto triplet = triplet_of({.client_address = "192.0.2.7", .sender = &sender, .recipient = &recipient});
    EXPECT_EQ(triplet.network, greylist_network("192.0.2.7"));
    EXPECT_EQ(triplet.sender, "anna@a.example");
    EXPECT_EQ(triplet.recipient, "Bob@b.example");
    EXPECT_EQ(triplet_of({.client_address = "192.0.2.7", .recipient = &recipient}).sender, "");
}

TEST_F(GreylistTest, BeginsAnewAfterTheRetryWindow) {
    judge(kTriplet, kStart);
    EXPECT_EQ(judge(kTriplet, kStart + 48h), State::fresh);
    EXPECT_EQ(judge(kTriplet, kStart + 48h + 5min), State::passed);
}

TEST_F(GreylistTest, RemembersWhatPassedSinceItWasLastSeen) {
    pass(kTriplet, kStart);
    EXPECT_EQ(judge(kTriplet, kStart + 24h * 36), State::passed);
    EXPECT_EQ(judge(kTriplet, kStart + 24h * 71), State::passed);
    EXPECT_EQ(judge(kTriplet, kStart + 24h * 107), State::fresh);
}

TEST_F(GreylistTest, TellsTripletsApart) {
    pass(kTriplet, kStart);
    for (const Triplet& other : {Triplet{"192.0.3.0", kTriplet.sender, kTriplet.recipient}, from("other@there.example"), from(""),
                                 Triplet{kTriplet.network, kTriplet.sender, "bob@here.example"}})
        EXPECT_EQ(judge(other, kStart + 1h), State::fresh);
    EXPECT_EQ(judge({"192.0.2.0", "Carl@There.example", "ANNA@here.example"}, kStart + 1h), State::passed);
}

TEST_F(GreylistTest, KnowsANetworkFromWhichEnoughHasPassed) {
    for (int i = 0; i < 5; ++i) {
        const auto triplet = from(std::string(1, static_cast<char>('a' + i)) + "@there.example");
        EXPECT_EQ(judge(triplet, kStart), State::fresh);
    }
    for (int i = 0; i < 5; ++i) {
        const auto triplet = from(std::string(1, static_cast<char>('a' + i)) + "@there.example");
        EXPECT_EQ(judge(triplet, kStart + 5min), State::passed);
        if (i < 4) EXPECT_EQ(judge(triplet, kStart + 5min), State::passed) << "one that comes again counts once";
    }
    EXPECT_EQ(judge(from("new@there.example"), kStart + 5min), State::known);
    EXPECT_EQ(judge({"198.51.100.0", "new@there.example", "anna@here.example"}, kStart + 5min), State::fresh);
    EXPECT_EQ(judge(from("new@there.example"), kStart + 24h * 36), State::known) << "what it sends keeps it known";
    EXPECT_EQ(judge(from("new@there.example"), kStart + 24h * 73), State::fresh);
    rules_.known_after = 0;
    EXPECT_EQ(judge(from("newer@there.example"), kStart + 24h * 40), State::fresh) << "0: never";
}

TEST_F(GreylistTest, TellsWithoutNoting) {
    for (int i = 0; i < 2; ++i) EXPECT_EQ(list_.peek(kTriplet, rules_, kStart).state, State::fresh);
    EXPECT_EQ(list_.size(), 0);
    judge(kTriplet, kStart);
    EXPECT_EQ(list_.peek(kTriplet, rules_, kStart + 5min).state, State::passed);
    EXPECT_EQ(list_.peek(kTriplet, rules_, kStart + 1min), (Verdict{State::waiting, 240s}));
}

TEST_F(GreylistTest, StandsAClockThatIsSetBack) {
    judge(kTriplet, kStart + 24h);
    EXPECT_EQ(list_.judge(kTriplet, rules_, kStart), (Verdict{State::waiting, 300s}));
    EXPECT_EQ(judge(kTriplet, kStart + 5min), State::passed);
}

TEST_F(GreylistTest, IsBoundedAndForgetsWaitingOnesFirst) {
    pass(kTriplet, kStart);
    for (int i = 0; i < 100'000; ++i) judge({"10.0.0.0", "a@there.example", std::to_string(i) + "@here.example"}, kStart + 10min);
    EXPECT_LT(list_.size(), 5000);
    EXPECT_EQ(judge(kTriplet, kStart + 10min), State::passed);
}

TEST_F(GreylistTest, IsTheSameAfterARestart) {
    pass(kTriplet, kStart);
    judge(from("b@there.example"), kStart + 4min);
    for (int i = 0; i < 5; ++i) pass({"203.0.113.0", "a@there.example", std::string(1, static_cast<char>('a' + i)) + "@here"}, kStart);
    Greylist after({.capacity = 1000, .seed = 2});
    const auto octets = list_.snapshot(kStart + 5min);
    ASSERT_TRUE(after.restore(octets));
    EXPECT_EQ(after.peek(kTriplet, rules_, kStart + 5min).state, State::passed);
    EXPECT_EQ(after.peek(from("b@there.example"), rules_, kStart + 5min), (Verdict{State::waiting, 240s}));
    EXPECT_EQ(after.peek({"203.0.113.0", "x@y", "z@here"}, rules_, kStart + 5min).state, State::known);
    for (std::size_t size = 0; size < octets.size(); ++size) ASSERT_FALSE(after.restore(octets.substr(0, size)));
    EXPECT_EQ(after.peek(kTriplet, rules_, kStart + 5min).state, State::passed);
}

TEST(GreylistNetwork, IsThatOfTheHostsThatSendTogether) {
    EXPECT_EQ(greylist_network("192.0.2.77"), "192.0.2.0");
    EXPECT_EQ(greylist_network("::ffff:192.0.2.77"), "192.0.2.0");
    EXPECT_EQ(greylist_network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    EXPECT_EQ(greylist_network("unknown"), "unknown");
}

struct SenderCase {
    const char* name;
    const char* sender;
    const char* compared;
};
class GreylistSenderTest : public testing::TestWithParam<SenderCase> {};
TEST_P(GreylistSenderTest, IsComparedWithoutWhatIsNewEachTime) {
    EXPECT_EQ(greylist_sender(GetParam().sender), GetParam().compared);
    EXPECT_EQ(greylist_sender(GetParam().compared), GetParam().compared);
}
INSTANTIATE_TEST_SUITE_P(
    Senders, GreylistSenderTest,
    testing::Values(SenderCase{"Plain", "Carl@There.example", "carl@there.example"}, SenderCase{"Null", "", ""},
                    SenderCase{"Verp", "list-bounces+anna=here.example@there.example", "list-bounces@there.example"},
                    SenderCase{"Numbers", "bounce-7781-42@mail12.there.example", "bounce-#-#@mail12.there.example"},
                    SenderCase{"Batv", "prvs=2509a1b2c3=carl@there.example", "carl@there.example"},
                    SenderCase{"Srs", "SRS0=HHHH=TT=there.example=carl@forwarder.example", "srs#=there.example=carl@forwarder.example"},
                    SenderCase{"OddBatv", "prvs=x@there.example", "prvs=x@there.example"},
                    SenderCase{"OddSrs", "srs0=x@there.example", "srs#=x@there.example"},
                    SenderCase{"TagOnly", "+x@there.example", "+x@there.example"}, SenderCase{"NoDomain", "root", "root"}),
    [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace thurn::policy
