#include "inbound/fair_turns.h"

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace thurn::inbound {
namespace {

using Ticket = FairTurns::Ticket;

TEST(FairTurns, OnePartyHoldsAQuarter) {
    FairTurns turns;
    const auto held = [&turns](std::size_t of) {
        std::vector<std::unique_ptr<Ticket>> tickets;
        std::size_t count = 0;
        for (int i = 0; i < 20; ++i) count += tickets.emplace_back(std::make_unique<Ticket>(turns, "192.0.2.1"))->try_take(of) ? 1 : 0;
        return count;
    };
    EXPECT_EQ(held(1), 1U);
    EXPECT_EQ(held(4), 1U);
    EXPECT_EQ(held(7), 1U);
    EXPECT_EQ(held(8), 2U);
}

TEST(FairTurns, GivesNoMoreThanThereAre) {
    FairTurns turns;
    Ticket a(turns, "a"), b(turns, "b"), c(turns, "c");
    EXPECT_TRUE(a.try_take(2));
    EXPECT_TRUE(b.try_take(2));
    EXPECT_FALSE(c.try_take(2));
    EXPECT_TRUE(a.try_take(2)) << "who has a turn keeps it";
    EXPECT_TRUE(c.try_take(3)) << "there are more now";
}

TEST(FairTurns, OthersPassAPartyThatHasItsShare) {
    FairTurns turns;
    Ticket first(turns, "flood"), second(turns, "flood"), other(turns, "other");
    EXPECT_TRUE(first.try_take(4));
    EXPECT_FALSE(second.try_take(4));
    EXPECT_TRUE(other.try_take(4)) << "though it came later";
}

TEST(FairTurns, WhoNeverHadOneComesFirst) {
    FairTurns turns;
    std::optional<Ticket> running(std::in_place, turns, "flood");
    ASSERT_TRUE(running->try_take(1));
    Ticket again(turns, "flood"), newcomer(turns, "newcomer"), later(turns, "later");
    running.reset();
    EXPECT_FALSE(again.try_take(1));
    EXPECT_FALSE(later.try_take(1));
    EXPECT_TRUE(newcomer.try_take(1));
}

TEST(FairTurns, WithinAPartyTheFirstComesFirst) {
    FairTurns turns;
    std::optional<Ticket> first(std::in_place, turns, "a");
    Ticket second(turns, "a");
    EXPECT_FALSE(second.try_take(1));
    EXPECT_TRUE(first->try_take(1));
    first.reset();
    EXPECT_TRUE(second.try_take(1));
}

TEST(FairTurns, WhoGivesUpBlocksNobody) {
    FairTurns turns;
    std::optional<Ticket> impatient(std::in_place, turns, "a");
    Ticket next(turns, "b");
    EXPECT_FALSE(next.try_take(1));
    impatient.reset();
    EXPECT_TRUE(next.try_take(1));
}

TEST(FairTurns, EveryoneGetsATurnOnManyThreads) {
    FairTurns turns;
    std::atomic<int> at_once = 0, most = 0, done = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i)
        threads.emplace_back([&, i] {
            for (int round = 0; round < 50; ++round) {
                Ticket ticket(turns, std::string(1, static_cast<char>('a' + i % 5)));
                while (!ticket.try_take(3)) std::this_thread::yield();
                const int now = ++at_once;
                for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {}
                --at_once;
                ++done;
            }
        });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(done, 400);
    EXPECT_LE(most, 3);
}

}  // namespace
}  // namespace thurn::inbound
