#include "spool/record.h"

#include "spool/encoding.h"

#include <cstring>

#include <xxhash.h>

// How damage is told from data
// ----------------------------
// Each record carries two checksums. The first covers its header and meta and is seeded with the segment's salt and the record's offset; it
// proves that we wrote this record at this place. The second covers the content and is not seeded, so it can be computed where the content
// arrives, before anyone knows where it will be written, and is good for content in a file of its own too.
//
// A reader that meets a bad first checksum cannot trust the lengths either: it looks for the next magic number whose first checksum holds.
// With a bad second checksum it steps over that record alone. A sender could put a whole well-made record into a message and wait for the
// record around it to be damaged; without the salt, which never leaves the disk, its first checksum cannot be right.

namespace thurn::spool {

namespace {

constexpr std::string_view kSegmentMagic = "thurnseg";
constexpr std::uint32_t kRecordMagic = 0x9d72b6e1;
constexpr std::string_view kRecordMagicOctets = "\xe1\xb6\x72\x9d";
constexpr std::size_t kMagicOffset = 8;
constexpr std::size_t kSegmentCopySize = 80;
constexpr std::size_t kSegmentCopyCovered = kSegmentCopySize - 8;
constexpr std::size_t kSecondCopy = 128;

std::uint64_t hash(std::string_view octets, std::uint64_t seed) { return XXH3_64bits_withSeed(octets.data(), octets.size(), seed); }

std::uint64_t place_seed(std::uint64_t salt, std::uint64_t offset) { return salt ^ (offset * 0x9e3779b97f4a7c15U); }

base::Result<SegmentHeader> decode_copy(std::string_view octets) {
    if (octets.size() < kSegmentCopySize || !octets.starts_with(kSegmentMagic)) {
        return base::fail(base::ErrorKind::corrupt, "no segment header");
    }
    Reader in(octets.substr(kSegmentMagic.size(), kSegmentCopySize - kSegmentMagic.size()));
    const auto version = in.u32();
    const auto file = in.u32();
    if (file > static_cast<std::uint32_t>(SegmentHeader::File::recycled)) in.spoil();
    SegmentHeader header;
    header.file = file == 0 ? SegmentHeader::File::fresh : SegmentHeader::File::recycled;
    header.spool = in.u64();
    header.number = in.u64();
    header.salt = in.u64();
    header.previous = in.u64();
    header.previous_salt = in.u64();
    header.previous_end = in.u64();
    header.newest.value = in.u64();
    const auto covered = octets.substr(0, kSegmentCopyCovered);
    if (in.u64() != hash(covered, 0) || !in.ok()) return base::fail(base::ErrorKind::corrupt, "damaged segment header");
    if (version != kFormatVersion) return base::fail(base::ErrorKind::invalid, "spool format " + std::to_string(version) + " is not known");
    return header;
}

template <class Number>
void store(char* to, Number number) {
    for (std::size_t i = 0; i < sizeof(Number); ++i) to[i] = static_cast<char>(number >> (8 * i));
}

bool known_type(std::uint8_t type) {
    return type >= static_cast<std::uint8_t>(RecordType::message) && type <= static_cast<std::uint8_t>(RecordType::checkpoint);
}

/// 24 bits over the fixed part alone, without the checksum and these bits: so that a false header costs no long hash. Octets from a peer
/// may be full of them.
std::uint32_t fixed_check(std::string_view head, std::uint64_t salt, std::uint64_t offset) {
    char fixed[kRecordHeaderSize - kMagicOffset];
    std::memcpy(fixed, head.data() + kMagicOffset, sizeof fixed);
    std::memset(fixed + 5, 0, 3);
    return static_cast<std::uint32_t>(hash({fixed, sizeof fixed}, place_seed(salt, offset)) & 0xffffff);
}

template <class Value>
base::Result<Value> finish(const Reader& in, Value value, const char* what) {
    if (!in.done()) return base::fail(base::ErrorKind::corrupt, what);
    return value;
}

}  // namespace

std::string encode_segment_header(const SegmentHeader& header) {
    std::string copy(kSegmentMagic);
    Writer out(copy);
    out.u32(kFormatVersion);
    out.u32(static_cast<std::uint32_t>(header.file));
    out.u64(header.spool);
    out.u64(header.number);
    out.u64(header.salt);
    out.u64(header.previous);
    out.u64(header.previous_salt);
    out.u64(header.previous_end);
    out.u64(header.newest.value);
    out.u64(hash(copy, 0));
    std::string octets = copy;
    octets.resize(kSecondCopy);
    octets += copy;
    octets.resize(kSegmentHeaderSize);
    return octets;
}

base::Result<SegmentHeader> decode_segment_header(std::string_view octets) {
    auto first = decode_copy(octets);
    if (first || octets.size() < kSecondCopy) return first;
    auto second = decode_copy(octets.substr(kSecondCopy));
    return second ? second : first;
}

std::string begin_record() {
    std::string head;
    head.reserve(256);
    head.resize(kRecordHeaderSize);
    return head;
}

void seal_record(std::string& head, RecordHeader header, std::uint64_t salt, std::uint64_t offset) {
    header.meta_length = static_cast<std::uint32_t>(head.size() - kRecordHeaderSize);
    char* const to = head.data();
    store(to + 8, kRecordMagic);
    to[12] = static_cast<char>(header.type);
    store(to + 16, header.meta_length);
    store(to + 20, header.content_length);
    store(to + 24, header.id.value);
    store(to + 32, header.content_checksum);
    const auto check = fixed_check(head, salt, offset);
    for (std::size_t i = 0; i < 3; ++i) to[13 + i] = static_cast<char>(check >> (8 * i));
    store(to, hash(std::string_view(head).substr(kMagicOffset), place_seed(salt, offset)));
}

base::Result<RecordHeader> decode_record_header(std::string_view octets, std::uint64_t salt, std::uint64_t offset) {
    if (octets.size() < kRecordHeaderSize) return base::fail(base::ErrorKind::corrupt, "no record header");
    Reader in(octets.substr(kMagicOffset));
    const auto magic = in.u32();
    const auto type = in.u8();
    const auto check = in.u8() | (in.u8() << 8) | (in.u8() << 16);
    RecordHeader header;
    header.meta_length = in.u32();
    header.content_length = in.u32();
    header.id.value = in.u64();
    header.content_checksum = in.u64();
    const bool good = magic == kRecordMagic && known_type(type) && header.meta_length <= kMaxMeta && header.content_length <= kMaxContent &&
                      static_cast<std::uint32_t>(check) == fixed_check(octets, salt, offset);
    if (!good) return base::fail(base::ErrorKind::corrupt, "no record header");
    header.type = static_cast<RecordType>(type);
    return header;
}

bool record_intact(std::string_view head, std::uint64_t salt, std::uint64_t offset) {
    if (head.size() < kRecordHeaderSize) return false;
    return Reader(head).u64() == hash(head.substr(kMagicOffset), place_seed(salt, offset));
}

std::size_t find_record(std::string_view octets, std::size_t from) {
    const auto found = octets.find(kRecordMagicOctets, from + kMagicOffset);
    return found == std::string_view::npos ? found : found - kMagicOffset;
}

std::uint64_t content_checksum(std::string_view content) { return hash(content, 0); }

void append_message_meta(std::string& head, Place place, std::uint64_t content_size, const Envelope& envelope) {
    Writer out(head);
    out.u8(static_cast<std::uint8_t>(place));
    out.u64(content_size);
    write_envelope_head(out, envelope);
    write_recipients(out, envelope.recipients);
}

base::Result<MessageMeta> decode_message_meta(std::string_view meta) {
    Reader in(meta);
    MessageMeta message;
    message.place = read_place(in);
    message.content_size = in.u64();
    message.envelope = read_envelope_head(in);
    message.envelope.recipients = read_recipients(in);
    return finish(in, std::move(message), "damaged message record");
}

void append_updates_meta(std::string& head, const std::vector<RecipientUpdate>& updates) {
    Writer out(head);
    out.u32(static_cast<std::uint32_t>(updates.size()));
    for (const auto& update : updates) {
        out.u64(update.id.value);
        out.u32(update.index);
        write_state(out, update.state);
        write_recipients(out, update.expansion);
    }
}

base::Result<std::vector<RecipientUpdate>> decode_updates_meta(std::string_view meta) {
    Reader in(meta);
    std::vector<RecipientUpdate> updates;
    const auto count = in.u32();
    for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
        RecipientUpdate update;
        update.id.value = in.u64();
        update.index = in.u32();
        update.state = read_state(in);
        update.expansion = read_recipients(in);
        updates.push_back(std::move(update));
    }
    return finish(in, std::move(updates), "damaged updates record");
}

void append_checkpoint_meta(std::string& head, Position position) {
    Writer out(head);
    out.u64(position.segment);
    out.u64(position.offset);
}

base::Result<Position> decode_checkpoint_meta(std::string_view meta) {
    Reader in(meta);
    Position position;
    position.segment = in.u64();
    position.offset = in.u64();
    return finish(in, position, "damaged checkpoint record");
}

}  // namespace thurn::spool
