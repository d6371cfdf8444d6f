#pragma once

#include "spool/committer.h"
#include "spool/recovery.h"
#include "spool/segment_draft.h"
#include "spool/worker.h"

namespace thurn::spool {

/// The spool of a single machine: an append-only log of segments, beside it a rebuildable index (DESIGN §5, docs/spool-format.md).
///
/// Shape     Below its folder: log/ segments, big/ large contents, quarantine/ damage for people to look at, lock.
/// Space     The log is a ring: only its oldest segment is ever removed, after what still lives in it was appended again. So whatever
///           segments exist, they are an unbroken end of history, and replaying them can not bring back what was finished. That is done
///           when less than a third of the log lives: it costs at most half an octet copied per octet written, and the log is at most three
///           times what lives.
/// Threads   Any. Has three of its own: committer (log), keeper (checkpoints, space), and one for syncing large files.
///           Drafts must be gone, and no call may be under way, when it is dropped; commits and updates under way are settled first.
class SegmentSpool final : public Spool {
public:
    struct Parts {
        Filesystem& filesystem;
        Index& index;
        const base::Clock& clock;
        base::Random& random;  // must not be guessable: see SegmentHeader::salt
        base::Log& log;
    };
    struct Options {
        base::Octets reserve = base::mebibytes(256);  // of free disk; under it new mail is refused
        base::Octets segment_size = base::mebibytes(64);
        base::Octets large_content = base::kibibytes(256);  // longer content has a file of its own; at most 64 MiB
        base::Octets unsynced_limit = base::mebibytes(1);   // of updates with Sync::no, then they are synced nevertheless
        std::size_t checkpoint_weight = 20'000;             // recipients in memory before they go to the index
        std::size_t spare_files = 3;                        // of dead segments, kept to be written over
        std::size_t uncopied_segments = 4;                  // below so many segments nothing is copied to save space
        std::chrono::milliseconds upkeep_interval{5000};    // of checkpoints; 0: never by itself, call upkeep()
    };
    /// Brings the spool up as the last crash left it. Precondition: the parts outlive the spool.
    /// Errors   `refused`: another process has it. `invalid`: written by a later version. `disk`, `corrupt`: the index.
    [[nodiscard]] static base::Result<std::unique_ptr<SegmentSpool>> open(Parts parts, Options options);
    ~SegmentSpool() override;

    /// What open() found.
    [[nodiscard]] const Recovered& recovered() const { return recovered_; }

    [[nodiscard]] std::unique_ptr<Draft> draft(base::MessageId id) override;
    /// Precondition: `draft` is of this spool.
    void commit(std::unique_ptr<Draft> draft, Envelope envelope, Committed done) override;
    void update(std::vector<RecipientUpdate> updates, Sync sync, Updated done) override;
    [[nodiscard]] base::Result<StoredMessage> load(base::MessageId id) override;
    [[nodiscard]] base::Result<std::vector<DueRecipient>> due(base::Time until, const DueRecipient* after, std::size_t limit) override;
    [[nodiscard]] base::Result<std::vector<Listed>> list(base::MessageId after, std::size_t limit) override;
    [[nodiscard]] SpoolStats stats() override;
    [[nodiscard]] base::MessageId newest() override;
    [[nodiscard]] bool has_room() const override;

    /// A checkpoint, then space is given back. The keeper does it by itself.
    /// Errors   `disk`, `full`, `corrupt`. Nothing is lost by it.
    [[nodiscard]] base::Result<void> upkeep();

private:
    class CommitPending;
    class UpdatePending;
    class MovePending;
    class DropPending;
    class BarrierPending;
    class MarkPending;

    SegmentSpool(Parts parts, Options options, std::unique_ptr<FilesystemLock> lock);
    [[nodiscard]] base::Result<void> start();
    void commit_large(std::unique_ptr<SegmentDraft> draft, Envelope envelope, Committed done);
    [[nodiscard]] base::Result<std::shared_ptr<const Content>> load_content(base::MessageId id, const Stored& stored);
    [[nodiscard]] base::Result<std::shared_ptr<const Content>> load_from_log(const Stored& stored);
    [[nodiscard]] base::Result<std::shared_ptr<const Content>> load_from_file(base::MessageId id, const Stored& stored);
    void keep();
    void note_change(Position where);
    void nudge_keeper();
    [[nodiscard]] base::Result<void> checkpoint();
    [[nodiscard]] base::Result<void> reclaim();
    [[nodiscard]] base::Result<void> evacuate(std::uint64_t segment);
    [[nodiscard]] base::Result<void> drop_unreadable(std::uint64_t number);
    [[nodiscard]] base::Result<void> remove_segments(const std::vector<std::uint64_t>& numbers);
    [[nodiscard]] base::Result<void> remove_or_keep_file(std::uint64_t number);
    void drop_spares();
    [[nodiscard]] bool worth_copying(std::uint64_t live, std::uint64_t total, std::size_t segments) const;
    [[nodiscard]] base::Result<void> submit_and_wait(std::vector<std::unique_ptr<Pending>> pending);

    Parts parts_;
    Options options_;
    std::unique_ptr<FilesystemLock> lock_;
    Recovered recovered_;
    Segments segments_;
    SpareSegments spares_;
    Catalogue catalogue_;
    std::unique_ptr<SegmentLog> log_;
    std::unique_ptr<Committer> committer_;
    std::unique_ptr<Worker> large_;
    std::atomic<std::uint64_t> commits_ = 0;
    std::atomic<std::uint64_t> changes_ = 0;  // records applied; a checkpoint is due when it has grown
    std::uint64_t checkpointed_changes_ = 0;
    std::vector<base::MessageId> finished_files_;  // to be removed by the next checkpoint that succeeds
    std::uint64_t newest_segment_ = 0;             // the committer's: a new one makes the keeper look for dead ones

    std::mutex upkeep_mutex_;  // one upkeep() at a time
    std::mutex keeper_mutex_;
    std::condition_variable keeper_wake_;
    bool keeper_stopping_ = false;
    bool keeper_nudged_ = false;
    std::thread keeper_;
};

}  // namespace thurn::spool
