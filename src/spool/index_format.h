#pragma once

#include "spool/index.h"
#include "spool/record.h"
#include "spool/spool.h"

#include <map>

namespace thurn::spool {

// How the catalogue lays out its keys. Numbers in keys are big endian, so that keys sort as the numbers do.
//
//   S                       the state of the whole: version, spool, place in the log up to which the index knows everything
//   M id                    a living message, without its recipients
//   R id index              one recipient
//   D due id index          a recipient that waits
//
// Left free for later: T (site), F (sender), A (recipient address).

/// Where a living message lies, and its envelope.
struct Stored {
    Position where;
    std::uint64_t record_octets = 0;  // of its record in the log
    Place place = Place::log;
    std::uint64_t content_size = 0;
    std::uint64_t content_checksum = 0;
    Envelope envelope;
};

/// What still lives in one segment.
struct SegmentUse {
    std::uint64_t messages = 0;
    std::uint64_t octets = 0;
    friend bool operator==(const SegmentUse&, const SegmentUse&) = default;
};

/// The value of key S.
struct IndexState {
    std::uint64_t spool = 0;
    Position position;  // the log up to here is in the index, nothing behind it is
    base::MessageId newest;
    std::uint64_t messages = 0;
    std::uint64_t file_octets = 0;            // of contents that have files of their own
    std::map<std::uint64_t, SegmentUse> use;  // only segments in which something lives
};

inline constexpr std::string_view kStateKey = "S";
[[nodiscard]] std::string message_key(base::MessageId id);
[[nodiscard]] std::string recipient_key(base::MessageId id, std::uint32_t index);
[[nodiscard]] std::string due_key(const DueRecipient& due);
[[nodiscard]] std::optional<base::MessageId> parse_message_key(std::string_view key);
[[nodiscard]] std::optional<DueRecipient> parse_due_key(std::string_view key);

[[nodiscard]] std::string encode_state(const IndexState& state);
[[nodiscard]] std::string encode_stored(const Stored& stored);  // without the recipients, but with their count
[[nodiscard]] std::string encode_recipient(const Recipient& recipient);

/// Errors of these   `corrupt`.
[[nodiscard]] base::Result<IndexState> decode_state(std::string_view value);
[[nodiscard]] base::Result<std::pair<Stored, std::uint32_t>> decode_stored(std::string_view value);  // and the count of recipients
[[nodiscard]] base::Result<Recipient> decode_recipient(std::string_view value);

}  // namespace thurn::spool
