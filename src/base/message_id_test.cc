#include "base/message_id.h"

#include "support/fake_clock.h"
#include "support/fake_random.h"

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace thurn::base {
namespace {

using namespace std::chrono_literals;
using support::FakeClock;

TEST(MessageId, IsThirteenCharactersThatSortAsTheValueDoes) {
    EXPECT_EQ(MessageId{0}.text(), "0000000000000");
    EXPECT_EQ(MessageId{31}.text(), "000000000000Z");
    EXPECT_EQ(MessageId{~std::uint64_t{0}}.text(), "FZZZZZZZZZZZZ");
    support::FakeRandom random;
    MessageId previous{0};
    for (int i = 0; i < 1000; ++i) {
        const MessageId id{random.next() >> random.below(64)};
        EXPECT_EQ(id < previous, id.text() < previous.text());
        EXPECT_EQ(parse_message_id(id.text()), id);
        previous = id;
    }
}

TEST(MessageId, IsReadInEitherCaseAndWithLookAlikes) {
    EXPECT_EQ(parse_message_id("fzzzzzzzzzzzz"), MessageId{~std::uint64_t{0}});
    EXPECT_EQ(parse_message_id("000000000oOlI"), parse_message_id("0000000000011"));
    EXPECT_EQ(parse_message_id("000000000000i"), MessageId{1});
}

TEST(MessageId, RefusesOtherText) {
    for (const std::string_view text : {"", "000000000000", "00000000000000", "G000000000000", "ZZZZZZZZZZZZZ", "000000000000U",
                                        "000000000000u", "000000000000-", "00000000000 0", "../../../etc/", "000000000000\xff"}) {
        const auto id = parse_message_id(text);
        ASSERT_FALSE(id) << text;
        EXPECT_EQ(id.error().kind, ErrorKind::syntax) << text;
    }
}

TEST(MessageIdSource, TellsTimeAndNode) {
    const FakeClock clock;
    MessageIdSource source(clock, 1023, {});
    const MessageId id = source.next();
    EXPECT_EQ(id.time(), FakeClock::kStart);
    EXPECT_EQ(id.value >> 12 & 1023, 1023U);
}

TEST(MessageIdSource, GrowsWhileTheClockStandsOrStepsBack) {
    FakeClock clock;
    MessageIdSource source(clock, 7, {});
    MessageId last = source.next();
    for (int i = 0; i < 20'000; ++i) {  // over the 4096 of a millisecond
        if (i == 10'000) clock.advance(-1h);
        const MessageId id = source.next();
        ASSERT_GT(id, last);
        ASSERT_EQ(id.value >> 12 & 1023, 7U);
        last = id;
    }
    clock.advance(2h);
    EXPECT_EQ(source.next().time(), clock.now());
}

TEST(MessageIdSource, GoesOnBehindTheNewestIdEvenOfAHigherNode) {
    const FakeClock clock;
    MessageIdSource other(clock, 9, {});
    const MessageId newest = other.next();
    MessageIdSource lower(clock, 3, newest);
    MessageIdSource higher(clock, 10, newest);
    EXPECT_GT(lower.next(), newest);
    EXPECT_GT(higher.next(), newest);
}

TEST(MessageIdSource, LivesThrough2038And2106AndBefore1970) {
    FakeClock clock(Time(-5s));
    MessageIdSource source(clock, 0, {});
    MessageId last = source.next();
    for (const auto seconds : {0LL, 0x7fffffffLL, 0x80000000LL, 0xffffffffLL, 0x100000000LL}) {
        clock.set(Time(std::chrono::seconds(seconds)));
        const MessageId id = source.next();
        EXPECT_GT(id, last);
        last = id;
    }
    EXPECT_EQ(last.time(), clock.now());
}

TEST(MessageIdSource, GivesNoIdTwiceToManyThreads) {
    const FakeClock clock;
    MessageIdSource source(clock, 1, {});
    std::vector<std::vector<MessageId>> taken(4);
    {
        std::vector<std::jthread> threads;
        for (auto& mine : taken) {
            threads.emplace_back([&source, &mine] {
                for (int i = 0; i < 5000; ++i) mine.push_back(source.next());
            });
        }
    }
    std::vector<MessageId> all;
    for (const auto& mine : taken) {
        EXPECT_TRUE(std::ranges::is_sorted(mine));
        all.insert(all.end(), mine.begin(), mine.end());
    }
    std::ranges::sort(all);
    EXPECT_EQ(std::ranges::adjacent_find(all), all.end());
}

}  // namespace
}  // namespace thurn::base
