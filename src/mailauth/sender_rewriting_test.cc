#include "mailauth/sender_rewriting.h"

#include <gtest/gtest.h>

namespace thurn::mailauth {
namespace {

constexpr base::Time kNow{std::chrono::seconds(1'700'000'000)};

mail::Mailbox box(std::string_view text) { return *mail::parse_mailbox(text); }

TEST(SenderRewriting, KnowsTheWayBackToEveryForwarder) {
    const SenderRewriting rewriting({"secret"}, std::chrono::days(21));
    for (const auto* forwarder : {"one.example", "two.example"}) {
        const auto rewritten = rewriting.rewrite(box("anna@a.example"), *mail::parse_domain(forwarder), kNow);
        ASSERT_TRUE(rewritten);
        EXPECT_EQ(rewritten->domain.text(), forwarder);
        EXPECT_TRUE(rewriting.is_rewritten(*rewritten));
        EXPECT_EQ(rewriting.restore(*rewritten, kNow), box("anna@a.example"));
        EXPECT_FALSE(rewriting.restore(*rewritten, kNow + std::chrono::days(30)));
        EXPECT_FALSE(SenderRewriting({"other"}, std::chrono::days(21)).restore(*rewritten, kNow));
    }
}

TEST(SenderRewriting, TakesNothingElseForItsOwn) {
    const SenderRewriting rewriting({"secret"}, std::chrono::days(21));
    EXPECT_FALSE(rewriting.is_rewritten(box("anna@one.example")));
    EXPECT_FALSE(rewriting.is_rewritten(mail::Mailbox{.local = "postmaster", .domain = {}}));
    EXPECT_TRUE(rewriting.is_rewritten(box("SRS0=x=y=a.example=anna@one.example")));
    EXPECT_FALSE(rewriting.restore(box("SRS0=x=y=a.example=anna@one.example"), kNow));
}

}  // namespace
}  // namespace thurn::mailauth
