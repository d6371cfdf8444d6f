#include "queue/overflow.h"

#include <gtest/gtest.h>

namespace thurn::queue {
namespace {

using namespace std::chrono_literals;

const base::Time kStart{std::chrono::hours(500'000)};

TEST(Overflow, SendsAwayAtAGuessedPaceAtFirst) {
    Overflow line(kStart);
    EXPECT_EQ(line.join(6000, kStart), kStart + 3001ms);
    EXPECT_EQ(line.join(6000, kStart), kStart + 3002ms);
}

TEST(Overflow, FollowsThePaceOfTheSite) {
    Overflow line(kStart);
    line.finished(50);
    const auto now = kStart + 5s;  // ten a second
    EXPECT_EQ(line.join(1000, now), now + 50s + 100ms);
    EXPECT_EQ(line.join(1000, now), now + 50s + 200ms);
    line.finished(5000);
    EXPECT_EQ(line.join(1000, now + 5s), now + 50s + 201ms) << "those sent away stay, what follows comes faster";
}

TEST(Overflow, BeginsAnewWhenAllHaveComeBack) {
    Overflow line(kStart);
    std::ignore = line.join(0, kStart);
    EXPECT_FALSE(line.is_over(kStart));
    EXPECT_TRUE(line.is_over(kStart + 1s));
    line.finished(2000);
    EXPECT_EQ(line.join(4000, kStart + 2s), kStart + 2s + 2001ms);
}

TEST(Overflow, SendsNobodyAwayForLongOrForNothing) {
    Overflow line(kStart);
    EXPECT_EQ(line.join(0, kStart), kStart + 1s);
    const auto later = kStart + 10min;  // and nothing was done
    EXPECT_EQ(line.join(100, later), later + 1h);
    EXPECT_EQ(line.join(100, later), later + 1h);
}

TEST(Overflow, SurvivesAClockThatIsSetBack) {
    Overflow line(kStart);
    std::ignore = line.join(100, kStart);
    const auto back = kStart - std::chrono::hours(48);
    EXPECT_EQ(line.join(100, back), back + 1s);
}

}  // namespace
}  // namespace thurn::queue
