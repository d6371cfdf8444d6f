// Drafts, and content too large for a segment.
#include "support/segment_spool_fixture.h"

#include <future>

namespace thurn::spool {
namespace {

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

TEST_F(SegmentSpoolTest, ContentFilesWithoutAMessageAreRemovedAtTheStart) {
    on.spool.reset();
    ASSERT_TRUE(on.disk.open("big/" + base::MessageId{5}.text(), Access::create));
    ASSERT_TRUE(on.disk.open("big/" + base::MessageId{6}.text() + ".tmp", Access::create));
    open();
    EXPECT_EQ(on.spool->recovered().orphans_removed, 2U);
    EXPECT_THAT(*on.disk.list("big"), IsEmpty());
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

}  // namespace
}  // namespace thurn::spool
