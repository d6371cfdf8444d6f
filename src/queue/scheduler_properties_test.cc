// Random conversations of a dispatcher and its couriers with the scheduler: whatever happens, no job is lost or given twice.
#include "queue/scheduler.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace thurn::queue {
namespace {

const base::Time kStart{std::chrono::sys_days{std::chrono::year{2026} / 11 / 22}};

/// Plays dispatcher and couriers with random luck, and keeps its own books.
class RandomDriver {
public:
    RandomDriver(std::uint64_t seed, SchedulerOptions options) : options_(options), scheduler_(options), random_(seed) {}

    void play(int steps) {
        for (int step = 0; step < steps && !testing::Test::HasFailure(); ++step) {
            act();
            check_counts();
            now_ += std::chrono::milliseconds(pick(3000));
        }
    }
    /// Lets everything work until nothing is left.
    void drain() {
        for (int round = 0; round < 100'000 && !known_.empty() && !testing::Test::HasFailure(); ++round) {
            drain_round();
            check_counts();
        }
        EXPECT_TRUE(known_.empty()) << known_.size() << " jobs were lost";
        EXPECT_EQ(scheduler_.ready(), 0U);
        EXPECT_EQ(scheduler_.running(), 0U);
    }

private:
    struct Connection {
        std::string site;
        std::size_t jobs;
    };
    enum class Place { waiting, running };
    struct Known {
        std::string site, sender;
        Place place;
    };

    std::size_t pick(std::size_t bound) { return random_() % bound; }

    void act() {
        switch (pick(10)) {
            case 0:
            case 1:
            case 2:
                return add();
            case 3:
            case 4:
            case 5:
                return start();
            case 6:
                return more();
            case 7:
            case 8:
                return end(pick(3) == 0 ? SiteOutcome::unreachable : SiteOutcome::worked);
            default:
                return pick(4) == 0 ? operate() : hand_back();
        }
    }
    void add() {
        const std::uint64_t id = next_id_++;
        const std::string site = pick(5) == 0 ? "local" : "mx:" + std::to_string(pick(4));
        const std::string sender = "s" + std::to_string(pick(3));
        known_[id] = {site, sender, Place::waiting};
        scheduler_.add(site, {.id = {id}, .recipients = {0}, .sender = sender});
    }
    void got(const std::vector<Job>& jobs, const std::string& site, Place place) {
        ASSERT_FALSE(jobs.empty());
        for (const Job& each : jobs) {
            const auto found = known_.find(each.id.value);
            ASSERT_NE(found, known_.end()) << "given twice, or removed";
            ASSERT_EQ(found->second.place, Place::waiting) << "given twice";
            ASSERT_EQ(found->second.site, site);
            ASSERT_EQ(found->second.sender, each.sender);
            found->second.place = place;
        }
    }
    void start() {
        const auto batch = scheduler_.take(now_);
        if (!batch) return check_that_waiting_has_a_reason();
        got(batch->jobs, batch->site, Place::running);
        ASSERT_LE(batch->jobs.size(), options_.jobs_per_batch);
        running_jobs_[connections_.size()] = batch->jobs;
        connections_.push_back({batch->site, batch->jobs.size()});
        for (const SiteView& view : scheduler_.sites(now_)) {
            if (view.site == batch->site) {
                ASSERT_LE(view.in_use, view.allowed);
            }
        }
        std::size_t remote = 0;
        for (const Connection& each : connections_) remote += each.site != "local";
        ASSERT_LE(remote, options_.total_connections);
    }
    void more() {
        if (connections_.empty()) return;
        const std::size_t index = pick(connections_.size());
        settle(index);
        const auto batch = scheduler_.take_more(connections_[index].site, now_);
        if (!batch) return;
        got(batch->jobs, connections_[index].site, Place::running);
        running_jobs_[index] = batch->jobs;
    }
    void settle(std::size_t index) {
        auto& jobs = running_jobs_[index];
        for (const Job& each : jobs) known_.erase(each.id.value);
        scheduler_.finished(connections_[index].site, jobs.size());
        jobs.clear();
    }
    void end(SiteOutcome outcome) {
        if (connections_.empty()) return;
        const std::size_t index = pick(connections_.size());
        settle(index);
        scheduler_.released(connections_[index].site, outcome, now_);
        connections_[index] = connections_.back();
        running_jobs_[index] = running_jobs_[connections_.size() - 1];
        running_jobs_.erase(connections_.size() - 1);
        connections_.pop_back();
    }
    void hand_back() {
        const auto stale = scheduler_.take_stale(now_);
        if (!stale) return;
        ASSERT_GT(stale->until, now_);
        got(stale->jobs, stale->site, Place::running);
        for (const Job& each : stale->jobs) known_.erase(each.id.value);
    }
    void operate() {
        if (pick(2) == 0) return scheduler_.wake("mx:" + std::to_string(pick(4)));
        if (known_.empty()) return;
        auto victim = known_.begin();
        std::advance(victim, static_cast<std::ptrdiff_t>(pick(known_.size())));
        scheduler_.remove({victim->first});
        if (victim->second.place == Place::waiting) known_.erase(victim);
    }
    /// Nothing can start: then each job that waits says why, and next_wake() comes no later than the first rest ends.
    void check_that_waiting_has_a_reason() {
        std::optional<base::Time> first;
        for (const auto& [id, entry] : known_) {
            const auto wait = scheduler_.why({id}, now_);
            ASSERT_EQ(wait.has_value(), entry.place == Place::waiting);
            if (!wait) continue;
            ASSERT_FALSE(wait->reason.starts_with("about")) << "it should have started";
            if (wait->until) first = std::min(first.value_or(*wait->until), *wait->until);
        }
        ASSERT_EQ(scheduler_.next_wake(now_), first);
        if (first) {
            ASSERT_GT(*first, now_);
        }
    }
    void check_counts() {
        std::size_t waiting = 0;
        for (const auto& [id, entry] : known_) waiting += entry.place == Place::waiting;
        ASSERT_EQ(scheduler_.ready(), waiting);
        ASSERT_EQ(scheduler_.running(), known_.size() - waiting);
    }
    void drain_round() {
        const std::size_t before = connections_.size();
        start();
        if (connections_.size() > before) return;
        if (!connections_.empty()) return end(SiteOutcome::worked);
        const auto wake = scheduler_.next_wake(now_);
        ASSERT_TRUE(wake) << "jobs wait, nothing runs, and nobody will wake them";
        now_ = *wake;
    }

    SchedulerOptions options_;
    Scheduler scheduler_;
    std::mt19937_64 random_;
    base::Time now_ = kStart;
    std::uint64_t next_id_ = 1;
    std::map<std::uint64_t, Known> known_;
    std::vector<Connection> connections_;
    std::map<std::size_t, std::vector<Job>> running_jobs_;
};

TEST(SchedulerProperties, NoJobIsLostOrGivenTwiceAndNoLimitIsPassed) {
    for (std::uint64_t seed = 1; seed <= 150 && !HasFailure(); ++seed) {
        SCOPED_TRACE(seed);
        RandomDriver driver(seed, {.connections_per_site = 1 + seed % 6,
                                   .first_connections = 1 + seed % 3,
                                   .local_concurrency = 2,
                                   .jobs_per_batch = 1 + seed % 5,
                                   .total_connections = 4 + seed % 7,
                                   .jobs_per_hand_back = 3,
                                   .remembered_sites = seed % 4});
        driver.play(400);
        driver.drain();
    }
}

}  // namespace
}  // namespace thurn::queue
