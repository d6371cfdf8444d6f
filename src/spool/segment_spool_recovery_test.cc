// What is there again after a crash, a killed process, a clean stop, and the loss of the index.
#include "support/segment_spool_fixture.h"

namespace thurn::spool {
namespace {

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

}  // namespace
}  // namespace thurn::spool
