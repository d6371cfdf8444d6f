#include "policy/alarm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::policy {
namespace {

using namespace std::chrono_literals;

constexpr base::Time kStart{std::chrono::days(20000)};
constexpr auto kRelay = static_cast<std::size_t>(AlarmKind::relay);

Alarm relay(std::string client) {
    return {.kind = AlarmKind::relay, .subject = client, .client = client, .detail = "to <x@there.example>"};
}

TEST(AlarmBook, TellsOfTheSameOnceInTenMinutes) {
    AlarmBook book;
    EXPECT_EQ(book.add(relay("192.0.2.1"), kStart)->alarm, relay("192.0.2.1"));
    EXPECT_FALSE(book.add(relay("192.0.2.1"), kStart + 1min));
    EXPECT_TRUE(book.add(relay("192.0.2.2"), kStart + 2min));
    EXPECT_TRUE(book.add({.kind = AlarmKind::rule, .subject = "192.0.2.1"}, kStart + 3min)) << "another kind";
    EXPECT_TRUE(book.add(relay("192.0.2.1"), kStart + 10min));
    const auto all = book.list(kStart, AlarmKind::relay);
    ASSERT_EQ(all.size(), 3);
    EXPECT_EQ(all[0].count, 1) << "the latest first";
    EXPECT_EQ(all[2].count, 2);
    EXPECT_EQ(all[2].last, kStart + 1min);
    EXPECT_EQ(book.list(kStart + 9min, std::nullopt).size(), 1);
    EXPECT_EQ(book.counts()[kRelay], 4);
}

TEST(AlarmBook, AFloodFromThousandsIsNoFloodOfAlarms) {
    AlarmBook book;
    unsigned news = 0;
    for (int i = 0; i < 5000; ++i) news += book.add(relay("client " + std::to_string(i)), kStart) ? 1 : 0;
    EXPECT_EQ(news, AlarmBook::kMostOfAKind + 1);
    const auto all = book.list(kStart, std::nullopt);
    EXPECT_EQ(all.size(), news);
    EXPECT_TRUE(std::ranges::any_of(all, [](const auto& entry) { return entry.alarm.subject == "(others)" && entry.count == 4950; }));
    EXPECT_EQ(book.counts()[kRelay], 5000);
    EXPECT_TRUE(book.add({.kind = AlarmKind::account, .subject = "anna@here.example"}, kStart)) << "other kinds are heard still";
}

TEST(AlarmBook, ForgetsTheOldest) {
    AlarmBook book;
    for (int i = 0; i < 3000; ++i) book.add(relay("client " + std::to_string(i)), kStart + i * 1min);
    const auto all = book.list(kStart, std::nullopt);
    ASSERT_EQ(all.size(), AlarmBook::kKept);
    EXPECT_EQ(all.front().alarm.subject, "client 2999");
    EXPECT_EQ(all.back().alarm.subject, "client 2000");
    EXPECT_FALSE(book.add(relay("client 2999"), kStart + 3000 * 1min));
}

TEST(AlarmBook, KeepsTextsShortAndOfOneLine) {
    AlarmBook book;
    const auto entry = book.add({.subject = std::string(1000, 'x'), .detail = "a\r\nb\x1b[2J"}, kStart);
    EXPECT_EQ(entry->alarm.subject.size(), 300);
    EXPECT_EQ(entry->alarm.detail, "a??b?[2J");
}

TEST(AlarmBook, RemembersOverARestart) {
    AlarmBook book;
    book.add(relay("192.0.2.1"), kStart);
    book.add(relay("192.0.2.1"), kStart + 1s);
    book.add({.kind = AlarmKind::account, .subject = "anna@here.example", .login = "anna@here.example"}, kStart + 2s);
    AlarmBook other;
    ASSERT_TRUE(other.restore(book.snapshot(kStart)));
    EXPECT_EQ(other.list(kStart, std::nullopt), book.list(kStart, std::nullopt));
    EXPECT_EQ(other.counts(), book.counts());
    EXPECT_FALSE(other.add(relay("192.0.2.1"), kStart + 1min)) << "still the same";
    EXPECT_FALSE(other.restore("nonsense"));
    EXPECT_EQ(other.list(kStart, std::nullopt).size(), 2);
}

TEST(AlarmBook, NamesItsKinds) {
    for (std::size_t kind = 0; kind < kAlarmKindNames.size(); ++kind)
        EXPECT_EQ(alarm_kind_of(name_of(static_cast<AlarmKind>(kind))), static_cast<AlarmKind>(kind));
    EXPECT_EQ(name_of(AlarmKind::spoofing), "spoofing");
    EXPECT_FALSE(alarm_kind_of("nothing"));
}

}  // namespace
}  // namespace thurn::policy
