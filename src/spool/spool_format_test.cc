// The example in docs/spool-format.md is what the code writes.

#include "spool/index_format.h"
#include "spool/segment_reader.h"
#include "support/spool_on_memory_disk.h"

#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

namespace thurn::spool {
namespace {

/// As `hexdump -C` prints it.
std::string hexdump(std::string_view octets) {
    static constexpr std::string_view kHex = "0123456789abcdef";
    constexpr std::size_t kLine = 16;
    std::string text;
    std::string_view last;
    bool repeated = false;
    const auto address = [](std::size_t at) {
        std::string digits;
        for (int shift = 28; shift >= 0; shift -= 4) digits += kHex[(at >> shift) & 15];
        return digits;
    };
    for (std::size_t at = 0; at < octets.size(); at += kLine) {
        const auto line = octets.substr(at, kLine);
        if (line == last && line.size() == kLine) {
            if (!std::exchange(repeated, true)) text += "*\n";
            continue;
        }
        repeated = false;
        last = line;
        text += address(at) + " ";
        std::string plain;
        for (std::size_t i = 0; i < kLine; ++i) {
            if (i % 8 == 0) text += ' ';
            if (i >= line.size()) {
                text += "   ";
                continue;
            }
            const auto octet = static_cast<unsigned char>(line[i]);
            text += {kHex[octet >> 4], kHex[octet & 15], ' '};
            plain += octet >= 0x20 && octet < 0x7f ? line[i] : '.';
        }
        text += " |" + plain + "|\n";
    }
    return text + address(octets.size()) + "\n";
}

TEST(SpoolFormat, TheExampleInTheDocumentationIsWhatIsWritten) {
    support::SpoolOnMemoryDisk on;
    ASSERT_TRUE(on.open());
    Envelope envelope;
    envelope.sender.mailbox = {.local = "ann", .domain = mail::Domain::restored("example.com")};
    Recipient bob;
    bob.mailbox = {.local = "bob", .domain = mail::Domain::restored("example.net")};
    bob.state.due = support::FakeClock::kStart;
    envelope.recipients = {bob};
    envelope.client = "192.0.2.1";
    const base::MessageId id{0x68801234567000};
    ASSERT_TRUE(on.commit(id, "Subject: hi\r\n\r\nHello Bob.\r\n", envelope));
    RecipientUpdate delivered;
    delivered.id = id;
    delivered.state = {.standing = Standing::delivered, .attempts = 1, .due = {}, .last_status = "250 2.0.0 OK", .site = "mx.example.net"};
    ASSERT_TRUE(on.update({delivered}));

    const auto octets = on.disk.octets(segment_path(1));
    const auto file = on.disk.open(segment_path(1), Access::read).value();
    SegmentReader reader(*file, decode_segment_header(octets)->salt, kSegmentHeaderSize, octets.size());
    ASSERT_TRUE(std::holds_alternative<FoundRecord>(*reader.next()));
    ASSERT_TRUE(std::holds_alternative<FoundRecord>(*reader.next()));
    const auto dump = "```\n" + hexdump(std::string_view(octets).substr(0, reader.good_end() + kEndMark.size())) + "```\n";

    std::ifstream page(THURN_SOURCE_DIR "/docs/spool-format.md");
    std::stringstream text;
    text << page.rdbuf();
    EXPECT_NE(text.str().find(dump), std::string::npos) << "The example should be:\n" << dump;
}

Recipient full_recipient() {
    Recipient to;
    to.mailbox = {.local = "with \"quotes\" @ and spaces", .domain = mail::Domain::restored("[IPv6:2001:db8::1]")};
    to.original = "alias@example.com";
    to.expansions = 127;
    to.notify = {.given = true, .success = true, .failure = false, .delay = true};
    to.orcpt = "rfc822;bob+tag@example.net";
    to.state = {
        .standing = Standing::held, .attempts = 7, .due = base::Time(base::Duration(-1)), .last_status = "451 a\tb", .site = "site"};
    return to;
}

TEST(SpoolFormat, EnvelopesComeBackAsTheyWere) {
    Envelope full;
    full.sender.mailbox = {.local = std::string("line\r\nend", 9), .domain = mail::Domain::restored("example.com")};
    full.recipients = {full_recipient(), Recipient{}};
    full.body = mail::BodyType::eight_bit;
    full.login = "user";
    full.client = "2001:db8::1";
    auto wishful = full;
    wishful.body = mail::BodyType::binary;
    wishful.wishes = {.ret = mail::ReturnContent::headers,
                      .envid = "an id",
                      .smtputf8 = true,
                      .require_tls = true,
                      .tls_optional = true,
                      .priority = -9,
                      .deliver_by = DeliverBy{.deadline = base::Time(base::Duration(-5)), .after = DeliverBy::After::notify, .trace = true},
                      .release = base::Time(base::Duration(77))};
    auto hasty = full;
    hasty.wishes.deliver_by = DeliverBy{.deadline = base::Time(base::Duration(1)), .after = DeliverBy::After::give_back, .trace = false};
    auto junk = full;
    junk.junk = true;
    for (const auto& envelope : {full, wishful, hasty, junk, Envelope{}}) {
        std::string meta;
        append_message_meta(meta, Place::turned_file, 123, envelope);
        const auto read = decode_message_meta(meta);
        ASSERT_TRUE(read);
        EXPECT_EQ(read->envelope, envelope);
        EXPECT_EQ(read->content_size, 123U);
        EXPECT_EQ(read->place, Place::turned_file);
        for (std::size_t cut = 0; cut < meta.size(); ++cut) EXPECT_FALSE(decode_message_meta(meta.substr(0, cut)));
        EXPECT_FALSE(decode_message_meta(meta + "x"));
    }
}

TEST(SpoolFormat, ARecordIsOnlyGoodWhereItWasMeantToBe) {
    std::string head = begin_record();
    append_checkpoint_meta(head, {1, 2});
    RecordHeader header;
    header.id = {77};
    header.content_length = 9;
    seal_record(head, header, 5, 1000);
    const auto read = decode_record_header(head, 5, 1000);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->id.value, 77U);
    EXPECT_EQ(read->content_length, 9U);
    EXPECT_TRUE(record_intact(head, 5, 1000));
    EXPECT_FALSE(record_intact(head, 6, 1000));
    EXPECT_FALSE(record_intact(head, 5, 1001));
    EXPECT_FALSE(decode_record_header(head, 5, 1001));
}

TEST(SpoolFormat, KeysSortAsTimesDoBefore1970Too) {
    const auto key = [](std::int64_t at, std::uint64_t id, std::uint32_t index) {
        return due_key({.id = {id}, .index = index, .due = base::Time(base::Duration(at))});
    };
    EXPECT_LT(key(-5, 9, 9), key(-1, 0, 0));
    EXPECT_LT(key(-1, 9, 9), key(0, 0, 0));
    EXPECT_LT(key(0, 9, 9), key(256, 0, 0));
    EXPECT_LT(key(5, 1, 9), key(5, 2, 0));
    EXPECT_LT(key(5, 1, 1), key(5, 1, 2));
    const auto back = parse_due_key(key(-5, 7, 3));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->due.time_since_epoch().count(), -5);
    EXPECT_EQ(back->id.value, 7U);
    EXPECT_EQ(back->index, 3U);
}

}  // namespace
}  // namespace thurn::spool
