#include "policy/past_message.h"

#include <gtest/gtest.h>

namespace thurn::policy {
namespace {

using namespace std::chrono_literals;

const base::Time kNoon{1'800'000'000s};

std::vector<PastMessage> put_together(const std::vector<trace::Event>& events) {
    std::vector<PastMessage> all;
    PastMessages past([&](const PastMessage& message) { all.push_back(message); });
    for (const auto& event : events) past.take(event);
    past.finish();
    return all;
}

trace::Accepted accepted(const char* sender) { return {{.listener = "mx", .client = "192.0.2.1:25", .sender = sender}}; }

TEST(PastMessages, ArePutTogetherFromWhatStandsBetweenEachOther) {
    const auto all = put_together({{{1}, kNoon, accepted("a@a.example")},
                                   {{2}, kNoon, trace::Refused{{.listener = "mx", .client = "192.0.2.2:25"}}},
                                   {{1}, kNoon, trace::Decided{"rcpt", "x@x.example", "accept", "local-recipient", ""}},
                                   {{2}, kNoon, trace::Decided{"helo", "", "reject", "our-name", ""}},
                                   {{1}, kNoon, trace::Found{"", {"spf = \"pass\""}}},
                                   {{1}, kNoon + 1s, trace::Routed{"x@x.example", "maildir", ""}}});
    ASSERT_EQ(all.size(), 2U);
    EXPECT_TRUE(all[0].accepted);
    EXPECT_EQ(all[0].parties.sender, "a@a.example");
    EXPECT_EQ(all[0].decisions.size(), 1U);
    EXPECT_EQ(all[0].found.size(), 1U);
    EXPECT_FALSE(all[1].accepted);
    EXPECT_EQ(all[1].decisions.size(), 1U);
}

TEST(PastMessages, AreDoneInTheirOrderAndFewAreHeld) {
    std::size_t done = 0;
    PastMessages past([&](const PastMessage& message) {
        EXPECT_EQ(message.id.value, done + 1);
        ++done;
    });
    for (std::uint64_t i = 1; i <= 100; ++i) past.take({{i}, kNoon + i * 5s, accepted("")});
    EXPECT_GE(done, 95U);
    past.take({{1}, kNoon + 500s, trace::Decided{"rcpt", "late@x.example", "accept", "", ""}});  // nobody waits for it
    past.finish();
    EXPECT_EQ(done, 100U);
}

TEST(PastMessages, WhatWasMadeHereIsNotReplayed) {
    EXPECT_TRUE(put_together({{{1}, kNoon, trace::Accepted{{.listener = "dsn"}}}, {{1}, kNoon, trace::Found{}}}).empty());
}

}  // namespace
}  // namespace thurn::policy
