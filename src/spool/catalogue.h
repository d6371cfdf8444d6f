#pragma once

#include "spool/index_format.h"

#include <mutex>
#include <set>
#include <unordered_map>

namespace thurn::spool {

/// Which messages live, where they lie and how their recipients stand: the log's meaning.
///
/// Idea      What changed lately is in memory, the rest in the index. freeze() sets what is in memory apart together with the place in the
///           log it belongs to; write_frozen() brings both into the index in one batch. So the index always is the log's meaning up to a
///           place that it knows itself, and after any crash replaying the log from there gives the truth. Most messages are finished
///           before a checkpoint comes and never touch the index.
/// Rules     Changes must come in the order of the log. A recipient that is final stays as it is, and changes to what is not there (any
///           more) are ignored: so replaying gives what was, and a late outcome harms nothing.
/// Limits    Memory grows with weight() only; call freeze() and write_frozen() when it is over a bound.
/// Errors    `corrupt`, `disk`: the index failed. The log still has everything; clear the index and replay.
/// Threads   Any; changes and freeze() one at a time, write_frozen() one at a time.
class Catalogue {
public:
    explicit Catalogue(Index& index) : index_(index) {}

    /// What the index says of itself; nothing when it is empty, damaged or of another version.
    [[nodiscard]] std::optional<IndexState> saved_state();
    /// Begins with what the index holds.
    void restore(IndexState state);
    /// Begins with nothing. Precondition: the index is empty.
    void start(std::uint64_t spool);

    /// A message that is not known yet.
    void put(base::MessageId id, Stored&& stored);
    /// A message as a `moved` record tells it, known or not.
    [[nodiscard]] base::Result<void> replace(base::MessageId id, Stored stored);
    [[nodiscard]] base::Result<void> update(const RecipientUpdate& update);
    /// The same message lies elsewhere now.
    [[nodiscard]] base::Result<void> relocate(base::MessageId id, Position where, std::uint64_t record_octets);
    /// Gives a message up.
    [[nodiscard]] base::Result<void> drop(base::MessageId id);
    /// An id seen in the log: newest() will not be below it.
    void note_newest(base::MessageId id);

    /// Errors   `not_found` too.
    [[nodiscard]] base::Result<Stored> find(base::MessageId id);
    [[nodiscard]] base::Result<std::vector<DueRecipient>> due(base::Time until, const DueRecipient* after, std::size_t limit);
    [[nodiscard]] base::Result<std::vector<Listed>> list(base::MessageId after, std::size_t limit);
    /// Living messages whose record is in that segment, found by looking at all: slow.
    [[nodiscard]] base::Result<std::vector<base::MessageId>> living_in(std::uint64_t segment);
    [[nodiscard]] std::uint64_t messages() const;
    [[nodiscard]] base::MessageId newest() const;
    [[nodiscard]] std::map<std::uint64_t, SegmentUse> use() const;
    /// Of contents that have files of their own.
    [[nodiscard]] std::uint64_t file_octets() const;

    /// Recipients held in memory that a checkpoint would move out.
    [[nodiscard]] std::size_t weight() const;
    /// Sets apart what is in memory; everything before `position`, and nothing behind it, has been applied. Does nothing while an earlier
    /// frozen part has not been written.
    void freeze(Position position);
    /// Success also when there is nothing frozen.
    [[nodiscard]] base::Result<void> write_frozen();
    /// Where recovery would start if the index kept all its batches.
    [[nodiscard]] Position indexed_position() const;
    /// Content files of messages that are gone, each once. Remove them when the log is synced up to now.
    [[nodiscard]] std::vector<base::MessageId> take_finished_files();

private:
    struct EarlierDue {
        bool operator()(const DueRecipient& a, const DueRecipient& b) const {
            return std::tie(a.due, a.id, a.index) < std::tie(b.due, b.id, b.index);
        }
    };
    /// How the index has one recipient.
    struct Shadow {
        std::optional<base::Time> due;  // its D key
        bool changed = false;
    };
    struct Entry {
        Stored stored;
        std::uint32_t open = 0;      // recipients that are not final; 0: the message is gone, the entry stays to say so
        bool indexed = false;        // key M exists
        bool changed = false;        // or one of the recipients
        std::vector<Shadow> shadow;  // of the first recipients, those that the index has
    };
    struct Table {
        std::unordered_map<base::MessageId, Entry> entries;
        std::set<DueRecipient, EarlierDue> due;
        std::size_t weight = 0;
    };
    using Lock = std::unique_lock<std::mutex>;

    [[nodiscard]] static std::optional<base::Time> due_of(const RecipientState& state);
    [[nodiscard]] static Entry fresh_entry(Stored&& stored);
    [[nodiscard]] static Entry as_written(const Entry& entry);
    Entry& insert(base::MessageId id, Entry entry);
    [[nodiscard]] base::Result<Entry*> fetch(Lock& lock, base::MessageId id);
    [[nodiscard]] base::Result<std::optional<Entry>> read_index(base::MessageId id);
    void finish(base::MessageId id, Entry& entry);
    void set_state(base::MessageId id, Entry& entry, std::uint32_t index, const RecipientState& state);
    void append_expansion(base::MessageId id, Entry& entry, const std::vector<Recipient>& expansion);
    void account(const Stored& stored);
    void unaccount(const Stored& stored);
    [[nodiscard]] bool in_memory(base::MessageId id) const;
    void collect_due(const Table& table, base::Time until, const DueRecipient* after, std::size_t limit,
                     std::vector<DueRecipient>& out) const;
    [[nodiscard]] base::Result<void> collect_indexed_due(base::Time until, const DueRecipient* after, std::size_t limit,
                                                         std::vector<DueRecipient>& out);
    [[nodiscard]] base::Result<std::vector<base::MessageId>> living_ids(base::MessageId after, std::size_t limit);
    static void add_changes(IndexBatch& batch, base::MessageId id, const Entry& entry);

    Index& index_;
    mutable std::mutex mutex_;
    Table recent_;  // changed or read since the last freeze
    Table frozen_;  // being written; never changes, `recent_` overrides it
    std::optional<IndexState> frozen_state_;
    IndexState state_;                       // position: of the last write_frozen()
    std::uint64_t epoch_ = 0;                // counts write_frozen(): what was read from the index across one is stale
    std::optional<DueRecipient> due_floor_;  // the index has no D key below it: stepping over what was deleted there would take long
    std::vector<base::MessageId> finished_files_;
};

}  // namespace thurn::spool
