#pragma once

#include "support/spool_on_memory_disk.h"

#include <algorithm>
#include <map>
#include <set>

#include <gtest/gtest.h>

namespace thurn::support {

/// What a spool should hold, told what was asked of it and what it answered: the slow, obvious version to check the fast one against.
///
/// Idea     Of each message it keeps every state that a crash may legally leave: the last one that is on the disk for sure, and what any
///          selection of the later, unsynced or failed changes makes of it. After a crash check_after_crash() demands that the spool shows
///          one of them, and takes that one for certain.
/// Shape    A message whose recipients are all final is the same as none.
class SpoolModel {
public:
    using Recipients = std::vector<spool::Recipient>;

    /// A commit was answered.
    void committed(base::MessageId id, std::string content, const spool::Envelope& envelope,
                   const base::Result<spool::StoredMessage>& answer) {
        Message message{.content = std::move(content), .now = envelope.recipients, .possible = {}, .told = answer.has_value()};
        if (answer) {
            all_synced();
            message.possible = {message.now};
        } else if (answer.error().kind == base::ErrorKind::disk) {
            message.possible = {Recipients{}, message.now};  // a copy may come back after a failed sync
            message.now = {};
        } else {
            return;  // never accepted: must not come back
        }
        messages_[id] = std::move(message);
    }
    /// An update was answered.
    void updated(const std::vector<spool::RecipientUpdate>& updates, spool::Sync sync, const base::Result<void>& answer) {
        for (const auto& update : updates) {
            const auto found = messages_.find(update.id);
            if (found == messages_.end()) continue;
            auto& message = found->second;
            std::vector<Recipients> more;
            for (const auto& state : message.possible) more.push_back(changed(state, update));
            for (auto& state : more) add(message, std::move(state));
            if (answer) message.now = changed(message.now, update);
            if (answer) add(message, message.now);
        }
        if (answer && sync == spool::Sync::yes) all_synced();
    }
    /// Everything so far is on the disk: nothing can be forgotten any more.
    void all_synced() {
        for (auto& [id, message] : messages_) message.possible = {message.now};
    }

    /// The spool has not crashed since the last check: it shows exactly what it was told.
    void check(SpoolOnMemoryDisk& on) const {
        std::uint64_t living = 0;
        for (const auto& [id, message] : messages_) {
            if (lives(message.now)) ++living;
            check_one(on, id, message);
        }
        EXPECT_EQ(on.spool->stats().messages, living);
        check_due(on);
        check_list(on);
    }
    void check_after_crash(SpoolOnMemoryDisk& on) {
        for (auto& [id, message] : messages_) {
            auto loaded = on.spool->load(id);
            Recipients shown;
            if (loaded) {
                shown = loaded->envelope.recipients;
            } else {
                ASSERT_EQ(loaded.error().kind, base::ErrorKind::not_found) << id.text() << ": " << loaded.error().detail;
            }
            const bool legal = std::ranges::any_of(message.possible,
                                                   [&](const Recipients& state) { return lives(state) ? state == shown : shown.empty(); });
            ASSERT_TRUE(legal) << id.value << " shows a state that nothing leads to" << (message.told ? ", and it was promised" : "");
            message.now = std::move(shown);
            message.possible = {message.now};
        }
        check(on);
    }

    [[nodiscard]] std::vector<base::MessageId> living() const {
        std::vector<base::MessageId> ids;
        for (const auto& [id, message] : messages_) {
            if (lives(message.now)) ids.push_back(id);
        }
        return ids;
    }
    /// Empty when the spool does not show it.
    [[nodiscard]] Recipients recipients(base::MessageId id) const {
        const auto found = messages_.find(id);
        return found == messages_.end() ? Recipients{} : found->second.now;
    }

private:
    struct Message {
        std::string content;
        Recipients now;                    // as the spool shows it; empty: it does not
        std::vector<Recipients> possible;  // after a crash
        bool told = false;                 // success
    };

    static bool lives(const Recipients& recipients) {
        return std::ranges::any_of(recipients, [](const auto& one) { return !spool::is_final(one.state.standing); });
    }
    static Recipients changed(Recipients recipients, const spool::RecipientUpdate& update) {
        if (!lives(recipients) || update.index >= recipients.size()) return recipients;
        auto& state = recipients[update.index].state;
        if (spool::is_final(state.standing)) return recipients;
        state = update.state;
        if (update.state.standing == spool::Standing::expanded) {
            recipients.insert(recipients.end(), update.expansion.begin(), update.expansion.end());
        }
        return recipients;
    }
    static void add(Message& message, Recipients state) {
        if (std::ranges::find(message.possible, state) == message.possible.end()) message.possible.push_back(std::move(state));
    }

    void check_one(SpoolOnMemoryDisk& on, base::MessageId id, const Message& message) const {
        const auto loaded = on.spool->load(id);
        if (!lives(message.now)) {
            ASSERT_FALSE(loaded) << id.value << " came back";
            ASSERT_EQ(loaded.error().kind, base::ErrorKind::not_found);
            return;
        }
        ASSERT_TRUE(loaded) << id.value << ": " << loaded.error().detail;
        EXPECT_EQ(loaded->envelope.recipients, message.now) << id.value;
        std::string content(loaded->content->size().count, '\0');
        ASSERT_EQ(loaded->content->read(0, content), content.size());
        EXPECT_EQ(content, message.content) << id.value;
    }
    void check_due(SpoolOnMemoryDisk& on) const {
        std::set<std::tuple<base::Time, base::MessageId, std::uint32_t>> expected;
        std::set<std::tuple<base::Time, base::MessageId, std::uint32_t>> shown;
        for (const auto& [id, message] : messages_) {
            for (std::uint32_t i = 0; i < message.now.size() && lives(message.now); ++i) {
                const auto& state = message.now[i].state;
                if (state.standing == spool::Standing::waiting || state.standing == spool::Standing::in_doubt)
                    expected.insert({state.due, id, i});
            }
        }
        std::optional<spool::DueRecipient> last;
        for (;;) {
            const auto page = on.spool->due(base::Time::max(), last ? &*last : nullptr, 7);
            ASSERT_TRUE(page);
            if (page->empty()) break;
            for (const auto& one : *page) shown.insert({one.due, one.id, one.index});
            last = page->back();
        }
        EXPECT_EQ(shown, expected);
    }
    void check_list(SpoolOnMemoryDisk& on) const {
        std::vector<base::MessageId> shown;
        for (base::MessageId after;;) {
            const auto page = on.spool->list(after, 5);
            ASSERT_TRUE(page);
            if (page->empty()) break;
            for (const auto& one : *page) shown.push_back(one.id);
            after = page->back().id;
        }
        EXPECT_EQ(shown, living());
    }

    std::map<base::MessageId, Message> messages_;
};

}  // namespace thurn::support
