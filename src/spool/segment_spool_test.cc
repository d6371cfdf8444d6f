// What is committed, changed and due; when it is synced; and a disk without room.
#include "support/segment_spool_fixture.h"

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

namespace thurn::spool {
namespace {

TEST_F(SegmentSpoolTest, GivesBackWhatWasCommittedWithItsContentInMemory) {
    const auto envelope = envelope_to({recipient("a"), recipient("b")});
    const auto stored = on.commit({7}, "content\r\n", envelope);
    ASSERT_TRUE(stored);
    EXPECT_EQ(stored->id.value, 7U);
    EXPECT_EQ(stored->envelope, envelope);
    EXPECT_EQ(stored->content->in_memory(), "content\r\n");
    const auto loaded = on.spool->load({7});
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded->envelope, envelope);
    EXPECT_EQ(read_all(*loaded->content), "content\r\n");
}

TEST_F(SegmentSpoolTest, AMessageIsGoneWhenItsLastRecipientIsFinal) {
    ASSERT_TRUE(on.commit({1}, "c", envelope_to({recipient("a"), recipient("b")})));
    ASSERT_TRUE(on.update({standing({1}, 0, Standing::delivered)}));
    EXPECT_TRUE(on.spool->load({1}));
    ASSERT_TRUE(on.update({standing({1}, 1, Standing::failed)}));
    EXPECT_EQ(on.spool->load({1}).error().kind, ErrorKind::not_found);
    EXPECT_THAT(due_ids(), IsEmpty());
    crash_and_open();
    EXPECT_EQ(on.spool->load({1}).error().kind, ErrorKind::not_found);
    EXPECT_EQ(on.spool->stats().messages, 0U);
}

TEST_F(SegmentSpoolTest, FinalRecipientsStayAsTheyAre) {
    ASSERT_TRUE(on.commit({1}, "c", envelope_to({recipient("a"), recipient("b")})));
    ASSERT_TRUE(on.update({standing({1}, 0, Standing::delivered)}));
    ASSERT_TRUE(on.update({standing({1}, 0, Standing::waiting), standing({1}, 99, Standing::held), standing({5}, 0, Standing::held)}));
    EXPECT_EQ(on.spool->load({1})->envelope.recipients[0].state.standing, Standing::delivered);
}

TEST_F(SegmentSpoolTest, DueComesInOrderAndInPages) {
    const auto at = [](int minutes) { return FakeClock::kStart + std::chrono::minutes(minutes); };
    ASSERT_TRUE(on.commit({1}, "c", envelope_to({recipient("a", at(3)), recipient("b", at(1))})));
    ASSERT_TRUE(on.commit({2}, "c", envelope_to({recipient("a", at(2)), recipient("b", at(9))})));
    ASSERT_TRUE(on.spool->upkeep());  // those into the index
    ASSERT_TRUE(on.commit({3}, "c", envelope_to({recipient("a", at(2)), recipient("b", at(0))})));
    ASSERT_TRUE(on.update({standing({3}, 1, Standing::held)}));
    std::vector<std::pair<std::uint64_t, std::uint32_t>> all;
    std::optional<DueRecipient> last;
    for (;;) {
        const auto page = on.spool->due(at(5), last ? &*last : nullptr, 1);
        ASSERT_TRUE(page);
        if (page->empty()) break;
        ASSERT_EQ(page->size(), 1U);
        last = page->front();
        all.emplace_back(last->id.value, last->index);
    }
    EXPECT_THAT(all, ElementsAre(std::pair(1, 1), std::pair(2, 0), std::pair(3, 0), std::pair(1, 0)));
}

TEST_F(SegmentSpoolTest, DeferralsMoveThroughMemoryIndexAndLog) {
    const auto later = FakeClock::kStart + std::chrono::minutes(5);
    put(1);
    ASSERT_TRUE(on.spool->upkeep());
    ASSERT_TRUE(on.update({deferred({1}, 0, later)}));
    EXPECT_THAT(due_ids(), IsEmpty());
    EXPECT_THAT(due_ids(later), ElementsAre(1));
    ASSERT_TRUE(on.spool->upkeep());
    EXPECT_THAT(due_ids(), IsEmpty());
    EXPECT_THAT(due_ids(later), ElementsAre(1));
    crash_and_open();
    EXPECT_THAT(due_ids(), IsEmpty());
    EXPECT_THAT(due_ids(later), ElementsAre(1));
    EXPECT_EQ(on.spool->load({1})->envelope.recipients[0].state.last_status, "451 later");
}

TEST_F(SegmentSpoolTest, ExpansionAppendsRecipients) {
    put(1);
    auto expansion = standing({1}, 0, Standing::expanded);
    expansion.expansion = {recipient("x"), recipient("y")};
    ASSERT_TRUE(on.update({expansion}));
    crash_and_open();
    const auto loaded = on.spool->load({1});
    ASSERT_TRUE(loaded);
    ASSERT_EQ(loaded->envelope.recipients.size(), 3U);
    EXPECT_EQ(loaded->envelope.recipients[2].mailbox.local, "y");
    const auto listed = on.spool->list({}, 10);
    ASSERT_TRUE(listed);
    ASSERT_EQ(listed->size(), 1U);
    ASSERT_EQ(listed->front().recipients.size(), 2U);
    EXPECT_EQ(listed->front().recipients[0].first, 1U);
}

TEST_F(SegmentSpoolTest, OneSyncServesAllThatWaited) {
    put(1);
    on.disk.hold_syncs();
    std::vector<SpoolOnMemoryDisk::Promised> promised;
    promised.push_back(on.begin_commit({2}, "first", envelope_to({recipient("a")})));
    on.disk.await_held_sync();
    for (std::uint64_t id = 3; id < 12; ++id) promised.push_back(on.begin_commit({id}, "more", envelope_to({recipient("a")})));
    const auto before = on.disk.file_syncs();
    on.disk.release_syncs();
    for (auto& one : promised) EXPECT_TRUE(one.get());
    EXPECT_EQ(on.disk.file_syncs() - before, 2U);
}

TEST_F(SegmentSpoolTest, NoSuccessIsToldBeforeTheSync) {
    put(1);
    on.disk.hold_syncs();
    auto promised = on.begin_commit({2}, "c", envelope_to({recipient("a")}));
    on.disk.await_held_sync();
    EXPECT_EQ(promised.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
    on.disk.release_syncs();
    EXPECT_TRUE(promised.get());
}

TEST_F(SegmentSpoolTest, WithoutRoomNewMailIsRefusedAndOutcomesAreNot) {
    put(1);
    on.disk.set_free_space(base::kibibytes(1));
    ASSERT_TRUE(on.spool->upkeep());  // looks for room, as every mebibyte written does
    EXPECT_EQ(on.commit({2}, "c", envelope_to({recipient("a")})).error().kind, ErrorKind::full);
    EXPECT_FALSE(on.spool->has_room());
    EXPECT_TRUE(on.update({standing({1}, 0, Standing::delivered)}));
    on.disk.set_free_space(base::mebibytes(100));
    EXPECT_TRUE(on.commit({3}, "c", envelope_to({recipient("a")})));
    EXPECT_TRUE(on.spool->has_room());
    EXPECT_EQ(on.spool->load({2}).error().kind, ErrorKind::not_found);
}

TEST_F(SegmentSpoolTest, WhyThereIsNoRoomIsTold) {
    on.disk.set_free_space(base::kibibytes(1));
    ASSERT_TRUE(on.spool->upkeep());
    EXPECT_THAT(on.commit({2}, "c", envelope_to({recipient("a")})).error().detail, HasSubstr("disk of the spool is nearly full"));
    EXPECT_THAT(on.log.lines(), Contains("spool.no_room reason=the disk of the spool is nearly full free=1024 reserve=65536"));
}

/// As without file descriptors: the disk has room, and nobody is to look for what fills it.
TEST_F(SegmentSpoolTest, ASegmentThatCannotBeBegunIsNotCalledAFullDisk) {
    on.disk.fail(1, MemoryFilesystem::Failing::from_then_on);
    for (std::uint64_t id = 1; id < 20 && on.spool->has_room(); ++id)
        EXPECT_FALSE(on.commit({id}, std::string(3000, 'x'), envelope_to({recipient("a")})));
    const auto refused = on.commit({30}, "c", envelope_to({recipient("a")})).error();
    EXPECT_EQ(refused.kind, ErrorKind::full);
    EXPECT_THAT(refused.detail, HasSubstr("cannot begin a segment: "));
    EXPECT_THAT(on.log.lines(),
                Contains(AllOf(HasSubstr("spool.no_room reason=the spool cannot begin a segment: "), Not(HasSubstr("full")))));
    on.disk.fail_no_more();
    ASSERT_TRUE(on.spool->upkeep());
}

TEST_F(SegmentSpoolTest, TwoServersCanNotUseOneSpool) {
    const auto second =
        SegmentSpool::open({.filesystem = on.disk, .index = on.index, .clock = on.clock, .random = on.random, .log = on.log}, on.options);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind, ErrorKind::refused);
}

TEST_F(SegmentSpoolTest, DueComesBeforeWhatWasSeenAsFirst) {
    const auto at = [](int minutes) { return FakeClock::kStart + std::chrono::minutes(minutes); };
    ASSERT_TRUE(on.commit({1}, "c", envelope_to({recipient("a", at(10))})));
    ASSERT_TRUE(on.spool->upkeep());
    EXPECT_THAT(due_ids(at(60)), ElementsAre(1));
    ASSERT_TRUE(on.commit({2}, "c", envelope_to({recipient("a", at(5))})));
    EXPECT_THAT(due_ids(at(60)), ElementsAre(2, 1));
    ASSERT_TRUE(on.spool->upkeep());
    EXPECT_THAT(due_ids(at(60)), ElementsAre(2, 1));
    ASSERT_TRUE(on.update({deferred({2}, 0, at(20))}));
    ASSERT_TRUE(on.spool->upkeep());
    EXPECT_THAT(due_ids(at(60)), ElementsAre(1, 2));
    ASSERT_TRUE(on.update({deferred({2}, 0, at(1))}));
    ASSERT_TRUE(on.spool->upkeep());
    EXPECT_THAT(due_ids(at(60)), ElementsAre(2, 1));
}

/// Everything at once, for the thread sanitizer: writers, their updates, readers, the keeper and a lost index.
TEST(SegmentSpoolThreads, WritersReadersAndUpkeepDoNotDisturbEachOther) {
    auto options = SpoolOnMemoryDisk::small_options();
    options.upkeep_interval = std::chrono::milliseconds(1);
    SpoolOnMemoryDisk on(1, options);
    ASSERT_TRUE(on.open());
    constexpr std::uint64_t kEach = 150;
    std::atomic<std::uint64_t> kept = 0;
    const auto write = [&](std::uint64_t writer) {
        for (std::uint64_t i = 0; i < kEach; ++i) {
            const base::MessageId id{writer * 1000 + i + 1};
            const bool large = i % 20 == 0;
            ASSERT_TRUE(on.commit(id, std::string(large ? 6000 : 500, 'x'), envelope_to({recipient("a"), recipient("b")})));
            ASSERT_TRUE(on.update({standing(id, 0, Standing::delivered)}, Sync::no));
            if (i % 10 == 0) {
                ++kept;
                for (int again = 0; again < 5; ++again) {
                    ASSERT_TRUE(on.update({deferred(id, 1, FakeClock::kStart + std::chrono::minutes(again))}, Sync::yes));
                }
            } else {
                ASSERT_TRUE(on.update({standing(id, 1, Standing::delivered)}, Sync::no));
            }
        }
    };
    std::vector<std::thread> threads;
    for (std::uint64_t writer = 0; writer < 4; ++writer) threads.emplace_back(write, writer);
    std::atomic<bool> ending = false;
    std::thread reader([&] {
        while (!ending) {
            ASSERT_TRUE(on.spool->due(FakeClock::kStart, nullptr, 50));
            const auto listed = on.spool->list({}, 50);
            ASSERT_TRUE(listed);
            for (const auto& one : *listed) {
                const auto loaded = on.spool->load(one.id);
                ASSERT_TRUE(loaded || loaded.error().kind == ErrorKind::not_found) << loaded.error().detail;
            }
        }
    });
    for (auto& thread : threads) thread.join();
    ending = true;
    reader.join();
    EXPECT_EQ(on.spool->stats().messages, kept);
    ASSERT_TRUE(on.spool->upkeep());
    const auto before = on.spool->list({}, 1000).value();
    on.crash();
    ASSERT_TRUE(on.index.clear());
    ASSERT_TRUE(on.open());
    EXPECT_EQ(on.spool->stats().messages, kept);
    const auto after = on.spool->list({}, 1000).value();
    ASSERT_EQ(after.size(), before.size());
    for (std::size_t i = 0; i < after.size(); ++i) EXPECT_EQ(after[i].recipients, before[i].recipients) << after[i].id.value;
}

}  // namespace
}  // namespace thurn::spool
