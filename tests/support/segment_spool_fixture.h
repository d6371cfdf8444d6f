#pragma once

#include "spool/segment_spool.h"
#include "support/spool_on_memory_disk.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

// What the tests of the spool in segments share: small messages, changes of them, and a spool that crashes and is opened again.
namespace thurn::spool {

using base::ErrorKind;
using support::FakeClock;
using support::MemoryFilesystem;
using support::SpoolOnMemoryDisk;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

inline mail::Mailbox mailbox(std::string local) { return {.local = std::move(local), .domain = mail::Domain::restored("example.com")}; }

inline Recipient recipient(std::string local, base::Time due = FakeClock::kStart) {
    Recipient to;
    to.mailbox = mailbox(std::move(local));
    to.state.due = due;
    return to;
}

inline Envelope envelope_to(std::vector<Recipient> recipients) {
    Envelope envelope;
    envelope.sender.mailbox = mailbox("sender");
    envelope.recipients = std::move(recipients);
    envelope.body = mail::BodyType::eight_bit;
    envelope.login = "sender@example.com";
    envelope.client = "192.0.2.1";
    return envelope;
}

inline RecipientUpdate standing(base::MessageId id, std::uint32_t index, Standing now) {
    return {.id = id, .index = index, .state = {.standing = now, .due = {}, .last_status = {}, .site = {}}, .expansion = {}};
}

inline RecipientUpdate deferred(base::MessageId id, std::uint32_t index, base::Time due) {
    return {.id = id, .index = index, .state = {.attempts = 1, .due = due, .last_status = "451 later", .site = "mx"}, .expansion = {}};
}

inline std::string read_all(const Content& content) {
    std::string octets(content.size().count, '\0');
    auto count = content.read(0, octets);
    EXPECT_TRUE(count);
    if (count) octets.resize(*count);
    return octets;
}

class SegmentSpoolTest : public testing::Test {
protected:
    SegmentSpoolTest() { open(); }
    void open() {
        auto opened = on.open();
        ASSERT_TRUE(opened) << opened.error().detail;
    }
    void crash_and_open() {
        on.crash();
        open();
    }
    void kill_and_open() {
        on.kill();
        open();
    }
    void put(std::uint64_t id, std::string_view content = "Subject: a\r\n\r\nb\r\n") {
        ASSERT_TRUE(on.commit({id}, content, envelope_to({recipient("a")})));
    }
    std::vector<std::uint64_t> due_ids(base::Time until = FakeClock::kStart) {
        std::vector<std::uint64_t> ids;
        auto due = on.spool->due(until, nullptr, 1000);
        EXPECT_TRUE(due);
        if (due) {
            for (const auto& one : *due) ids.push_back(one.id.value);
        }
        return ids;
    }

    SpoolOnMemoryDisk on;
};

}  // namespace thurn::spool
