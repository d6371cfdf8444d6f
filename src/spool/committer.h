#pragma once

#include "base/guarded.h"
#include "base/log.h"
#include "spool/catalogue.h"
#include "spool/segment_log.h"
#include "spool/spool.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace thurn::spool {

/// Something that waits for its turn in the log.
///
/// Life    prepare(), then its record (if it has one) is written, then applied(), and in the end settled(), all on the committer's thread.
///         settled() alone when it failed.
class Pending {
public:
    virtual ~Pending() = default;
    /// Last chance to make `record`; an empty head means there is nothing to write.
    virtual void prepare() {}
    /// Its record is written (and on stable storage, unless `sync` was no and nobody else wanted it): make it true in the catalogue.
    virtual base::Result<void> applied(Position where) = 0;
    virtual void settled(base::Result<void> outcome) = 0;

    struct Record {
        std::string head;  // begin_record() and the meta
        RecordHeader header;
        std::string_view content;  // must live as long as this object
    };
    Record record;
    Sync sync = Sync::yes;
    /// Whether it is refused when the disk is nearly full.
    enum class Room { needed, spare } room = Room::spare;
    /// Whether prepare() must see all that stands before it applied.
    enum class Order { any, behind_all } order = Order::any;
};

/// The one thread that writes the log.
///
/// Idea     While one group is being synced the next gathers: so many share a sync under load, and a lone one waits for nobody.
/// Order    Records are written, applied and settled in the order of submit().
/// Threads  submit() from any. No timed waits.
class Committer {
public:
    struct Options {
        base::Octets reserve;  // of free disk; under it new mail is refused. Looked for at each mebibyte written, and by refresh_room()
        base::Octets unsynced_limit;  // of records that nobody wanted synced
    };
    Committer(SegmentLog& log, Catalogue& catalogue, Filesystem& filesystem, base::Log& events, Options options);
    ~Committer();  // as stop()

    void submit(std::unique_ptr<Pending> pending);
    /// Several at once: they are not torn apart by others.
    void submit_all(std::vector<std::unique_ptr<Pending>> pending);
    /// Ends when everything submitted is settled.
    void stop();

    [[nodiscard]] bool has_room() const { return room_; }
    void refresh_room();

private:
    using Batch = std::vector<std::unique_ptr<Pending>>;
    void run();
    [[nodiscard]] bool take(Batch& batch);
    [[nodiscard]] std::size_t write_group(Batch& batch, std::size_t from);
    [[nodiscard]] std::size_t gather(Batch& batch, std::size_t from);
    [[nodiscard]] base::Result<void> make_fit(std::uint64_t record_octets);
    [[nodiscard]] std::string why_no_room(const base::Result<base::Octets>& free, const std::optional<base::Error>& broken) const;
    void settle(Batch& batch, std::size_t from, std::size_t to, const base::Result<void>& outcome);

    SegmentLog& log_;
    Catalogue& catalogue_;
    Filesystem& filesystem_;
    base::Log& events_;
    Options options_;
    std::atomic<bool> room_ = true;
    base::Guarded<std::optional<base::Error>> broken_;  // no segment can be begun
    base::Guarded<std::string> why_no_room_;
    std::atomic<std::uint64_t> room_seen_at_ = 0;  // octets written by then

    std::mutex mutex_;
    std::condition_variable wake_;
    Batch waiting_;
    bool stopping_ = false;
    bool asleep_ = false;

    std::vector<Position> places_;  // of the group being written
    std::thread thread_;
};

}  // namespace thurn::spool
