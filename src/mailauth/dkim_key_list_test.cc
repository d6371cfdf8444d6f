#include "mailauth/dkim_key_list.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::mailauth {
namespace {

using namespace std::chrono_literals;
using base::Time;

constexpr Time kNow = std::chrono::sys_days(std::chrono::year(2026) / 11 / 22) + 15h;

TEST(DkimKeyList, IsReadAsItWasWritten) {
    const std::vector<ListedKey> keys{
        {.domain = "a.example", .selector = "old", .made = kNow - 240h, .published = kNow - 1h, .until = kNow, .record_until = kNow + 168h},
        {.domain = "a.example", .selector = "new", .made = kNow, .from = kNow + 5ms},
        {.domain = "xn--bcher-kva.example", .selector = "s1-ed25519", .made = kNow}};
    const auto text = render_key_list(keys);
    const auto read = parse_key_list(text);
    EXPECT_TRUE(read.problems.empty());
    EXPECT_EQ(read.keys, keys);
    EXPECT_THAT(text, testing::HasSubstr("\na.example old made=2026-11-12T15:00:00.000Z published=2026-11-22T14:00:00.000Z "
                                         "until=2026-11-22T15:00:00.000Z record-until=2026-11-29T15:00:00.000Z\n"));
}

TEST(DkimKeyList, GoesOnBehindLinesThatAreWrong) {
    const auto list =
        parse_key_list("# comment\n\nnonsense\na.example s1 made=2026-11-22T15:00:00Z\na.example s1 made=2026-11-22T15:00:00Z\n");
    ASSERT_EQ(list.keys.size(), 1U);
    EXPECT_EQ(list.keys.front().made, kNow);
    ASSERT_EQ(list.problems.size(), 2U);
    EXPECT_EQ(list.problems[0].detail, "line 3: no domain and selector");
    EXPECT_EQ(list.problems[1].detail, "line 5: a key that is in the list already");
}

struct WrongLine {
    const char* name;
    const char* line;
};
class WrongKeyLine : public testing::TestWithParam<WrongLine> {};

TEST_P(WrongKeyLine, IsRefused) {
    const auto list = parse_key_list(GetParam().line);
    EXPECT_TRUE(list.keys.empty());
    EXPECT_EQ(list.problems.size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(DkimKeyList, WrongKeyLine,
                         testing::Values(WrongLine{"NoSelector", "a.example"},
                                         WrongLine{"UpperCase", "A.example s1 made=2026-11-22T15:00:00Z"},
                                         WrongLine{"APath", "a.example ../x made=2026-11-22T15:00:00Z"},
                                         WrongLine{"SelectorOfTwoLabels", "a.example s.1 made=2026-11-22T15:00:00Z"},
                                         WrongLine{"ULabels",
                                                   "b\xC3\xBC"
                                                   "cher.example s1 made=2026-11-22T15:00:00Z"},
                                         WrongLine{"NotMade", "a.example s1"}, WrongLine{"NoTime", "a.example s1 made=today"},
                                         WrongLine{"AnUnknownTime", "a.example s1 made=2026-11-22T15:00:00Z lost=2026-11-22T15:00:00Z"},
                                         WrongLine{"ATimeTwice", "a.example s1 made=2026-11-22T15:00:00Z made=2026-11-22T15:00:00Z"},
                                         WrongLine{"TwoSpaces", "a.example s1  made=2026-11-22T15:00:00Z"},
                                         WrongLine{"EndsBeforeItBegins",
                                                   "a.example s1 made=2026-11-22T15:00:00Z from=2026-11-22T15:00:00Z "
                                                   "until=2026-11-22T14:00:00Z record-until=2026-11-22T15:00:00Z"}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(DkimKeyState, FollowsTheKeysTimes) {
    const ListedKey key{
        .domain = "a.example", .selector = "s1", .made = kNow, .from = kNow + 1h, .until = kNow + 2h, .record_until = kNow + 3h};
    const auto state_at = [&](Time now) { return phase_at(key, now).state; };
    EXPECT_EQ(state_at(kNow), KeyState::prepublished);
    EXPECT_EQ(state_at(kNow + 1h - 1ms), KeyState::prepublished);
    EXPECT_EQ(state_at(kNow + 1h), KeyState::active);
    EXPECT_EQ(state_at(kNow + 2h), KeyState::retired);
    EXPECT_EQ(state_at(kNow + 3h), KeyState::removable);
    EXPECT_EQ(phase_at(key, kNow + 1h).since, kNow + 1h);
    EXPECT_EQ(phase_at(key, kNow + 1h).until, kNow + 2h);
    EXPECT_EQ(phase_at(key, kNow + 3h).until, std::nullopt);
}

TEST(DkimRotation, EndsTheKeysThatWouldSignForEver) {
    const std::vector<ListedKey> keys{
        {.domain = "a.example", .selector = "s1", .made = kNow - 1h},
        {.domain = "a.example", .selector = "s1-ed25519", .made = kNow - 1h},
        {.domain = "a.example", .selector = "s0", .made = kNow - 9h, .until = kNow, .record_until = kNow + 1h},
        {.domain = "b.example", .selector = "s1", .made = kNow}};
    const auto ending = retire_keys(keys, {.domain = "a.example", .now = kNow, .prepublish = 48h, .keep = 168h});
    ASSERT_EQ(ending.size(), 2U);
    EXPECT_EQ(ending[0].selector, "s1");
    EXPECT_EQ(ending[1].selector, "s1-ed25519");
    EXPECT_EQ(ending[0].until, kNow + 48h);
    EXPECT_EQ(ending[0].record_until, kNow + 216h);
}

TEST(DkimRotation, LeavesNoMomentWithoutAKey) {
    const ListedKey old{.domain = "a.example", .selector = "s1", .made = kNow - 1h};
    const Rotation rotation{.domain = "a.example", .now = kNow, .prepublish = 48h, .keep = 1h};
    const auto ending = retire_keys({old}, rotation).front();
    const ListedKey next{.domain = "a.example", .selector = "s2", .made = kNow, .from = kNow + rotation.prepublish};
    for (const auto now : {kNow, kNow + 48h - 1ms, kNow + 48h, kNow + 48h + 1ms})
        EXPECT_NE(phase_at(ending, now).state == KeyState::active, phase_at(next, now).state == KeyState::active);
    EXPECT_EQ(waiting_keys({ending, next}, "a.example", kNow), std::vector{next});
    EXPECT_TRUE(waiting_keys({ending, next}, "a.example", kNow + 48h).empty());
    EXPECT_TRUE(waiting_keys({ending, next}, "b.example", kNow).empty());
}

TEST(DkimRotation, IsCalledOffWhenTheNextKeysAreRemoved) {
    const ListedKey old{.domain = "a.example", .selector = "s1", .made = kNow - 1h};
    const ListedKey older{.domain = "a.example", .selector = "s0", .made = kNow - 9h, .until = kNow, .record_until = kNow + 1h};
    const ListedKey next{.domain = "a.example", .selector = "s2", .made = kNow, .from = kNow + 48h};
    const auto ending = retire_keys({old}, {.domain = "a.example", .now = kNow, .prepublish = 48h, .keep = 1h}).front();
    EXPECT_EQ(resume_keys({older, ending}, kNow), std::vector{old});
    EXPECT_TRUE(resume_keys({older, ending, next}, kNow).empty());
    EXPECT_TRUE(resume_keys({older}, kNow).empty());
    EXPECT_TRUE(resume_keys({}, kNow).empty());
}

TEST(DkimRotation, NamesKeysAfterTheDayAndTheirKind) {
    EXPECT_EQ(FreshSelectors(kNow, {"s1"}).of(KeyType::rsa), "20261122r");
    EXPECT_EQ(FreshSelectors(kNow, {}).of(KeyType::ed25519), "20261122e");
    EXPECT_EQ(FreshSelectors(kNow, {"20261122r"}).of(KeyType::ed25519), "20261122-2e");
    EXPECT_EQ(FreshSelectors(kNow, {"20261122e", "20261122-2r"}).of(KeyType::rsa), "20261122-3r");
}

}  // namespace
}  // namespace thurn::mailauth
