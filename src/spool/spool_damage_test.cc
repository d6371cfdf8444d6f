// Damage to what lies on the disk costs what it hits, and is told.

#include "spool/segment_reader.h"
#include "support/spool_on_memory_disk.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::spool {
namespace {

using support::SpoolOnMemoryDisk;

Envelope envelope() {
    Envelope envelope;
    Recipient to;
    to.mailbox = {.local = "a", .domain = mail::Domain::restored("example.com")};
    envelope.recipients = {to};
    return envelope;
}

std::string content_of(std::uint64_t id) { return "This is message " + std::to_string(id) + std::string(id * 7, '.'); }

/// A segment with so many messages, cut behind the last.
struct Sample {
    std::string octets;
    SegmentHeader header;
    std::vector<std::uint64_t> begins;  // of the records
};

Sample sample_segment(std::uint64_t messages) {
    SpoolOnMemoryDisk on;
    EXPECT_TRUE(on.open());
    for (std::uint64_t id = 1; id <= messages; ++id) EXPECT_TRUE(on.commit({id}, content_of(id), envelope()));
    Sample sample{.octets = on.disk.octets(segment_path(1)), .header = {}, .begins = {}};
    sample.header = decode_segment_header(sample.octets).value();
    const auto file = on.disk.open(segment_path(1), Access::read).value();
    SegmentReader reader(*file, sample.header.salt, kSegmentHeaderSize, sample.octets.size());
    for (;;) {
        const auto next = reader.next().value();
        const auto* record = std::get_if<FoundRecord>(&next);
        if (record == nullptr) break;
        sample.begins.push_back(record->offset);
    }
    sample.octets.resize(reader.good_end());
    return sample;
}

/// A spool opened over that one segment.
std::unique_ptr<SpoolOnMemoryDisk> open_over(const std::string& octets) {
    auto on = std::make_unique<SpoolOnMemoryDisk>();
    on->disk.overwrite(segment_path(1), octets);
    EXPECT_TRUE(on->open());
    return on;
}

bool whole(SpoolOnMemoryDisk& on, std::uint64_t id) {
    const auto loaded = on.spool->load({id});
    if (!loaded) {
        EXPECT_EQ(loaded.error().kind, base::ErrorKind::not_found);
        return false;
    }
    EXPECT_EQ(loaded->content->in_memory(), content_of(id));
    return true;
}

TEST(SpoolDamage, ATailTornAtAnyOctetCostsTheLastRecordOnly) {
    const auto sample = sample_segment(4);
    ASSERT_EQ(sample.begins.size(), 4U);
    for (auto cut = sample.begins.back(); cut < sample.octets.size(); ++cut) {
        SCOPED_TRACE("cut at " + std::to_string(cut));
        auto torn = sample.octets.substr(0, cut);
        const auto written = torn.find_last_not_of('\0') + 1 - sample.begins.back();
        torn.resize(16'384);
        const auto on = open_over(torn);
        for (std::uint64_t id = 1; id <= 3; ++id) EXPECT_TRUE(whole(*on, id)) << id;
        EXPECT_FALSE(whole(*on, 4));
        EXPECT_EQ(on->spool->recovered().torn_octets, cut == sample.begins.back() ? 0 : written);
        EXPECT_EQ(on->spool->recovered().damaged_records, 0U);
        ASSERT_TRUE(on->commit({4}, content_of(4), envelope()));
        on->crash();
        ASSERT_TRUE(on->index.clear());
        ASSERT_TRUE(on->open());
        EXPECT_EQ(on->spool->stats().messages, 4U);
        EXPECT_EQ(on->spool->recovered().torn_octets, 0U) << "what was cut stays cut";
        if (HasFailure()) return;
    }
}

TEST(SpoolDamage, AFlippedBitAnywhereCostsOneRecordAtMost) {
    const auto sample = sample_segment(5);
    for (std::size_t at = 0; at < sample.octets.size(); ++at) {
        SCOPED_TRACE("octet " + std::to_string(at));
        auto damaged = sample.octets;
        damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
        damaged.resize(8192);
        const auto on = open_over(damaged);
        int kept = 0;
        for (std::uint64_t id = 1; id <= 5; ++id) kept += whole(*on, id) ? 1 : 0;
        const bool in_records = at >= kSegmentHeaderSize;
        EXPECT_EQ(kept, in_records ? 4 : 5);
        const auto& found = on->spool->recovered();
        EXPECT_EQ(found.damaged_records + (found.torn_octets > 0 ? 1 : 0), in_records ? 1U : 0U) << "it is told";
        if (in_records) EXPECT_EQ(on->disk.list("quarantine")->size(), 1U);
        if (HasFailure()) return;
    }
}

TEST(SpoolDamage, ASegmentWithoutItsHeaderIsReadWithTheHelpOfTheNext) {
    SpoolOnMemoryDisk on;
    ASSERT_TRUE(on.open());
    for (std::uint64_t id = 1; id <= 5; ++id) ASSERT_TRUE(on.commit({id}, content_of(id), envelope()));
    on.spool.reset();
    ASSERT_TRUE(on.open());
    ASSERT_TRUE(on.commit({6}, content_of(6), envelope()));
    on.spool.reset();
    auto octets = on.disk.octets(segment_path(1));
    octets.replace(0, kSegmentHeaderSize, kSegmentHeaderSize, 'x');
    on.disk.overwrite(segment_path(1), octets);
    ASSERT_TRUE(on.index.clear());
    ASSERT_TRUE(on.open());
    EXPECT_EQ(on.spool->stats().messages, 6U);
}

TEST(SpoolDamage, ANewestSegmentThatCanNotBeReadIsSetAside) {
    SpoolOnMemoryDisk on;
    ASSERT_TRUE(on.open());
    ASSERT_TRUE(on.commit({1}, content_of(1), envelope()));
    on.spool.reset();
    ASSERT_TRUE(on.open());
    ASSERT_TRUE(on.commit({2}, content_of(2), envelope()));
    on.spool.reset();
    on.disk.overwrite(segment_path(2), std::string(2000, 'x'));
    ASSERT_TRUE(on.open());
    EXPECT_EQ(on.spool->recovered().damaged_records, 1U);
    EXPECT_TRUE(whole(on, 1));
    EXPECT_TRUE(on.disk.exists("quarantine/" + segment_path(2).substr(4)));
    ASSERT_TRUE(on.commit({3}, content_of(3), envelope()));
}

TEST(SpoolDamage, ALaterFormatIsLeftAlone) {
    auto sample = sample_segment(1);
    SpoolOnMemoryDisk on;
    // Another version behind the magic, and a checksum that fits, in both copies.
    auto header = sample.octets.substr(0, 72);
    header[8] = 99;
    std::string checksum(8, '\0');
    const auto hash = content_checksum(header);
    for (std::size_t i = 0; i < 8; ++i) checksum[i] = static_cast<char>(hash >> (8 * i));
    sample.octets.replace(0, 72, header).replace(72, 8, checksum);
    sample.octets.replace(128, 72, header).replace(200, 8, checksum);
    on.disk.overwrite(segment_path(1), sample.octets);
    const auto opened = on.open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, base::ErrorKind::invalid);
    EXPECT_EQ(on.disk.octets(segment_path(1)), sample.octets);
}

TEST(SpoolDamage, OctetsThatLookLikeARecordInsideAMessageAreNotOne) {
    // Somebody who knows the format, but not the salt, mails a whole segment, and the record around it is damaged.
    const auto forged = sample_segment(3).octets;
    SpoolOnMemoryDisk on;
    ASSERT_TRUE(on.open());
    ASSERT_TRUE(on.commit({10}, forged, envelope()));
    ASSERT_TRUE(on.commit({11}, content_of(11), envelope()));
    auto octets = on.disk.octets(segment_path(1));
    octets[kSegmentHeaderSize + 20] = static_cast<char>(octets[kSegmentHeaderSize + 20] ^ 1);
    const auto again = open_over(octets);
    EXPECT_EQ(again->spool->stats().messages, 1U);
    EXPECT_TRUE(whole(*again, 11));
}

TEST(SpoolDamage, ContentThatRotsLaterIsToldWhenItIsLoaded) {
    SpoolOnMemoryDisk on;
    ASSERT_TRUE(on.open());
    ASSERT_TRUE(on.commit({1}, content_of(1), envelope()));
    ASSERT_TRUE(on.commit({2}, std::string(9000, 'b'), envelope()));
    auto octets = on.disk.octets(segment_path(1));
    octets[octets.find("This is")] = '?';
    on.disk.overwrite(segment_path(1), octets);
    EXPECT_EQ(on.spool->load({1}).error().kind, base::ErrorKind::corrupt);
    on.disk.overwrite("big/" + base::MessageId{2}.text(), std::string(8999, 'b') + "c");
    EXPECT_EQ(on.spool->load({2}).error().kind, base::ErrorKind::corrupt);
}

TEST(SpoolDamage, AMessageWhoseContentIsGoneIsDamagedNotFinished) {
    SpoolOnMemoryDisk on;
    ASSERT_TRUE(on.open());
    ASSERT_TRUE(on.commit({1}, content_of(1), envelope()));
    ASSERT_TRUE(on.commit({2}, std::string(9000, 'b'), envelope()));
    ASSERT_TRUE(on.disk.remove("big/" + base::MessageId{2}.text()));
    EXPECT_EQ(on.spool->load({2}).error().kind, base::ErrorKind::corrupt);
    ASSERT_TRUE(on.disk.remove(segment_path(1)));
    EXPECT_EQ(on.spool->load({1}).error().kind, base::ErrorKind::corrupt);
    EXPECT_EQ(on.spool->load({3}).error().kind, base::ErrorKind::not_found);
}

TEST(SpoolDamage, AnIndexThatFailsForAWhileCostsNothing) {
    SpoolOnMemoryDisk on;
    ASSERT_TRUE(on.open());
    ASSERT_TRUE(on.commit({1}, std::string(9000, 'b'), envelope()));
    ASSERT_TRUE(on.commit({2}, content_of(2), envelope()));
    RecipientUpdate delivered;
    delivered.id = {1};
    delivered.state.standing = Standing::delivered;
    ASSERT_TRUE(on.update({delivered}, Sync::yes));
    on.index.fail();
    for (int times = 0; times < 3; ++times) EXPECT_FALSE(on.spool->upkeep());
    ASSERT_TRUE(on.commit({3}, content_of(3), envelope()));
    EXPECT_TRUE(whole(on, 2) && whole(on, 3));
    EXPECT_EQ(on.disk.list("big")->size(), 1U);
    on.index.fail_no_more();
    EXPECT_TRUE(on.spool->upkeep());
    EXPECT_EQ(on.disk.list("big")->size(), 0U) << "its space is given back nevertheless";
    on.crash();
    ASSERT_TRUE(on.open());
    EXPECT_TRUE(whole(on, 2) && whole(on, 3));
    EXPECT_EQ(on.spool->stats().messages, 2U);
}

TEST(SpoolDamage, WhatARecycledFileHeldBeforeIsNeitherDamageNorMail) {
    SpoolOnMemoryDisk on;
    ASSERT_TRUE(on.open());
    std::uint64_t id = 0;
    for (int round = 0; round < 200; ++round) {
        ++id;
        ASSERT_TRUE(on.commit({id}, content_of(id), envelope()));
        RecipientUpdate update;
        update.id = {id};
        update.state.standing = Standing::delivered;
        ASSERT_TRUE(on.update({update}, Sync::yes));
        if (round % 10 == 9) ASSERT_TRUE(on.spool->upkeep());
    }
    ++id;
    ASSERT_TRUE(on.commit({id}, content_of(id), envelope()));
    ASSERT_TRUE(on.spool->upkeep());
    const auto names = on.disk.list("log").value();
    const auto newest = std::ranges::max(names, {}, [](const auto& name) { return parse_segment_name(name).value_or(0); });
    ASSERT_EQ(decode_segment_header(on.disk.octets("log/" + newest))->file, SegmentHeader::File::recycled);
    on.kill();
    ASSERT_TRUE(on.index.clear());
    ASSERT_TRUE(on.open());
    EXPECT_EQ(on.spool->recovered().torn_octets, 0U);
    EXPECT_EQ(on.spool->recovered().damaged_records, 0U);
    EXPECT_EQ(on.spool->stats().messages, 1U);
    EXPECT_TRUE(whole(on, id));
}

TEST(SpoolDamage, CompactionGivesUpWhatItCanNotReadAndKeepsTheRest) {
    SpoolOnMemoryDisk on;
    ASSERT_TRUE(on.open());
    const auto done = [](std::uint64_t id) {
        RecipientUpdate update;
        update.id = {id};
        update.state.standing = Standing::delivered;
        return update;
    };
    for (std::uint64_t id = 1; id <= 100; ++id) ASSERT_TRUE(on.commit({id}, content_of(id), envelope()));
    for (std::uint64_t id = 4; id <= 100; ++id) ASSERT_TRUE(on.update({done(id)}, Sync::no));
    auto octets = on.disk.octets(segment_path(1));
    octets[octets.find("This is message 2")] = '?';
    on.disk.overwrite(segment_path(1), octets);
    ASSERT_TRUE(on.spool->upkeep());
    EXPECT_FALSE(on.disk.exists(segment_path(1)));
    EXPECT_TRUE(whole(on, 1));
    EXPECT_FALSE(whole(on, 2));
    EXPECT_TRUE(whole(on, 3));
    EXPECT_EQ(on.spool->stats().messages, 2U);
    EXPECT_EQ(on.disk.list("quarantine")->size(), 1U);
    on.crash();
    ASSERT_TRUE(on.index.clear());
    ASSERT_TRUE(on.open());
    EXPECT_EQ(on.spool->stats().messages, 2U);
}

}  // namespace
}  // namespace thurn::spool
