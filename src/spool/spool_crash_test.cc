// The promise behind every 250, tried: each disk operation fails once, all of them from one on, power is cut, the index is lost. Afterwards
// each message that was promised is whole, and what was finished stays finished.

#include "support/spool_model.h"

#include <random>

#include <gtest/gtest.h>

namespace thurn::spool {
namespace {

using support::FakeClock;
using support::MemoryFilesystem;
using support::SpoolModel;
using support::SpoolOnMemoryDisk;

Recipient recipient(std::uint64_t number, base::Time due = FakeClock::kStart) {
    Recipient to;
    to.mailbox = {.local = "r" + std::to_string(number), .domain = mail::Domain::restored("example.com")};
    to.state.due = due;
    return to;
}

/// Does to a spool what a server does, and tells a model.
class Driver {
public:
    Driver(SpoolOnMemoryDisk& on, SpoolModel& model, std::uint64_t seed) : on_(on), model_(model), random_(seed) {}

    void commit(std::size_t size, std::size_t recipients) {
        const base::MessageId id{next_id_++};
        Envelope envelope;
        for (std::size_t i = 0; i < recipients; ++i) envelope.recipients.push_back(recipient(i, some_time()));
        std::string content = "message " + std::to_string(id.value) + " ";
        while (content.size() < size) content += static_cast<char>('a' + random_() % 26);
        const auto answer = on_.commit(id, content, envelope);
        model_.committed(id, content, envelope, answer);
    }
    void commit_something() {
        const bool large = random_() % 12 == 0;
        commit(large ? 4000 + random_() % 9000 : random_() % 2500, 1 + random_() % 3);
    }
    void update_something() {
        const auto living = model_.living();
        if (living.empty()) return;
        std::vector<RecipientUpdate> updates;
        for (auto count = 1 + random_() % 2; count > 0; --count) {
            const auto id = living[random_() % living.size()];
            updates.push_back(some_update(id, static_cast<std::uint32_t>(random_() % model_.recipients(id).size())));
        }
        const auto sync = random_() % 2 == 0 ? Sync::yes : Sync::no;
        model_.updated(updates, sync, on_.update(updates, sync));
    }
    void finish(base::MessageId id, Sync sync) {
        std::vector<RecipientUpdate> updates;
        for (std::uint32_t i = 0; i < model_.recipients(id).size(); ++i) updates.push_back(to(id, i, Standing::delivered));
        model_.updated(updates, sync, on_.update(updates, sync));
    }
    void upkeep() {
        const auto before = on_.spool->stats().syncs;
        const bool done = on_.spool->upkeep().has_value();
        if (done && on_.spool->stats().syncs > before) model_.all_synced();
    }

    static RecipientUpdate to(base::MessageId id, std::uint32_t index, Standing standing) {
        RecipientUpdate update;
        update.id = id;
        update.index = index;
        update.state.standing = standing;
        return update;
    }

private:
    base::Time some_time() { return FakeClock::kStart + std::chrono::milliseconds(random_() % 1000); }
    RecipientUpdate some_update(base::MessageId id, std::uint32_t index) {
        static constexpr Standing kStandings[] = {Standing::waiting,   Standing::waiting, Standing::in_doubt, Standing::held,
                                                  Standing::delivered, Standing::failed,  Standing::expanded, Standing::deleted};
        auto update = to(id, index, kStandings[random_() % std::size(kStandings)]);
        update.state.due = some_time();
        update.state.attempts = static_cast<std::uint32_t>(random_() % 9);
        update.state.last_status = std::string(random_() % 60, 's');
        if (update.state.standing == Standing::expanded) update.expansion = {recipient(100 + random_() % 100, some_time())};
        return update;
    }

    SpoolOnMemoryDisk& on_;
    SpoolModel& model_;
    std::mt19937_64 random_;
    std::uint64_t next_id_ = 1;
};

/// A fixed piece of work that meets every kind of disk operation.
void fixed_work(Driver& driver) {
    for (int i = 0; i < 6; ++i) driver.commit(1500, 2);
    driver.commit(9000, 1);  // a file of its own
    driver.finish({1}, Sync::no);
    driver.finish({2}, Sync::yes);
    driver.upkeep();
    for (int i = 0; i < 12; ++i) driver.commit(2000, 1);
    driver.finish({7}, Sync::yes);
    for (std::uint64_t id = 8; id < 18; ++id) driver.finish({id}, Sync::no);
    driver.upkeep();
    for (int i = 0; i < 16; ++i) driver.commit(3000, 1);
    for (std::uint64_t id = 19; id < 33; ++id) driver.finish({id}, Sync::yes);
    driver.upkeep();
    for (int i = 0; i < 3; ++i) driver.update_something();
}

struct Sweep {
    const char* name;
    MemoryFilesystem::Failing failing;
    base::ErrorKind kind;
};
class FailingDiskTest : public testing::TestWithParam<Sweep> {};

std::uint64_t operations_of_fixed_work() {
    SpoolOnMemoryDisk on;
    EXPECT_TRUE(on.open());
    SpoolModel model;
    Driver driver(on, model, 1);
    const auto before = on.disk.operations();
    fixed_work(driver);
    model.check(on);
    EXPECT_GT(on.spool->stats().syncs, 40U);
    EXPECT_LT(on.spool->stats().segments, 8U) << "space was given back";
    return on.disk.operations() - before;
}

TEST_P(FailingDiskTest, NoPromiseIsBrokenWhicheverOperationFails) {
    const auto operations = operations_of_fixed_work();
    for (std::uint64_t nth = 1; nth <= operations; ++nth) {
        SCOPED_TRACE("operation " + std::to_string(nth) + " of " + std::to_string(operations));
        SpoolOnMemoryDisk on(nth);
        ASSERT_TRUE(on.open());
        SpoolModel model;
        Driver driver(on, model, nth);
        on.disk.fail(nth, GetParam().failing, GetParam().kind);
        fixed_work(driver);
        model.check(on);  // reads go on
        if (HasFatalFailure()) return;
        on.crash();
        ASSERT_TRUE(on.open());
        model.check_after_crash(on);
        if (HasFatalFailure()) return;
        driver.commit(1000, 1);
        driver.upkeep();
        on.spool.reset();
        ASSERT_TRUE(on.index.clear());
        ASSERT_TRUE(on.open());
        model.check(on);
        if (HasFailure()) return;
    }
}

INSTANTIATE_TEST_SUITE_P(EveryOperation, FailingDiskTest,
                         testing::Values(Sweep{"Once", MemoryFilesystem::Failing::once, base::ErrorKind::disk},
                                         Sweep{"OnceFull", MemoryFilesystem::Failing::once, base::ErrorKind::full},
                                         Sweep{"FromThenOn", MemoryFilesystem::Failing::from_then_on, base::ErrorKind::disk},
                                         Sweep{"FullFromThenOn", MemoryFilesystem::Failing::from_then_on, base::ErrorKind::full}),
                         [](const auto& row) { return std::string(row.param.name); });

class RandomLifeTest : public testing::TestWithParam<std::uint64_t> {};

/// A spool that crashes every few moments holds what the model says, and so does what is rebuilt from its log alone.
TEST_P(RandomLifeTest, EqualsTheModelThroughCrashesCompactionAndIndexLoss) {
    std::mt19937_64 random(GetParam());
    SpoolOnMemoryDisk on(GetParam());
    ASSERT_TRUE(on.open());
    SpoolModel model;
    Driver driver(on, model, GetParam());
    std::uint64_t rebuilt = 0;
    for (int step = 0; step < 1000; ++step) {
        SCOPED_TRACE("step " + std::to_string(step));
        const auto dice = random() % 1000;
        if (dice < 380) {
            driver.commit_something();
        } else if (dice < 650) {
            driver.update_something();
        } else if (dice < 900) {
            const auto living = model.living();
            if (living.size() > 30) driver.finish(living[random() % living.size()], random() % 2 == 0 ? Sync::yes : Sync::no);
        } else if (dice < 960) {
            driver.upkeep();
        } else if (dice < 970) {
            on.disk.fail(1 + random() % 20, MemoryFilesystem::Failing::once);
        } else if (dice < 975) {
            model.check(on);
        } else if (dice < 985) {
            on.crash();
            if (random() % 4 == 0) ASSERT_TRUE(on.index.clear());
            ASSERT_TRUE(on.open());
            model.check_after_crash(on);
        } else if (dice < 992) {
            on.kill();
            ASSERT_TRUE(on.open());
            model.check_after_crash(on);
        } else {
            on.disk.fail_no_more();
            on.spool.reset();
            if (random() % 2 == 0) ASSERT_TRUE(on.index.clear());
            ASSERT_TRUE(on.open());
            rebuilt += on.spool->recovered().index == Recovered::Index::rebuilt ? 1 : 0;
            model.check_after_crash(on);
        }
        if (HasFailure()) return;
    }
    EXPECT_GT(rebuilt, 0U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomLifeTest, testing::Range<std::uint64_t>(1, 6));

}  // namespace
}  // namespace thurn::spool
