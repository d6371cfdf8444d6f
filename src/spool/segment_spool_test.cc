#include "spool/segment_spool.h"

#include "support/spool_on_memory_disk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::spool {
namespace {

using base::ErrorKind;
using support::FakeClock;
using support::MemoryFilesystem;
using support::SpoolOnMemoryDisk;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

mail::Mailbox mailbox(std::string local) { return {.local = std::move(local), .domain = mail::Domain::restored("example.com")}; }

Recipient recipient(std::string local, base::Time due = FakeClock::kStart) {
    Recipient to;
    to.mailbox = mailbox(std::move(local));
    to.state.due = due;
    return to;
}

Envelope envelope_to(std::vector<Recipient> recipients) {
    Envelope envelope;
    envelope.sender.mailbox = mailbox("sender");
    envelope.recipients = std::move(recipients);
    envelope.body = mail::BodyType::eight_bit;
    envelope.login = "sender@example.com";
    envelope.client = "192.0.2.1";
    return envelope;
}

RecipientUpdate standing(base::MessageId id, std::uint32_t index, Standing now) {
    return {.id = id, .index = index, .state = {.standing = now, .due = {}, .last_status = {}, .site = {}}, .expansion = {}};
}

RecipientUpdate deferred(base::MessageId id, std::uint32_t index, base::Time due) {
    return {.id = id, .index = index, .state = {.attempts = 1, .due = due, .last_status = "451 later", .site = "mx"}, .expansion = {}};
}

std::string read_all(const Content& content) {
    std::string octets(content.size().count, '\0');
    auto count = content.read(0, octets);
    EXPECT_TRUE(count);
    if (count) octets.resize(*count);
    return octets;
}

class SegmentSpoolTest : public testing::Test {
protected:
    SegmentSpoolTest() { open(); }
    void open() {
        auto opened = on.open();
        ASSERT_TRUE(opened) << opened.error().detail;
    }
    void crash_and_open() {
        on.crash();
        open();
    }
    void kill_and_open() {
        on.kill();
        open();
    }
    void put(std::uint64_t id, std::string_view content = "Subject: a\r\n\r\nb\r\n") {
        ASSERT_TRUE(on.commit({id}, content, envelope_to({recipient("a")})));
    }
    std::vector<std::uint64_t> due_ids(base::Time until = FakeClock::kStart) {
        std::vector<std::uint64_t> ids;
        auto due = on.spool->due(until, nullptr, 1000);
        EXPECT_TRUE(due);
        if (due) {
            for (const auto& one : *due) ids.push_back(one.id.value);
        }
        return ids;
    }

    SpoolOnMemoryDisk on;
};

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

TEST_F(SegmentSpoolTest, KeepsWhatItPromisedThroughACrash) {
    for (std::uint64_t id = 1; id <= 20; ++id) put(id, "message " + std::to_string(id));
    crash_and_open();
    EXPECT_EQ(on.spool->stats().messages, 20U);
    for (std::uint64_t id = 1; id <= 20; ++id) {
        const auto loaded = on.spool->load({id});
        ASSERT_TRUE(loaded) << id;
        EXPECT_EQ(read_all(*loaded->content), "message " + std::to_string(id));
        EXPECT_EQ(loaded->envelope, envelope_to({recipient("a")}));
    }
    EXPECT_EQ(on.spool->newest().value, 20U);
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

TEST_F(SegmentSpoolTest, InDoubtIsDueAtOnceAfterACrashAndStillSaysSo) {
    put(1);
    auto doubt = standing({1}, 0, Standing::in_doubt);
    doubt.state.due = FakeClock::kStart;
    ASSERT_TRUE(on.update({doubt}, Sync::yes));
    crash_and_open();
    EXPECT_THAT(due_ids(), ElementsAre(1));
    EXPECT_EQ(on.spool->load({1})->envelope.recipients[0].state.standing, Standing::in_doubt);
}

TEST_F(SegmentSpoolTest, UnsyncedUpdatesSurviveTheEndOfTheProcess) {
    put(1);
    ASSERT_TRUE(on.update({standing({1}, 0, Standing::delivered)}, Sync::no));
    kill_and_open();
    EXPECT_EQ(on.spool->load({1}).error().kind, ErrorKind::not_found);
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

TEST_F(SegmentSpoolTest, ADraftDroppedLeavesNoTrace) {
    {
        auto draft = on.spool->draft({1});
        ASSERT_TRUE(draft->append(std::string(3000, 'x')));
        EXPECT_TRUE(draft->needs_disk(3000));
        ASSERT_TRUE(draft->append(std::string(3000, 'x')));
    }
    on.spool.reset();
    EXPECT_THAT(*on.disk.list("big"), IsEmpty());
}

TEST_F(SegmentSpoolTest, LargeContentHasAFileUntilTheMessageIsGone) {
    const std::string content(50'000, 'L');
    const auto stored = on.commit({1}, content, envelope_to({recipient("a")}));
    ASSERT_TRUE(stored);
    EXPECT_FALSE(stored->content->in_memory());
    EXPECT_EQ(read_all(*stored->content), content);
    EXPECT_THAT(*on.disk.list("big"), ElementsAre(base::MessageId{1}.text()));
    crash_and_open();
    const auto loaded = on.spool->load({1});
    ASSERT_TRUE(loaded);
    EXPECT_EQ(read_all(*loaded->content), content);
    EXPECT_GT(on.spool->stats().disk_octets, content.size());
    ASSERT_TRUE(on.update({standing({1}, 0, Standing::delivered)}));
    ASSERT_TRUE(on.spool->upkeep());
    EXPECT_THAT(*on.disk.list("big"), IsEmpty());
}

/// tests/support puts a third of every other message on top.
TEST_F(SegmentSpoolTest, WhatIsPutOnTopInTheEndStandsFirst) {
    std::string content(300'000, ' ');
    for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>('a' + i % 23);
    const std::vector<std::size_t> sizes = {0, 3, 3000, 4096, 50'000, 300'000};
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        const auto stored = on.commit({2 * i + 1}, content.substr(0, sizes[i]), envelope_to({recipient("a")}));
        ASSERT_TRUE(stored);
        EXPECT_EQ(read_all(*stored->content), content.substr(0, sizes[i])) << sizes[i];
    }
    crash_and_open();
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        const auto loaded = on.spool->load({2 * i + 1});
        ASSERT_TRUE(loaded) << sizes[i];
        EXPECT_EQ(read_all(*loaded->content), content.substr(0, sizes[i])) << sizes[i];
        const auto top = sizes[i] / 3;
        for (const std::size_t from : {std::size_t{0}, top - std::min<std::size_t>(top, 7), top, top + 1, sizes[i]}) {
            std::string piece(20, '?');
            const auto count = loaded->content->read(from, piece);
            ASSERT_TRUE(count);
            EXPECT_EQ(piece.substr(0, *count), content.substr(0, sizes[i]).substr(std::min(from, sizes[i]), 20))
                << sizes[i] << " from " << from;
        }
    }
}

TEST_F(SegmentSpoolTest, ADraftCanBeReadBackAndBegunAnew) {
    for (const std::size_t size : {std::size_t{3000}, std::size_t{700'000}}) {
        const auto id = base::MessageId{size};
        auto draft = on.spool->draft(id);
        std::string octets;
        for (std::size_t at = 0; at < size; at += 100) {
            octets += std::string(100, static_cast<char>('a' + at / 100 % 26));
            ASSERT_TRUE(draft->append(octets.substr(at)));
        }
        EXPECT_EQ(draft->in_memory().has_value(), size < 4096);
        if (draft->in_memory()) EXPECT_EQ(*draft->in_memory(), octets);
        for (const std::size_t from : {std::size_t{0}, std::size_t{1}, size / 2, size - 50, size, size + 1}) {
            std::string piece(100, '\0');
            const auto count = draft->read(from, piece);
            ASSERT_TRUE(count);
            EXPECT_EQ(piece.substr(0, *count), from > size ? "" : octets.substr(from, 100)) << from;
        }
        const auto before = draft->start_over();
        ASSERT_TRUE(before);
        EXPECT_EQ(draft->size().count, 0U);
        ASSERT_TRUE(draft->append("X: y\r\n\r\n"));
        ASSERT_TRUE(draft->append(octets));
        ASSERT_TRUE(draft->put_on_top("Received: z\r\n"));
        EXPECT_EQ(read_all(**before), octets) << "what it was stays readable";
        std::promise<base::Result<StoredMessage>> promise;
        on.spool->commit(std::move(draft), envelope_to({recipient("a")}), [&](auto outcome) { promise.set_value(std::move(outcome)); });
        ASSERT_TRUE(promise.get_future().get());
        crash_and_open();
        EXPECT_EQ(read_all(*on.spool->load(id).value().content), "Received: z\r\nX: y\r\n\r\n" + octets);
    }
}

TEST_F(SegmentSpoolTest, ContentFilesWithoutAMessageAreRemovedAtTheStart) {
    on.spool.reset();
    ASSERT_TRUE(on.disk.open("big/" + base::MessageId{5}.text(), Access::create));
    ASSERT_TRUE(on.disk.open("big/" + base::MessageId{6}.text() + ".tmp", Access::create));
    open();
    EXPECT_EQ(on.spool->recovered().orphans_removed, 2U);
    EXPECT_THAT(*on.disk.list("big"), IsEmpty());
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

TEST_F(SegmentSpoolTest, RebuildsAnIndexThatIsLost) {
    for (std::uint64_t id = 1; id <= 30; ++id) put(id);
    ASSERT_TRUE(on.update({standing({3}, 0, Standing::delivered)}));
    ASSERT_TRUE(on.spool->upkeep());
    on.spool.reset();
    ASSERT_TRUE(on.index.clear());
    open();
    EXPECT_EQ(on.spool->recovered().index, Recovered::Index::rebuilt);
    EXPECT_EQ(on.spool->stats().messages, 29U);
    EXPECT_EQ(due_ids().size(), 29U);
}

TEST_F(SegmentSpoolTest, ARebuiltIndexSurvivesACrash) {
    for (std::uint64_t id = 1; id <= 30; ++id) put(id);
    for (int round = 0; round < 10; ++round) {  // what was not synced may survive a crash by chance
        on.kill();
        ASSERT_TRUE(on.index.clear());
        open();
        ASSERT_EQ(on.spool->recovered().index, Recovered::Index::rebuilt);
        on.crash();
        open();
        ASSERT_EQ(on.spool->recovered().index, Recovered::Index::used);
        EXPECT_EQ(on.spool->stats().messages, 30U);
    }
}

TEST_F(SegmentSpoolTest, AfterACleanStopNothingIsReplayed) {
    for (std::uint64_t id = 1; id <= 30; ++id) put(id);
    on.spool.reset();
    open();
    EXPECT_EQ(on.spool->recovered().index, Recovered::Index::used);
    EXPECT_LE(on.spool->recovered().replayed_records, 1U);  // the note of the checkpoint itself
    EXPECT_EQ(on.spool->stats().messages, 30U);
    EXPECT_EQ(due_ids().size(), 30U);
}

TEST_F(SegmentSpoolTest, TheIndexNeverKnowsMoreThanTheLog) {
    put(1);
    ASSERT_TRUE(on.update({standing({1}, 0, Standing::delivered)}, Sync::no));
    ASSERT_TRUE(on.spool->upkeep());
    crash_and_open();
    EXPECT_EQ(on.spool->stats().messages, 0U);
    on.spool.reset();
    ASSERT_TRUE(on.index.clear());
    open();
    EXPECT_EQ(on.spool->stats().messages, 0U);
}

TEST_F(SegmentSpoolTest, ALargeContentStaysWhileACrashMayStillWantItBack) {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        SpoolOnMemoryDisk other(seed);
        ASSERT_TRUE(other.open());
        ASSERT_TRUE(other.commit({1}, std::string(9000, 'L'), envelope_to({recipient("a")})));
        ASSERT_TRUE(other.update({standing({1}, 0, Standing::delivered)}, Sync::no));
        other.disk.fail(1, MemoryFilesystem::Failing::from_then_on);
        EXPECT_FALSE(other.spool->upkeep());
        other.crash();
        ASSERT_TRUE(other.open());
        if (other.spool->stats().messages == 0) continue;
        const auto loaded = other.spool->load({1});
        ASSERT_TRUE(loaded) << loaded.error().detail;
        EXPECT_EQ(read_all(*loaded->content), std::string(9000, 'L'));
    }
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
