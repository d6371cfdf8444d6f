#pragma once

#include "spool/message.h"

#include <functional>

namespace thurn::spool {

/// A message on its way in: content is appended as it arrives, nothing is promised yet. Dropped without commit, it leaves no trace.
///
/// Threads  One at a time.
class Draft {
public:
    virtual ~Draft() = default;
    /// Does not block while needs_disk() is false.
    /// Errors   `full`, `disk`. The draft is then only good for being dropped.
    [[nodiscard]] virtual base::Result<void> append(std::string_view octets) = 0;
    /// What stands above everything appended, and is known only now. At most once, as the last thing before the commit.
    /// Errors   As append().
    [[nodiscard]] virtual base::Result<void> put_on_top(std::string_view octets) = 0;
    /// Whether the next append() or put_on_top() of that many octets writes to a file: then call it on the blocking pool.
    [[nodiscard]] virtual bool needs_disk(std::size_t more) const = 0;
    [[nodiscard]] virtual base::Octets size() const = 0;
    /// All that was appended while it is held in memory, else nothing. Valid until the draft is changed.
    [[nodiscard]] virtual std::optional<std::string_view> in_memory() const = 0;
    /// Reads back what was appended: fills `into` from `offset`; fewer octets only at the end. Blocks unless in_memory().
    [[nodiscard]] virtual base::Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const = 0;
    /// Gives what was appended and begins anew, empty: for who writes the content another way than it came. Before put_on_top(). Blocks
    /// unless in_memory().
    /// Errors   As append().
    [[nodiscard]] virtual base::Result<std::shared_ptr<const Content>> start_over() = 0;
};

/// A waiting recipient as the queue wants to know it.
struct DueRecipient {
    base::MessageId id;
    std::uint32_t index = 0;
    base::Time due{};
};

/// What the listing shows of one message. `recipients` only those that are not final.
struct Listed {
    base::MessageId id;
    mail::ReversePath sender;
    base::Octets size;
    Wishes wishes{};
    std::vector<std::pair<std::uint32_t, Recipient>> recipients;
};

struct SpoolStats {
    std::uint64_t messages = 0;  // with at least one recipient that is not final
    std::uint64_t segments = 0;
    std::uint64_t disk_octets = 0;  // of segments and content files
    std::uint64_t free_octets = 0;  // of the disk
    std::uint64_t syncs = 0;        // since start
    std::uint64_t commits = 0;      // since start
};

enum class Sync { yes, no };  // `no`: written to the operating system, and so survives our own end, but not the machine's

/// Accepted messages on stable storage. The promise behind every 250.
///
/// Contract  A commit whose `done` was told success survives any crash: of the process, and of the machine as far as the disk keeps its
///           word on fdatasync. One told an error was never accepted and will not come back (except `disk` after a failed sync, where a
///           copy may).
/// Shape     A message whose recipients are all final is gone, content too.
/// Threads   Any. `done` is called on the spool's own thread: it must only post elsewhere. load(), due(), list() may read the disk: call on
///           the blocking pool.
class Spool {
public:
    using Committed = std::move_only_function<void(base::Result<StoredMessage>)>;
    using Updated = std::move_only_function<void(base::Result<void>)>;

    virtual ~Spool() = default;

    [[nodiscard]] virtual std::unique_ptr<Draft> draft(base::MessageId id) = 0;
    /// Makes it durable; many commits share one sync.
    /// Errors    `full`: below the reserve (452 4.3.1). `disk`. `stopping`.
    virtual void commit(std::unique_ptr<Draft> draft, Envelope envelope, Committed done) = 0;
    /// Records changes, all or none per call as far as the log goes. `done` may be empty.
    virtual void update(std::vector<RecipientUpdate> updates, Sync sync, Updated done) = 0;

    /// Errors    `not_found`: no such message, or all its recipients are final. `corrupt`, `disk`.
    [[nodiscard]] virtual base::Result<StoredMessage> load(base::MessageId id) = 0;
    /// Waiting recipients due at or before `until`, the earliest first, beginning behind `after` (in the order of due, id, index).
    [[nodiscard]] virtual base::Result<std::vector<DueRecipient>> due(base::Time until, const DueRecipient* after, std::size_t limit) = 0;
    /// Messages in order of their ids, beginning behind `after`.
    [[nodiscard]] virtual base::Result<std::vector<Listed>> list(base::MessageId after, std::size_t limit) = 0;
    [[nodiscard]] virtual SpoolStats stats() = 0;
    /// The highest id ever stored here, so that new ones only grow.
    [[nodiscard]] virtual base::MessageId newest() = 0;
    /// Whether there is room for new mail; false answers MAIL with 452 4.3.1.
    [[nodiscard]] virtual bool has_room() const = 0;
};

}  // namespace thurn::spool
