#include "queue/site_window.h"

#include <gtest/gtest.h>

namespace thurn::queue {
namespace {

using namespace std::chrono_literals;

const base::Time kStart{std::chrono::sys_days{std::chrono::year{2026} / 11 / 22}};
const SchedulerOptions kOptions;

SiteWindow with_all_slots_in_use(std::size_t count = 5) {
    SiteWindow window(kOptions, SiteWindow::Kind::adaptive);
    while (window.in_use() < count) window.opened();
    return window;
}

TEST(SiteWindow, GrowsByOneOnSuccessWhileAllSlotsAreInUseUpToItsLimit) {
    SiteWindow window = with_all_slots_in_use();
    window.came_back();
    EXPECT_EQ(window.allowed(), 6U);
    window.came_back();
    EXPECT_EQ(window.allowed(), 6U) << "one slot was free";
    while (window.has_slot()) {
        window.opened();
        window.came_back();
    }
    EXPECT_EQ(window.allowed(), kOptions.connections_per_site);
}

TEST(SiteWindow, HalvesOnceForTheConnectionsThatWereOpenTogether) {
    SiteWindow window = with_all_slots_in_use();
    for (int round = 0; round < 15; ++round) {
        window.came_back();
        if (window.has_slot()) window.opened();
    }
    ASSERT_EQ(window.allowed(), 20U);
    window.closed(SiteOutcome::unreachable, kStart);
    EXPECT_EQ(window.allowed(), 10U);
    window.came_back();
    window.closed(SiteOutcome::unreachable, kStart);
    window.closed(SiteOutcome::worked, kStart);
    window.closed(SiteOutcome::unreachable, kStart);
    EXPECT_EQ(window.allowed(), 10U);
    EXPECT_TRUE(window.is_crowded());
}

TEST(SiteWindow, GrowsSlowlyBehindAFailure) {
    SiteWindow window = with_all_slots_in_use();
    window.closed(SiteOutcome::unreachable, kStart);
    ASSERT_EQ(window.allowed(), 2U);
    window.came_back();
    EXPECT_EQ(window.allowed(), 2U);
    window.came_back();
    EXPECT_EQ(window.allowed(), 3U);
}

TEST(SiteWindow, RestsWhenAllThatWereOpenFailed) {
    SiteWindow window = with_all_slots_in_use();
    for (int failure = 0; failure < 4; ++failure) {
        window.closed(SiteOutcome::unreachable, kStart);
        EXPECT_FALSE(window.resting());
    }
    window.closed(SiteOutcome::unreachable, kStart);
    ASSERT_TRUE(window.resting());
    EXPECT_EQ(window.resting_until(), kStart + 30s);
    EXPECT_FALSE(window.has_slot());
}

TEST(SiteWindow, OneSuccessAmongTheFailuresKeepsItOpen) {
    SiteWindow window = with_all_slots_in_use();
    for (int failure = 0; failure < 4; ++failure) window.closed(SiteOutcome::unreachable, kStart);
    window.closed(SiteOutcome::worked, kStart);
    EXPECT_FALSE(window.resting());
    EXPECT_TRUE(window.has_slot());
}

TEST(SiteWindow, RestsDoubleUpToTheirLimitAndOneProbeGoesBetween) {
    SiteWindow window = with_all_slots_in_use(1);
    base::Time now = kStart;
    window.closed(SiteOutcome::unreachable, now);
    for (const auto expected : {30s, 60s, 120s, 240s, 480s, 600s, 600s}) {
        ASSERT_EQ(window.resting_until(), now + expected);
        now += expected;
        window.end_rest();
        ASSERT_EQ(window.allowed(), 1U);
        window.opened();
        EXPECT_FALSE(window.has_slot());
        window.closed(SiteOutcome::unreachable, now);
    }
}

TEST(SiteWindow, SuccessOfTheProbeRestoresTheSite) {
    SiteWindow window = with_all_slots_in_use(1);
    window.closed(SiteOutcome::unreachable, kStart);
    window.end_rest();
    window.opened();
    window.came_back();
    EXPECT_EQ(window.allowed(), kOptions.first_connections);
    window.closed(SiteOutcome::worked, kStart);
    window.opened();
    window.closed(SiteOutcome::unreachable, kStart);
    EXPECT_EQ(window.resting_until(), kStart + 30s) << "the doubling begins anew";
}

TEST(SiteWindow, FixedOneLearnsNothing) {
    SiteWindow window(kOptions, SiteWindow::Kind::fixed);
    for (int round = 0; round < 50; ++round) {
        window.opened();
        window.closed(SiteOutcome::unreachable, kStart);
        EXPECT_EQ(window.allowed(), kOptions.local_concurrency);
        EXPECT_FALSE(window.resting());
    }
}

TEST(SiteWindow, ZeroInTheOptionsStillMovesMail) {
    const SchedulerOptions none{.connections_per_site = 0, .first_connections = 0, .local_concurrency = 0};
    EXPECT_TRUE(SiteWindow(none, SiteWindow::Kind::adaptive).has_slot());
    EXPECT_TRUE(SiteWindow(none, SiteWindow::Kind::fixed).has_slot());
}

}  // namespace
}  // namespace thurn::queue
