#pragma once

#include "spool/filesystem.h"
#include "spool/record.h"

#include <variant>

namespace thurn::spool {

/// Name of a segment's file, and back; nothing when the name is not one.
[[nodiscard]] std::string segment_path(std::uint64_t number);
[[nodiscard]] std::optional<std::uint64_t> parse_segment_name(std::string_view name);
/// Name of a dead segment's file that waits to be written over.
[[nodiscard]] std::string spare_path(std::uint64_t number);
[[nodiscard]] bool is_spare_name(std::string_view name);

/// A record whose two checksums hold.
struct FoundRecord {
    std::uint64_t offset = 0;
    RecordHeader header;
    std::string_view meta;  // these live until the next next()
    std::string_view content;
};
/// Octets that are no record although something was written there.
struct FoundDamage {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    enum class Where {
        middle,
        tail
    } where = Where::middle;  // tail: no record follows in this segment. `end` is then a guess in a recycled file
};

/// Walks the records of one segment, stepping over damage.
///
/// Shape    After damage the walk goes on at the next place where a record's checksum holds. The end mark, with no record behind it, is no
///          damage.
/// Limits   Holds a window of a mebioctet, or of one record when that is longer.
/// Errors   `disk`.
class SegmentReader {
public:
    /// Precondition: `file` outlives the reader. `end`: nothing is read from there on.
    SegmentReader(const File& file, std::uint64_t salt, std::uint64_t begin, std::uint64_t end)
        : file_(file), salt_(salt), offset_(begin), good_end_(begin), end_(end) {}
    using Found = std::variant<std::monostate, FoundRecord, FoundDamage>;
    /// std::monostate at the end.
    [[nodiscard]] base::Result<Found> next();
    /// Behind the last whole record so far.
    [[nodiscard]] std::uint64_t good_end() const { return good_end_; }

private:
    [[nodiscard]] base::Result<std::string_view> view(std::uint64_t offset, std::uint64_t length);
    [[nodiscard]] base::Result<std::string_view> rest_of_window(std::uint64_t offset);
    [[nodiscard]] base::Result<std::optional<RecordHeader>> intact_header(std::uint64_t offset);
    [[nodiscard]] base::Result<Found> read_record(const RecordHeader& header);
    [[nodiscard]] base::Result<Found> step_over_damage();
    [[nodiscard]] base::Result<std::optional<std::uint64_t>> find_next(std::uint64_t from);
    [[nodiscard]] base::Result<std::uint64_t> end_of_damage(std::uint64_t from);

    const File& file_;
    std::uint64_t salt_;
    std::uint64_t offset_;
    std::uint64_t good_end_;
    std::uint64_t end_;
    std::string window_;
    std::uint64_t window_begin_ = 0;
};

}  // namespace thurn::spool
