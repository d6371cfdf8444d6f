#include "policy/token_buckets.h"

#include <map>
#include <random>
#include <thread>

#include <gtest/gtest.h>

namespace thurn::policy {
namespace {

using namespace std::chrono_literals;
using Values = std::vector<std::string>;

constexpr base::Time kStart{std::chrono::days(20000)};
const Values kAnna{"anna@here.example"};
const Values kBob{"bob@here.example"};

TEST(TokenBuckets, HoldTheAmountAndFillEvenly) {
    TokenBuckets buckets({});
    const Limit limit{3, 1h};
    for (const double left : {2, 1, 0}) EXPECT_NEAR(buckets.take("messages", kAnna, 1, limit, kStart).left, left, 1e-6);
    const auto full = buckets.take("messages", kAnna, 1, limit, kStart);
    EXPECT_FALSE(full.room);
    EXPECT_NEAR(static_cast<double>(full.wait.count()), 1200'000, 1);
    EXPECT_FALSE(buckets.take("messages", kAnna, 1, limit, kStart + 1199s).room);
    EXPECT_TRUE(buckets.take("messages", kAnna, 1, limit, kStart + 1200s).room);
    EXPECT_FALSE(buckets.take("messages", kAnna, 1, limit, kStart + 1200s).room);
    EXPECT_NEAR(buckets.peek("messages", kAnna, 0, limit, kStart + 10h).left, 3, 1e-6) << "never more than the amount";
}

TEST(TokenBuckets, AreOneForEachNameAndItsValues) {
    TokenBuckets buckets({});
    const Limit limit{1, 1h};
    EXPECT_TRUE(buckets.take("messages", kAnna, 1, limit, kStart).room);
    EXPECT_FALSE(buckets.take("messages", kAnna, 1, limit, kStart).room);
    EXPECT_TRUE(buckets.take("messages", kBob, 1, limit, kStart).room);
    EXPECT_TRUE(buckets.take("recipients", kAnna, 1, limit, kStart).room);
    EXPECT_TRUE(buckets.take("messages", Values{"anna@here.example", ""}, 1, limit, kStart).room);
    EXPECT_TRUE(buckets.take("r", Values{"ab", "c"}, 1, limit, kStart).room);
    EXPECT_TRUE(buckets.take("r", Values{"a", "bc"}, 1, limit, kStart).room);
    EXPECT_TRUE(buckets.take("r", Values{"abc"}, 1, limit, kStart).room);
}

TEST(TokenBuckets, GiveExactlyTheAmountHoweverItDivides) {
    for (const int amount : {1, 3, 7, 11, 500, 999, 10007}) {
        TokenBuckets buckets({});
        const Limit limit{static_cast<double>(amount), 1s};
        int taken = 0;
        while (buckets.take("r", kAnna, 1, limit, kStart).room) ++taken;
        EXPECT_EQ(taken, amount);
    }
}

TEST(TokenBuckets, TakeAllOrNothing) {
    TokenBuckets buckets({});
    const Limit limit{100.0 * 1024 * 1024, std::chrono::days(1), Limit::Of::octets};
    EXPECT_TRUE(buckets.take("octets", kAnna, 60e6, limit, kStart).room);
    EXPECT_FALSE(buckets.take("octets", kAnna, 60e6, limit, kStart).room);
    EXPECT_TRUE(buckets.take("octets", kAnna, 40e6, limit, kStart).room) << "the refused one took nothing";
    EXPECT_EQ(buckets.take("octets", kAnna, 200e6, limit, kStart).wait, Taken::kNever);
    EXPECT_TRUE(buckets.take("octets", kAnna, -5, limit, kStart).room);
    EXPECT_TRUE(buckets.take("octets", kBob, 100.0 * 1024 * 1024, limit, kStart).room) << "the whole of it fits";
}

TEST(TokenBuckets, TellWithoutTaking) {
    TokenBuckets buckets({});
    const Limit limit{1, 1h};
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(buckets.peek("r", kAnna, 1, limit, kStart).room);
    EXPECT_EQ(buckets.size(), 0);
    EXPECT_EQ(buckets.changes(), 0);
    buckets.take("r", kAnna, 1, limit, kStart);
    const auto taken = buckets.peek("r", kAnna, 1, limit, kStart + 30min);
    EXPECT_FALSE(taken.room);
    EXPECT_EQ(taken.wait, 30min);
    EXPECT_EQ(buckets.changes(), 1);
}

TEST(TokenBuckets, ChargeWhatHappenedEvenIfThereWasNoRoom) {
    TokenBuckets buckets({});
    const Limit limit{2, 1h};
    EXPECT_TRUE(buckets.charge("r", kAnna, 1, limit, kStart).room);
    EXPECT_TRUE(buckets.charge("r", kAnna, 1, limit, kStart).room);
    EXPECT_FALSE(buckets.charge("r", kAnna, 1, limit, kStart).room);
    EXPECT_FALSE(buckets.charge("r", kAnna, 1000, limit, kStart).room);
    EXPECT_TRUE(buckets.take("r", kAnna, 2, limit, kStart + 1h).room) << "a bucket is never emptier than empty";
}

TEST(TokenBuckets, TakeANewLimitAsTheShareThatIsLeft) {
    TokenBuckets buckets({});
    buckets.take("r", kAnna, 5, {10, 1h}, kStart);
    EXPECT_NEAR(buckets.peek("r", kAnna, 0, {100, 1h}, kStart).left, 50, 1e-6);
}

TEST(TokenBuckets, StandAClockThatIsSetBack) {
    TokenBuckets buckets({});
    const Limit limit{1, 1h};
    buckets.take("r", kAnna, 1, limit, kStart + 24h);
    EXPECT_EQ(buckets.take("r", kAnna, 1, limit, kStart).wait, 1h);
    EXPECT_EQ(buckets.peek("r", kAnna, 1, limit, kStart).wait, 1h);
}

/// The slow obvious version: tokens that come back.
TEST(TokenBuckets, AgreeWithCountingTokens) {
    struct Obvious {
        double left;
        base::Time at;
    };
    std::mt19937 random(7);
    TokenBuckets buckets({.capacity = 1000, .seed = 9});
    std::map<std::string, Obvious> obvious;
    const Limit limit{10, 100s};
    auto now = kStart;
    for (int step = 0; step < 20000; ++step) {
        now += base::Duration(random() % 3000);
        const Values values{std::to_string(random() % 5)};
        const double amount = 1 + random() % 3;
        auto& bucket = obvious.try_emplace(values[0], Obvious{10, now}).first->second;
        bucket.left = std::min(10.0, bucket.left + std::chrono::duration<double>(now - bucket.at).count() / 10);
        bucket.at = now;
        if (std::abs(bucket.left - amount) < 1e-5) continue;  // rounding decides
        const bool room = bucket.left >= amount;
        if (room) bucket.left -= amount;
        const auto taken = buckets.take("r", values, amount, limit, now);
        ASSERT_EQ(taken.room, room) << "step " << step;
        ASSERT_NEAR(taken.left, bucket.left, 1e-4) << "step " << step;
        if (!room) ASSERT_NEAR(std::chrono::duration<double>(taken.wait).count(), (amount - bucket.left) * 10, 0.01);
    }
}

TEST(TokenBuckets, KeepAMillionKeysWithin200MiB) {
    constexpr std::size_t kKeys = 1'000'000;
    TokenBuckets buckets({.capacity = kKeys, .seed = 3});
    const Limit limit{2, 1h};
    Values values(1);
    for (std::size_t i = 0; i < kKeys; ++i) {
        values[0] = std::to_string(i);
        buckets.take("r", values, 1, limit, kStart);
    }
    EXPECT_EQ(buckets.size(), kKeys);
    EXPECT_LT(buckets.octets(), std::size_t{64} << 20);
    for (std::size_t i = 0; i < kKeys; i += 997) {
        values[0] = std::to_string(i);
        EXPECT_NEAR(buckets.peek("r", values, 0, limit, kStart).left, 1, 1e-6);
    }
}

TEST(TokenBuckets, ForgetFirstWhatWillBeFullSoonest) {
    TokenBuckets buckets({.capacity = 1000, .seed = 3});
    const Limit limit{10, 1h};
    buckets.charge("r", kAnna, 10, limit, kStart);
    Values values(1);
    for (int i = 0; i < 100'000; ++i) {
        values[0] = std::to_string(i);
        buckets.take("r", values, 1, limit, kStart);
    }
    EXPECT_LT(buckets.size(), 5000);
    EXPECT_LT(buckets.octets(), 200'000);
    EXPECT_FALSE(buckets.take("r", kAnna, 1, limit, kStart).room) << "the emptiest outlives the flood";
}

TEST(TokenBuckets, TakeNoMoreMemoryForWhatIsFullAgain) {
    TokenBuckets buckets({});
    const Limit limit{10, 1s};
    Values values(1);
    for (int i = 0; i < 200'000; ++i) {
        values[0] = std::to_string(i);
        buckets.take("r", values, 1, limit, kStart + std::chrono::milliseconds(i));
    }
    EXPECT_LT(buckets.octets(), 100'000);
}

TEST(TokenBuckets, AreTheSameAfterARestart) {
    TokenBuckets before({.capacity = 10'000, .seed = 5});
    const Limit limit{4, 1h};
    Values values(1);
    for (int i = 0; i < 5000; ++i) {
        values[0] = std::to_string(i);
        before.take("r", values, 1 + i % 4, limit, kStart);
    }
    const auto octets = before.snapshot(kStart);
    TokenBuckets after({.capacity = 10'000, .seed = 6});
    ASSERT_TRUE(after.restore(octets));
    EXPECT_EQ(after.size(), 5000);
    for (int i = 0; i < 5000; ++i) {
        values[0] = std::to_string(i);
        ASSERT_NEAR(after.peek("r", values, 0, limit, kStart).left, 3 - i % 4, 1e-6);
    }
    EXPECT_EQ(after.snapshot(kStart).size(), octets.size());
    TokenBuckets smaller({.capacity = 100, .seed = 6});
    ASSERT_TRUE(smaller.restore(octets));
    EXPECT_LT(smaller.size(), 700);
    EXPECT_LT(before.snapshot(kStart + 2h).size(), 100) << "what is full again is not written";
}

TEST(TokenBuckets, RefuseASnapshotThatIsCutOrChanged) {
    TokenBuckets before({.capacity = 100, .seed = 5});
    before.take("r", kAnna, 1, {1, 1h}, kStart);
    const auto octets = before.snapshot(kStart);
    TokenBuckets after({.capacity = 100, .seed = 6});
    after.take("r", kBob, 1, {1, 1h}, kStart);
    for (std::size_t size = 0; size < octets.size(); ++size) ASSERT_FALSE(after.restore(octets.substr(0, size))) << size;
    for (std::size_t at = 0; at < octets.size(); ++at) {
        auto changed = octets;
        changed[at] = static_cast<char>(changed[at] ^ 1);
        ASSERT_FALSE(after.restore(changed)) << at;
    }
    EXPECT_FALSE(after.restore(octets + "x"));
    EXPECT_FALSE(after.take("r", kBob, 1, {1, 1h}, kStart).room) << "what it held is still there";
    EXPECT_TRUE(after.restore(octets));
    EXPECT_TRUE(after.take("r", kBob, 1, {1, 1h}, kStart).room);
    EXPECT_FALSE(after.take("r", kAnna, 1, {1, 1h}, kStart).room);
}

TEST(TokenBuckets, CountRightFromManyThreads) {
    TokenBuckets buckets({.capacity = 1000, .seed = 5});
    const Limit limit{1000, 1h};
    std::atomic<int> taken = 0;
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 4; ++thread)
        threads.emplace_back([&] {
            for (int i = 0; i < 1000; ++i) taken += buckets.take("r", kAnna, 1, limit, kStart).room ? 1 : 0;
        });
    threads.clear();
    EXPECT_EQ(taken, 1000);
}

}  // namespace
}  // namespace thurn::policy
