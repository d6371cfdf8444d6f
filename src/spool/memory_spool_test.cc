#include "spool/memory_spool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::spool {
namespace {

base::Time at(int minutes) { return base::Time(std::chrono::minutes(minutes)); }

Recipient recipient(std::string local, base::Time due) {
    Recipient to;
    to.mailbox = {.local = std::move(local), .domain = mail::Domain::restored("example.com")};
    to.state.due = due;
    return to;
}

base::Result<StoredMessage> commit(Spool& spool, std::uint64_t id, std::vector<Recipient> recipients) {
    auto draft = spool.draft({id});
    EXPECT_TRUE(draft->append("con"));
    EXPECT_TRUE(draft->append("tent"));
    Envelope envelope;
    envelope.recipients = std::move(recipients);
    std::optional<base::Result<StoredMessage>> outcome;
    spool.commit(std::move(draft), std::move(envelope), [&](auto result) { outcome = std::move(result); });
    return std::move(*outcome);
}

void update(Spool& spool, std::uint64_t id, std::uint32_t index, Standing standing, std::vector<Recipient> expansion = {}) {
    RecipientUpdate change;
    change.id = {id};
    change.index = index;
    change.state.standing = standing;
    change.expansion = std::move(expansion);
    spool.update({change}, Sync::yes, {});
}

TEST(MemorySpool, KeepsAMessageUntilItsLastRecipientIsFinal) {
    MemorySpool spool;
    const auto stored = commit(spool, 1, {recipient("a", at(0)), recipient("b", at(0))});
    ASSERT_TRUE(stored);
    EXPECT_EQ(stored->content->in_memory(), "content");
    update(spool, 1, 0, Standing::delivered);
    EXPECT_EQ(spool.load({1})->envelope.recipients[0].state.standing, Standing::delivered);
    update(spool, 1, 1, Standing::failed);
    EXPECT_EQ(spool.load({1}).error().kind, base::ErrorKind::not_found);
    EXPECT_EQ(spool.stats().messages, 0U);
    EXPECT_EQ(spool.newest().value, 1U);
}

TEST(MemorySpool, DueIsInOrderAndInPages) {
    MemorySpool spool;
    ASSERT_TRUE(commit(spool, 2, {recipient("a", at(3)), recipient("b", at(1))}));
    ASSERT_TRUE(commit(spool, 1, {recipient("a", at(1)), recipient("b", at(9))}));
    const auto first = spool.due(at(5), nullptr, 2);
    ASSERT_EQ(first->size(), 2U);
    EXPECT_EQ((*first)[0].id.value, 1U);
    EXPECT_EQ((*first)[1].id.value, 2U);
    const auto second = spool.due(at(5), &first->back(), 2);
    ASSERT_EQ(second->size(), 1U);
    EXPECT_EQ(second->front().due, at(3));
}

TEST(MemorySpool, ExpansionAppendsRecipientsAndListShowsTheOpenOnes) {
    MemorySpool spool;
    ASSERT_TRUE(commit(spool, 1, {recipient("alias", at(0))}));
    update(spool, 1, 0, Standing::expanded, {recipient("x", at(0)), recipient("y", at(0))});
    const auto listed = spool.list({}, 10);
    ASSERT_EQ(listed->size(), 1U);
    ASSERT_EQ(listed->front().recipients.size(), 2U);
    EXPECT_EQ(listed->front().recipients[1].first, 2U);
    EXPECT_THAT(*spool.list({1}, 10), testing::IsEmpty());
}

TEST(MemorySpool, RefusesWhenToldTo) {
    MemorySpool spool;
    spool.refuse_commits(base::ErrorKind::full);
    EXPECT_FALSE(spool.has_room());
    EXPECT_EQ(commit(spool, 1, {recipient("a", at(0))}).error().kind, base::ErrorKind::full);
    spool.refuse_commits(std::nullopt);
    EXPECT_TRUE(commit(spool, 2, {recipient("a", at(0))}));
}

}  // namespace
}  // namespace thurn::spool
