#pragma once

#include "base/guarded.h"
#include "base/random.h"
#include "spool/filesystem.h"
#include "spool/record.h"

#include <atomic>
#include <map>

namespace thurn::spool {

/// A segment that exists.
struct Segment {
    std::uint64_t salt = 0;
    std::uint64_t end = 0;        // of its records
    std::uint64_t allocated = 0;  // on the disk
};
/// All of them by number. Shared by the committer, the keeper and recovery.
using Segments = base::Guarded<std::map<std::uint64_t, Segment>>;

/// Files of dead segments, synced under these paths. Written over, they cost neither new blocks on the disk (so a sync has no metadata to
/// write) nor new pages of memory: measured, half the time of a sync and a tenth of the CPU of a write.
using SpareSegments = base::Guarded<std::vector<std::string>>;

/// The head of the log: where records are appended.
///
/// Use       add() records as long as fits() says so, then write_added(); roll() when they do not fit.
/// Failure   After a failed write or sync the segment is given up at the end of its last good sync and a new one begun, whose header says
///           so. Records that were written but not synced, and whose writers were told so, are written again there.
/// Threads   One. `segments` is shared.
class SegmentLog {
public:
    struct Options {
        std::uint64_t segment_size = 0;
        std::uint64_t spool = 0;  // identity
    };
    /// Where a segment's records end for good.
    struct Sealed {
        std::uint64_t number = 0;
        std::uint64_t salt = 0;
        std::uint64_t end = 0;
    };
    /// `last`: the segment to go on behind; all zero when there is none. `highest`: no file has a higher number.
    SegmentLog(Filesystem& filesystem, base::Random& random, Segments& segments, SpareSegments& spares, Options options, Sealed last,
               std::uint64_t highest);

    enum class Durability { written, synced };

    /// Whether a record of that size can be added to the present segment.
    [[nodiscard]] bool fits(std::uint64_t record_octets) const;
    /// Begins the next segment, large enough for one record of that size.
    /// Errors   `disk`, `full`. There is no present segment then; roll() may be tried again.
    [[nodiscard]] base::Result<void> roll(std::uint64_t record_octets, base::MessageId newest);
    /// Seals a record for the next free place. Precondition: fits(). `head` and `content` must live until write_added().
    Position add(std::string& head, const RecordHeader& header, std::string_view content);
    /// Writes all that was added, in one gathered write, and syncs it if wanted. Precondition of `written`: no record has content.
    /// Errors   `disk`, `full`: none of it counts.
    [[nodiscard]] base::Result<void> write_added(Durability durability, base::MessageId newest);

    /// Where the next record would be added.
    [[nodiscard]] Position next() const { return {number_, end_ + added_octets_}; }
    /// Behind the last record written.
    [[nodiscard]] Position end() const { return {number_, end_}; }
    /// Octets written and not synced.
    [[nodiscard]] std::uint64_t unsynced() const { return end_ - synced_end_; }
    [[nodiscard]] std::uint64_t syncs() const { return syncs_; }
    [[nodiscard]] std::uint64_t octets_written() const { return octets_written_; }

    /// Syncs, and gives back what room on the disk is not used. No record can be added any more.
    void close();

private:
    /// A record without content.
    struct Light {
        RecordHeader header;
        std::string head;
    };
    [[nodiscard]] base::Result<void> sync();
    void seal();
    void give_up(base::MessageId newest);
    [[nodiscard]] base::Result<void> begin_segment(std::uint64_t record_octets, base::MessageId newest);
    [[nodiscard]] std::unique_ptr<File> recycled_file(const std::string& path, std::uint64_t size);
    [[nodiscard]] base::Result<std::unique_ptr<File>> fresh_file(const std::string& path, std::uint64_t size);
    [[nodiscard]] base::Result<void> rewrite_unsynced();
    void forget_added();

    Filesystem& filesystem_;
    base::Random& random_;
    Segments& segments_;
    SpareSegments& spares_;
    Options options_;
    std::unique_ptr<File> file_;  // null: there is no present segment
    Sealed last_;                 // what the next header will say of the segment before it
    bool must_mark_ = true;       // the next header must be synced at once: it says that something before it does not count
    std::uint64_t number_ = 0;
    std::uint64_t highest_ = 0;
    std::uint64_t salt_ = 0;
    std::uint64_t size_ = 0;
    std::uint64_t end_ = 0;
    std::uint64_t synced_end_ = 0;
    bool folder_synced_ = false;
    std::vector<std::string_view> slices_;
    std::vector<Light> added_;
    std::uint64_t added_octets_ = 0;
    std::vector<Light> unsynced_;  // records (they have no content) to be written again should the sync fail
    std::atomic<std::uint64_t> syncs_ = 0;
    std::atomic<std::uint64_t> octets_written_ = 0;  // records, since start
};

}  // namespace thurn::spool
