#include "storage/policy_state.h"

#include "support/fake_clock.h"
#include "support/memory_filesystem.h"
#include "support/memory_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::storage {
namespace {

using base::ErrorKind;
using support::MemoryFilesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// Remembers a text; one that begins with `bad` cannot be restored.
class Text final : public policy::KeptState {
public:
    void set(std::string text) {
        text_ = std::move(text);
        ++changes_;
    }
    [[nodiscard]] const std::string& text() const { return text_; }
    [[nodiscard]] std::string snapshot(base::Time) const override { return text_; }
    [[nodiscard]] base::Result<void> restore(std::string_view octets) override {
        if (octets.starts_with("bad")) return base::fail(ErrorKind::corrupt, "bad text");
        text_ = octets;
        return {};
    }
    [[nodiscard]] std::uint64_t changes() const override { return changes_; }

private:
    std::string text_;
    std::uint64_t changes_ = 0;
};

class PolicyStateTest : public testing::Test {
protected:
    PolicyState on_disk() { return {disk_, log_, clock_}; }
    std::string restored(const std::string& name) {
        Text text;
        on_disk().add(name, text);
        return text.text();
    }

    std::shared_ptr<MemoryFilesystem> disk_ = std::make_shared<MemoryFilesystem>();
    support::MemoryLog log_;
    support::FakeClock clock_;
};

TEST_F(PolicyStateTest, IsThereAfterARestart) {
    auto state = on_disk();
    Text one, two;
    state.add("one", one);
    state.add("two", two);
    one.set("first");
    two.set("second");
    ASSERT_TRUE(state.save());
    EXPECT_EQ(restored("one"), "first");
    EXPECT_EQ(restored("two"), "second");
    EXPECT_THAT(log_.lines(), IsEmpty());
}

TEST_F(PolicyStateTest, IsWrittenOnlyWhenItChanged) {
    auto state = on_disk();
    Text one, two;
    state.add("one", one);
    state.add("two", two);
    ASSERT_TRUE(state.save());
    EXPECT_EQ(disk_->operations(), 0);
    one.set("x");
    ASSERT_TRUE(state.save());
    const auto operations = disk_->operations();
    EXPECT_FALSE(disk_->exists("two"));
    ASSERT_TRUE(state.save());
    EXPECT_EQ(disk_->operations(), operations);
}

TEST_F(PolicyStateTest, ThatIsDamagedIsPutAsideAndCostsOnlyItself) {
    disk_->overwrite("one", "bad octets");
    disk_->overwrite("two", "good");
    auto state = on_disk();
    Text one, two;
    state.add("one", one);
    state.add("two", two);
    EXPECT_EQ(one.text(), "");
    EXPECT_EQ(two.text(), "good");
    EXPECT_THAT(log_.lines(), ElementsAre(HasSubstr("policy_state_damaged file=one reason=bad text kept_as=one.damaged")));
    EXPECT_EQ(disk_->octets("one.damaged"), "bad octets");
    one.set("new");
    ASSERT_TRUE(state.save());
    EXPECT_EQ(restored("one"), "new");
}

TEST_F(PolicyStateTest, CanBeLookedAtWithoutATrace) {
    Text text;
    EXPECT_EQ(load_policy_state(*disk_, "one", text).error().kind, ErrorKind::not_found);
    disk_->overwrite("one", "bad octets");
    EXPECT_EQ(load_policy_state(*disk_, "one", text).error().kind, ErrorKind::corrupt);
    EXPECT_EQ(disk_->octets("one"), "bad octets") << "whoever only looks puts nothing aside";
    disk_->overwrite("one", "good");
    EXPECT_TRUE(load_policy_state(*disk_, "one", text));
    EXPECT_EQ(text.text(), "good");
}

TEST_F(PolicyStateTest, IsTheOldOrTheNewOneWhateverOperationFails) {
    for (std::uint64_t nth = 1; nth < 12; ++nth)
        for (const bool crash : {false, true}) {
            disk_ = std::make_shared<MemoryFilesystem>(nth);
            Text text;
            {
                auto state = on_disk();
                state.add("one", text);
                text.set("old");
                ASSERT_TRUE(state.save());
                text.set("new");
                disk_->fail(nth, MemoryFilesystem::Failing::from_then_on);
                const auto saved = state.save();
                disk_->fail_no_more();
                if (crash) disk_->crash();
                EXPECT_THAT(restored("one"), testing::AnyOf("old", "new")) << nth;
                if (saved) EXPECT_EQ(restored("one"), "new") << nth;
                if (crash) continue;
                ASSERT_TRUE(state.save()) << "a failure is made good the next time";
                EXPECT_EQ(restored("one"), "new") << nth;
            }
        }
    EXPECT_THAT(log_.lines(), IsEmpty());
}

TEST_F(PolicyStateTest, ThatCannotBeWrittenKeepsNoOtherFromBeing) {
    auto state = on_disk();
    Text one, two;
    state.add("one", one);
    state.add("two", two);
    one.set("1");
    two.set("2");
    disk_->fail(1, MemoryFilesystem::Failing::once, ErrorKind::full);
    const auto saved = state.save();
    ASSERT_FALSE(saved);
    EXPECT_EQ(saved.error().kind, ErrorKind::full);
    EXPECT_EQ(restored("two"), "2");
    ASSERT_TRUE(state.save());
    EXPECT_EQ(restored("one"), "1");
}

}  // namespace
}  // namespace thurn::storage
