#include "queue/scheduler.h"

#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace thurn::queue {
namespace {

using namespace std::chrono_literals;

const base::Time kStart{std::chrono::sys_days{std::chrono::year{2026} / 11 / 22}};

Job job(std::uint64_t id, std::string sender = "a@x", std::vector<std::uint32_t> recipients = {0}) {
    return {.id = {id}, .recipients = std::move(recipients), .sender = std::move(sender)};
}

std::vector<std::uint64_t> ids(const std::vector<Job>& jobs) {
    std::vector<std::uint64_t> found;
    for (const Job& each : jobs) found.push_back(each.id.value);
    return found;
}

/// Fails the only connection of a site, so that it rests.
void kill(Scheduler& scheduler, const std::string& site, base::Time now) {
    const auto batch = scheduler.take(now);
    ASSERT_TRUE(batch && batch->site == site);
    scheduler.finished(site, batch->jobs.size());
    scheduler.released(site, SiteOutcome::unreachable, now);
}

TEST(Scheduler, GivesAJobWithAllItCarries) {
    Scheduler scheduler({});
    scheduler.add("mx:a", job(7, "login", {3, 1, 4}));
    EXPECT_EQ(scheduler.ready(), 1U);
    const auto batch = scheduler.take(kStart);
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->site, "mx:a");
    ASSERT_EQ(batch->jobs.size(), 1U);
    EXPECT_EQ(batch->jobs[0].id.value, 7U);
    EXPECT_EQ(batch->jobs[0].sender, "login");
    EXPECT_EQ(batch->jobs[0].recipients, (std::vector<std::uint32_t>{3, 1, 4}));
    EXPECT_EQ(scheduler.ready(), 0U);
    EXPECT_EQ(scheduler.running(), 1U);
    EXPECT_FALSE(scheduler.take(kStart));
    scheduler.finished("mx:a", 1);
    scheduler.released("mx:a", SiteOutcome::worked, kStart);
    EXPECT_EQ(scheduler.running(), 0U);
}

TEST(Scheduler, SpreadsFewJobsOverFreeConnections) {
    Scheduler scheduler({});
    for (std::uint64_t id = 0; id < 10; ++id) scheduler.add("mx:a", job(id));
    for (int connection = 0; connection < 5; ++connection) {
        const auto batch = scheduler.take(kStart);
        ASSERT_TRUE(batch);
        EXPECT_EQ(batch->jobs.size(), 2U);
    }
    EXPECT_FALSE(scheduler.take(kStart));
}

TEST(Scheduler, BatchHasItsLimit) {
    Scheduler scheduler({});
    for (std::uint64_t id = 0; id < 1000; ++id) scheduler.add("mx:a", job(id));
    EXPECT_EQ(scheduler.take(kStart)->jobs.size(), 20U);
    EXPECT_EQ(scheduler.take_more("mx:a", kStart)->jobs.size(), 20U);
}

/// The priorities of jobs as they are taken, of so many of each kind.
std::string order(std::size_t urgent, std::size_t usual, std::size_t patient) {
    Scheduler scheduler({.connections_per_site = 1, .first_connections = 1, .jobs_per_batch = 1000});
    std::uint64_t id = 0;
    for (; id < patient; ++id) scheduler.add("mx:a", {.id = {id}, .recipients = {0}, .sender = "a", .priority = -3});
    for (; id < patient + usual; ++id) scheduler.add("mx:a", {.id = {id}, .recipients = {0}, .sender = "a"});
    for (; id < patient + usual + urgent; ++id) scheduler.add("mx:a", {.id = {id}, .recipients = {0}, .sender = "a", .priority = 9});
    std::string kinds;
    for (const auto each : ids(scheduler.take(kStart)->jobs)) kinds += each < patient ? 'p' : each < patient + usual ? '-' : 'U';
    EXPECT_EQ(scheduler.ready(), 0U);
    return kinds;
}

TEST(Scheduler, UrgentJobsAreAheadAndNothingStarves) {
    EXPECT_EQ(order(2, 2, 1), "U-U-p");
    EXPECT_EQ(order(12, 6, 2), "U-UU-UU-pUU-UU-UU-pU") << "six of ten, three, and one";
    EXPECT_EQ(order(0, 12, 2), "--------p----p") << "what one kind leaves over the next one has";
    EXPECT_EQ(order(0, 0, 3), "ppp");
}

TEST(Scheduler, ForgetsTheJobsOfAMessageWhateverTheirPriority) {
    Scheduler scheduler({});
    scheduler.add("mx:a", {.id = {1}, .recipients = {0}, .sender = "a", .priority = 1});
    scheduler.add("mx:a", {.id = {1}, .recipients = {1}, .sender = "a", .priority = -1});
    scheduler.add("mx:a", {.id = {2}, .recipients = {0}, .sender = "a"});
    EXPECT_TRUE(scheduler.why({1}, 1, kStart));
    scheduler.remove({1});
    EXPECT_EQ(scheduler.ready("mx:a"), 1U);
    EXPECT_EQ(ids(scheduler.take(kStart)->jobs), std::vector<std::uint64_t>{2});
}

TEST(Scheduler, BulkSenderDoesNotHoldUpAPasswordReset) {
    Scheduler scheduler({.connections_per_site = 1});
    for (std::uint64_t id = 0; id < 5000; ++id) scheduler.add("mx:a", job(id, "bulk"));
    static_cast<void>(scheduler.take(kStart));
    scheduler.add("mx:a", job(9999, "reset"));
    const auto batch = scheduler.take_more("mx:a", kStart);
    ASSERT_TRUE(batch);
    EXPECT_EQ(ids(batch->jobs)[1], 9999U);
}

TEST(Scheduler, SendersWithABacklogAdvanceInStep) {
    Scheduler scheduler({.connections_per_site = 1, .jobs_per_batch = 7});
    std::map<std::string, int> served;
    for (std::uint64_t id = 0; id < 900; ++id) scheduler.add("mx:a", job(id, "sender" + std::to_string(id % 9 < 7 ? 0 : id % 9)));
    for (auto batch = scheduler.take(kStart); batch; batch = scheduler.take_more("mx:a", kStart)) {
        for (const Job& each : batch->jobs) ++served[each.sender];
        scheduler.finished("mx:a", batch->jobs.size());
        if (served["sender7"] < 100) {
            EXPECT_LE(std::abs(served["sender0"] - served["sender7"]), 1);
            EXPECT_LE(std::abs(served["sender8"] - served["sender7"]), 1);
        }
    }
    EXPECT_EQ(served["sender0"], 700);
}

TEST(Scheduler, SitesTakeTurns) {
    Scheduler scheduler({});
    for (std::uint64_t id = 0; id < 300; ++id) scheduler.add("mx:" + std::to_string(id % 3), job(id));
    std::vector<std::string> order;
    for (int round = 0; round < 6; ++round) order.push_back(scheduler.take(kStart)->site);
    EXPECT_EQ(order, (std::vector<std::string>{"mx:0", "mx:1", "mx:2", "mx:0", "mx:1", "mx:2"}));
}

TEST(Scheduler, ConnectionsInAllAreLimitedButLocalMailGoesOn) {
    Scheduler scheduler({.total_connections = 3});
    for (std::uint64_t id = 0; id < 8; ++id) scheduler.add("mx:" + std::to_string(id), job(id));
    for (int round = 0; round < 3; ++round) ASSERT_TRUE(scheduler.take(kStart));
    EXPECT_FALSE(scheduler.take(kStart));
    EXPECT_EQ(scheduler.why({7}, kStart)->reason, "waiting for a connection (3 of 3 in use)");
    scheduler.add("local", job(100));
    EXPECT_EQ(scheduler.take(kStart)->site, "local");
    scheduler.finished("mx:0", 1);
    scheduler.released("mx:0", SiteOutcome::worked, kStart);
    EXPECT_EQ(scheduler.take(kStart)->site, "mx:3");
}

TEST(Scheduler, LocalSitesHaveAFixedNumberOfSlotsAndNeverRest) {
    Scheduler scheduler({.local_concurrency = 2});
    for (std::uint64_t id = 0; id < 100; ++id) scheduler.add("local:example.com", job(id));
    ASSERT_TRUE(scheduler.take(kStart));
    ASSERT_TRUE(scheduler.take(kStart));
    EXPECT_FALSE(scheduler.take(kStart));
    for (int round = 0; round < 2; ++round) scheduler.released("local:example.com", SiteOutcome::unreachable, kStart);
    EXPECT_TRUE(scheduler.take(kStart));
    EXPECT_FALSE(scheduler.take_stale(kStart));
}

TEST(Scheduler, DeadSiteHandsItsJobsBack) {
    Scheduler scheduler({.first_connections = 1, .jobs_per_hand_back = 60});
    for (std::uint64_t id = 0; id < 100; ++id) scheduler.add("mx:a", job(id));
    kill(scheduler, "mx:a", kStart);
    EXPECT_FALSE(scheduler.take(kStart + 29s));
    EXPECT_EQ(scheduler.next_wake(kStart), kStart + 30s);
    const auto wait = scheduler.why({99}, kStart);
    ASSERT_TRUE(wait);
    EXPECT_EQ(wait->reason, "site mx:a could not be reached and rests");
    EXPECT_EQ(wait->until, kStart + 30s);
    const auto first = scheduler.take_stale(kStart);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->site, "mx:a");
    EXPECT_EQ(first->until, kStart + 30s);
    EXPECT_EQ(first->jobs.size(), 60U);
    EXPECT_EQ(scheduler.take_stale(kStart)->jobs.size(), 20U);
    EXPECT_FALSE(scheduler.take_stale(kStart));
    EXPECT_FALSE(scheduler.next_wake(kStart));
    EXPECT_EQ(scheduler.ready() + scheduler.running(), 0U);
}

TEST(Scheduler, OneProbeWithOneJobGoesBehindARest) {
    Scheduler scheduler({.first_connections = 1});
    scheduler.add("mx:a", job(0));
    kill(scheduler, "mx:a", kStart);
    for (std::uint64_t id = 1; id < 50; ++id) scheduler.add("mx:a", job(id));
    EXPECT_FALSE(scheduler.take(kStart + 1s));
    const auto probe = scheduler.take(kStart + 30s);
    ASSERT_TRUE(probe);
    EXPECT_EQ(probe->jobs.size(), 1U);
    EXPECT_FALSE(scheduler.take(kStart + 30s));
    EXPECT_FALSE(scheduler.take_stale(kStart + 30s)) << "they wait for the probe";
    EXPECT_EQ(scheduler.why({40}, kStart)->reason, "site mx:a could not be reached; waiting for a probe of it");
    scheduler.finished("mx:a", 1);
    scheduler.released("mx:a", SiteOutcome::unreachable, kStart + 31s);
    EXPECT_EQ(scheduler.next_wake(kStart + 31s), kStart + 91s);
}

TEST(Scheduler, ProbeThatComesBackForMoreRestoresTheSite) {
    Scheduler scheduler({});
    scheduler.add("mx:a", job(0));
    kill(scheduler, "mx:a", kStart);
    for (std::uint64_t id = 1; id < 200; ++id) scheduler.add("mx:a", job(id));
    ASSERT_TRUE(scheduler.take(kStart + 30s));
    EXPECT_EQ(scheduler.take_more("mx:a", kStart + 31s)->jobs.size(), 20U);
    for (int connection = 1; connection < 5; ++connection) EXPECT_TRUE(scheduler.take(kStart + 31s));
    EXPECT_FALSE(scheduler.take(kStart + 31s));
}

TEST(Scheduler, OperatorWakesASite) {
    Scheduler scheduler({});
    scheduler.add("mx:a", job(0));
    kill(scheduler, "mx:a", kStart);
    scheduler.add("mx:a", job(1));
    EXPECT_FALSE(scheduler.take(kStart));
    scheduler.wake("mx:a");
    scheduler.wake("mx:unknown");
    EXPECT_TRUE(scheduler.take(kStart));
}

TEST(Scheduler, RestEndsWhenTheClockIsSetBack) {
    Scheduler scheduler({});
    scheduler.add("mx:a", job(0));
    kill(scheduler, "mx:a", kStart);
    scheduler.add("mx:a", job(1));
    EXPECT_TRUE(scheduler.take(kStart - std::chrono::hours(24 * 365)));
}

TEST(Scheduler, RemoveDropsOnlyTheJobsOfThatMessage) {
    Scheduler scheduler({});
    for (std::uint64_t id = 0; id < 10; ++id) {
        scheduler.add("mx:a", job(id, "one", {0}));
        scheduler.add("mx:b", job(id, "two", {1, 2}));
    }
    scheduler.remove({4});
    scheduler.remove({4});
    scheduler.remove({77});
    EXPECT_EQ(scheduler.ready(), 18U);
    EXPECT_FALSE(scheduler.why({4}, kStart));
    EXPECT_TRUE(scheduler.why({5}, kStart));
    while (const auto batch = scheduler.take(kStart)) {
        for (const Job& each : batch->jobs) EXPECT_NE(each.id.value, 4U);
    }
}

TEST(Scheduler, TellsWhyEachRecipientWaits) {
    Scheduler scheduler({.connections_per_site = 1});
    scheduler.add("mx:a", job(1, "x", {0}));
    static_cast<void>(scheduler.take(kStart));
    EXPECT_FALSE(scheduler.why({1}, kStart)) << "it is under way";
    scheduler.add("mx:a", job(2, "x", {0}));
    scheduler.add("mx:b", job(2, "x", {1, 5}));
    EXPECT_EQ(scheduler.why({2}, 0, kStart)->reason, "waiting for a slot at site mx:a (1 of 1 in use)");
    EXPECT_EQ(scheduler.why({2}, 5, kStart)->reason, "about to start at site mx:b");
    EXPECT_FALSE(scheduler.why({2}, 6, kStart));
}

TEST(Scheduler, ListsSitesWithSomethingToTell) {
    Scheduler scheduler({});
    for (std::uint64_t id = 0; id < 3; ++id) scheduler.add("mx:b", job(id));
    static_cast<void>(scheduler.take(kStart));
    scheduler.add("mx:a", job(9));
    const auto sites = scheduler.sites(kStart);
    ASSERT_EQ(sites.size(), 2U);
    EXPECT_EQ(sites[0].site, "mx:a");
    EXPECT_EQ(sites[1].ready, 2U);
    EXPECT_EQ(sites[1].running, 1U);
    EXPECT_EQ(sites[1].in_use, 1U);
    EXPECT_EQ(sites[1].allowed, 5U);
    scheduler.remove({9});
    EXPECT_EQ(scheduler.sites(kStart).size(), 1U);
}

TEST(Scheduler, ForgetsTheOldestIdleSitesOnly) {
    Scheduler scheduler({.remembered_sites = 2});
    for (const char* site : {"mx:a", "mx:b", "mx:c"}) {
        scheduler.add(site, job(1));
        kill(scheduler, site, kStart);
    }
    EXPECT_EQ(scheduler.sites(kStart).size(), 2U);
    scheduler.add("mx:a", job(2));
    scheduler.add("mx:c", job(3));
    EXPECT_EQ(scheduler.take(kStart)->site, "mx:a") << "its rest is forgotten";
    EXPECT_FALSE(scheduler.take(kStart));
}

TEST(Scheduler, SurvivesCallsThatMakeNoSense) {
    Scheduler scheduler({.remembered_sites = 0});
    scheduler.finished("mx:a", 3);
    scheduler.released("mx:a", SiteOutcome::worked, kStart);
    EXPECT_FALSE(scheduler.take_more("mx:a", kStart));
    scheduler.add("mx:a", job(1));
    EXPECT_FALSE(scheduler.take_more("mx:a", kStart)) << "no connection is open";
    static_cast<void>(scheduler.take(kStart));
    scheduler.finished("mx:a", 3);
    scheduler.released("mx:a", SiteOutcome::worked, kStart);
    scheduler.released("mx:a", SiteOutcome::worked, kStart);
    EXPECT_EQ(scheduler.running(), 0U);
}

// These would take hours if any step went through the jobs, the senders or the sites.
TEST(SchedulerDepth, MillionJobsOfManySendersOnOneSite) {
    Scheduler scheduler({});
    constexpr std::uint64_t kJobs = 1'000'000;
    std::vector<std::string> senders(50'000);
    for (std::size_t n = 0; n < senders.size(); ++n) senders[n] = "sender" + std::to_string(n);
    for (std::uint64_t id = 0; id < kJobs; ++id) scheduler.add("mx:a", job(id, senders[id % senders.size()]));
    for (std::uint64_t id = 0; id < kJobs; id += 10) scheduler.remove({id});
    std::size_t got = 0;
    for (auto batch = scheduler.take(kStart); batch; batch = scheduler.take_more("mx:a", kStart)) got += batch->jobs.size();
    EXPECT_EQ(got, kJobs * 9 / 10);
}

TEST(SchedulerDepth, HundredThousandDeadSites) {
    constexpr std::uint64_t kSites = 100'000;
    Scheduler scheduler({.total_connections = 10, .remembered_sites = kSites});
    for (std::uint64_t id = 0; id < 2 * kSites; ++id) scheduler.add("mx:" + std::to_string(id % kSites), job(id));
    base::Time now = kStart;
    std::size_t tried = 0, stale = 0;
    while (const auto batch = scheduler.take(now)) {
        tried += batch->jobs.size();
        scheduler.finished(batch->site, batch->jobs.size());
        scheduler.released(batch->site, SiteOutcome::unreachable, now);
        while (const auto back = scheduler.take_stale(now)) stale += back->jobs.size();
    }
    EXPECT_EQ(tried, kSites);
    EXPECT_EQ(stale, kSites);
}

}  // namespace
}  // namespace thurn::queue
