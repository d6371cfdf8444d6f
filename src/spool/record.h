#pragma once

#include "spool/message.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::spool {

/// A place in the log. Places only grow.
struct Position {
    std::uint64_t segment = 0;
    std::uint64_t offset = 0;
    friend auto operator<=>(const Position&, const Position&) = default;
};

// The grammar and an example are in docs/spool-format.md.

inline constexpr std::uint32_t kFormatVersion = 1;
inline constexpr std::uint64_t kSegmentHeaderSize = 256;  // two copies and room; the first record follows
inline constexpr std::uint64_t kRecordHeaderSize = 40;
inline constexpr std::uint64_t kMaxMeta = 64U << 20;     // of one record: an envelope, a group of updates
inline constexpr std::uint64_t kMaxContent = 64U << 20;  // of one record; longer content has a file of its own

/// What a segment says of itself.
///
/// Why `salt`        It seeds the checksum of each record, together with the record's place. So neither a sender who puts octets that look
///                   like a record into a message, nor what a disk block held before, is ever taken for a record.
/// Why `previous_…`  After a failed sync the segment before this one is good up to `previous_end` only, whatever else is found in it.
struct SegmentHeader {
    std::uint64_t spool = 0;  // the same in all segments of one spool
    std::uint64_t number = 0;
    std::uint64_t salt = 0;
    std::uint64_t previous = 0;       // number of the one before; any between the two were given up before they held anything
    std::uint64_t previous_salt = 0;  // a copy, should that segment's own be damaged
    std::uint64_t previous_end = 0;   // 0: there is none before
    base::MessageId newest;           // highest id ever stored when it was begun
    enum class File : std::uint32_t { fresh, recycled } file = File::fresh;  // recycled: behind the records lies what an older segment held
    friend bool operator==(const SegmentHeader&, const SegmentHeader&) = default;
};

/// kSegmentHeaderSize octets.
[[nodiscard]] std::string encode_segment_header(const SegmentHeader& header);
/// One undamaged copy suffices.
/// Errors   `corrupt`; `invalid`: a format version we do not know.
[[nodiscard]] base::Result<SegmentHeader> decode_segment_header(std::string_view octets);

enum class RecordType : std::uint8_t {
    message = 1,     // a message is accepted
    moved = 2,       // a living message as it stands now: replaces everything older that is known of it
    updates = 3,     // recipients change
    dropped = 4,     // a message is given up because its content is damaged
    checkpoint = 5,  // the index holds everything before here; for people who look into the log, recovery asks the index itself
};

/// The fixed part of a record.
struct RecordHeader {
    RecordType type = RecordType::checkpoint;
    std::uint32_t meta_length = 0;
    std::uint32_t content_length = 0;
    base::MessageId id;                  // of `message`, `moved` and `dropped`
    std::uint64_t content_checksum = 0;  // also of content that has a file of its own
    friend bool operator==(const RecordHeader&, const RecordHeader&) = default;
};

/// Octets of the whole record.
[[nodiscard]] constexpr std::uint64_t record_size(const RecordHeader& header) {
    return kRecordHeaderSize + header.meta_length + header.content_length;
}

/// Room for a record header, to which the meta is appended before seal_record().
[[nodiscard]] std::string begin_record();
/// Fills in the header of `head` (header and meta) for the place where it will be written.
void seal_record(std::string& head, RecordHeader header, std::uint64_t salt, std::uint64_t offset);

/// Reads the fixed part of a record sealed for this place. Of what is not one, all but one in 2^24 is refused; record_intact() has the last
/// word.
/// Errors   `corrupt`.
[[nodiscard]] base::Result<RecordHeader> decode_record_header(std::string_view octets, std::uint64_t salt, std::uint64_t offset);
/// Whether `head` (header and meta) is what was sealed for this place.
[[nodiscard]] bool record_intact(std::string_view head, std::uint64_t salt, std::uint64_t offset);
/// Written behind the last record of each write, so that in a recycled file the end can be told from damage; the next record replaces it.
inline constexpr std::string_view kEndMark{"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
                                           kRecordHeaderSize};
/// Offset of the first octets at or behind `from` that may begin a record; npos when there are none.
[[nodiscard]] std::size_t find_record(std::string_view octets, std::size_t from);

[[nodiscard]] std::uint64_t content_checksum(std::string_view content);

/// Where a content lies. `turned_file`: in a file whose end stands first (docs/spool-format.md); `file`: as it is, from before there were such.
enum class Place : std::uint8_t { log, file, turned_file };

/// The meta of `message` and `moved`.
struct MessageMeta {
    Place place = Place::log;
    std::uint64_t content_size = 0;
    Envelope envelope;
    friend bool operator==(const MessageMeta&, const MessageMeta&) = default;
};
void append_message_meta(std::string& head, Place place, std::uint64_t content_size, const Envelope& envelope);
/// Errors   `corrupt`.
[[nodiscard]] base::Result<MessageMeta> decode_message_meta(std::string_view meta);

/// The meta of `updates`.
void append_updates_meta(std::string& head, const std::vector<RecipientUpdate>& updates);
/// Errors   `corrupt`.
[[nodiscard]] base::Result<std::vector<RecipientUpdate>> decode_updates_meta(std::string_view meta);

/// The meta of `checkpoint`.
void append_checkpoint_meta(std::string& head, Position position);
/// Errors   `corrupt`.
[[nodiscard]] base::Result<Position> decode_checkpoint_meta(std::string_view meta);

}  // namespace thurn::spool
