#include "queue/retry.h"

#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

namespace thurn::queue {
namespace {

using namespace std::chrono_literals;

class Sequence final : public base::Random {
public:
    explicit Sequence(std::uint64_t seed = 1) : state_(seed) {}
    std::uint64_t next() override { return state_ = state_ * 6364136223846793005U + 1442695040888963407U, state_ >> 16; }

private:
    std::uint64_t state_;
};

const base::Time kStart{std::chrono::sys_days{std::chrono::year{2026} / 11 / 22}};

RetryOptions steady() { return {.jitter_percent = 0}; }

TEST(RetrySchedule, FollowsItsTableAndRepeatsTheLastStep) {
    Sequence random;
    const std::vector<std::chrono::minutes> expected{5min, 10min, 20min, 40min, 60min, 120min, 120min, 120min};
    base::Time now = kStart;
    for (unsigned attempt = 1; attempt <= expected.size(); ++attempt) {
        const auto next = next_attempt(steady(), kStart, now, attempt, random);
        ASSERT_TRUE(next);
        EXPECT_EQ(*next - now, expected[attempt - 1]) << "attempt " << attempt;
        now = *next;
    }
}

TEST(RetrySchedule, LastAttemptFallsOnTheEndOfTheLifetime) {
    Sequence random;
    RetryOptions options = steady();
    options.lifetime = 12min;
    const auto second = next_attempt(options, kStart, kStart + 5min, 2, random);
    ASSERT_TRUE(second);
    EXPECT_EQ(*second, kStart + 12min);
    EXPECT_FALSE(next_attempt(options, kStart, *second, 3, random));
    EXPECT_FALSE(next_attempt(options, kStart, *second + 30s, 3, random));
}

TEST(RetrySchedule, EndsAfterTheLifetimeWhateverTheJitter) {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        Sequence random(seed);
        const RetryOptions options{.jitter_percent = 50};
        base::Time now = kStart;
        unsigned attempts = 1;
        for (auto next = next_attempt(options, kStart, now, attempts, random); next;
             next = next_attempt(options, kStart, now, ++attempts, random)) {
            ASSERT_GT(*next, now);
            ASSERT_LE(*next, kStart + options.lifetime);
            now = *next;
            ASSERT_LT(attempts, 1000U);
        }
        EXPECT_EQ(now, kStart + options.lifetime);
    }
}

TEST(RetrySchedule, JitterStaysWithinItsPercentageAndUsesBothSides) {
    Sequence random;
    const RetryOptions options;
    bool earlier = false, later = false;
    for (int round = 0; round < 1000; ++round) {
        const auto wait = *next_attempt(options, kStart, kStart, 1, random) - kStart;
        ASSERT_GE(wait, 270s);
        ASSERT_LE(wait, 330s);
        earlier |= wait < 290s;
        later |= wait > 310s;
    }
    EXPECT_TRUE(earlier && later);
}

TEST(RetrySchedule, MessageFromTheFutureIsStillRetriedAndStillEnds) {
    Sequence random;
    const base::Time accepted = kStart + std::chrono::hours(24 * 365);  // the clock was set back by a year
    unsigned attempts = 1;
    base::Time now = kStart;
    while (const auto next = next_attempt(steady(), accepted, now, attempts, random)) {
        ASSERT_LE(*next - now, 2h);
        now = *next;
        ASSERT_LT(++attempts, 200U);
    }
    EXPECT_EQ(now - kStart, std::chrono::hours(24 * 5));
}

TEST(RetrySchedule, ClockThatJumpsAYearAheadDoesNotBounceFreshMail) {
    Sequence random;
    base::Time now = kStart + std::chrono::hours(24 * 365);
    for (unsigned attempts = 1; attempts < 6; ++attempts) {
        const auto next = next_attempt(steady(), kStart, now, attempts, random);
        ASSERT_TRUE(next) << "attempt " << attempts;
        EXPECT_GT(*next, now);
        now = *next;
    }
    EXPECT_FALSE(next_attempt(steady(), kStart, now, 6, random));
}

TEST(RetrySchedule, OddOptionsNeitherSpinNorOverflow) {
    Sequence random;
    EXPECT_FALSE(next_attempt({.lifetime = 0s}, kStart, kStart, 1, random));
    const auto instant = next_attempt({.steps = {0s}}, kStart, kStart, 1, random);
    ASSERT_TRUE(instant);
    EXPECT_GE(*instant, kStart + 1s);
    EXPECT_TRUE(next_attempt({.steps = {std::chrono::seconds::max()}, .lifetime = std::chrono::seconds::max()}, kStart, kStart, 0, random));
    EXPECT_TRUE(next_attempt({.steps = {}}, kStart, kStart, 4000000000U, random));
    EXPECT_TRUE(next_attempt({.jitter_percent = 4000}, kStart, kStart, 1, random));
}

}  // namespace
}  // namespace thurn::queue
