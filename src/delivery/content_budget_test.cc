#include "delivery/content_budget.h"

#include "spool/memory_spool.h"

#include <gtest/gtest.h>

namespace thurn::delivery {
namespace {

class ContentBudgetTest : public testing::Test {
protected:
    spool::StoredMessage stored(std::uint64_t id, const std::string& octets) {
        auto draft = spool_.draft({id});
        EXPECT_TRUE(draft->append(octets));
        spool::Envelope envelope;
        envelope.recipients.push_back(
            {.mailbox = *mail::parse_mailbox("a@b.example", mail::Charset::ascii), .original = {}, .expansions = 0, .state = {}});
        spool::StoredMessage message;
        spool_.commit(std::move(draft), std::move(envelope), [&](auto result) { message = *std::move(result); });
        return message;
    }
    static std::string read_all(const spool::Content& content) {
        std::string octets(content.size().count, '\0');
        const auto got = content.read(0, octets);
        return got ? octets.substr(0, *got) : got.error().detail;
    }

    spool::MemorySpool spool_;
    ContentBudget budget_{spool_, base::Octets{10}};
};

TEST_F(ContentBudgetTest, HoldsWhatHasRoomUntilItsLastHolderLetsGo) {
    auto content = budget_.admit(stored(1, "12345678"));
    EXPECT_TRUE(content->in_memory());
    auto second_holder = content;
    content.reset();
    EXPECT_EQ(budget_.held().count, 8U);
    second_holder.reset();
    EXPECT_EQ(budget_.held().count, 0U);
}

TEST_F(ContentBudgetTest, ReadsFromTheSpoolWhatHasNoRoom) {
    const auto first = budget_.admit(stored(1, "12345678"));
    auto second = budget_.admit(stored(2, "abcdefgh"));
    EXPECT_FALSE(second->in_memory());
    EXPECT_EQ(second->size().count, 8U);
    EXPECT_EQ(budget_.held().count, 8U);
    EXPECT_EQ(read_all(*second), "abcdefgh");
    EXPECT_EQ(budget_.held().count, 16U) << "what is being carried counts, too";
    second.reset();
    EXPECT_EQ(budget_.held().count, 8U);
}

TEST_F(ContentBudgetTest, SaysThatAMessageHasGone) {
    const auto first = budget_.admit(stored(1, "12345678"));
    const auto second = budget_.admit(stored(2, "abcdefgh"));
    spool::RecipientUpdate update{.id = {2},
                                  .index = 0,
                                  .state = {.standing = spool::Standing::deleted, .attempts = 0, .due = {}, .last_status = {}, .site = {}},
                                  .expansion = {}};
    spool_.update({update}, spool::Sync::yes, {});
    char octet = 0;
    const auto got = second->read(0, {&octet, 1});
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().kind, base::ErrorKind::not_found);
}

TEST_F(ContentBudgetTest, ContentsMayOutliveIt) {
    std::shared_ptr<const spool::Content> content;
    {
        ContentBudget short_lived(spool_, base::Octets{10});
        content = short_lived.admit(stored(3, "abc"));
    }
    EXPECT_EQ(read_all(*content), "abc");
}

}  // namespace
}  // namespace thurn::delivery
