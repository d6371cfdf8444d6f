#pragma once

#include "base/guarded.h"
#include "spool/spool.h"

#include <map>

namespace thurn::spool {

/// A spool without a disk, for tests of what stands on it, and for tools that have a message and no spool: the same contract, gone with the object.
///
/// Threads  Any. `done` is called before commit() and update() return, on the caller's thread.
class MemorySpool final : public Spool {
public:
    [[nodiscard]] std::unique_ptr<Draft> draft(base::MessageId id) override;
    void commit(std::unique_ptr<Draft> draft, Envelope envelope, Committed done) override;
    void update(std::vector<RecipientUpdate> updates, Sync sync, Updated done) override;
    [[nodiscard]] base::Result<StoredMessage> load(base::MessageId id) override;
    [[nodiscard]] base::Result<std::vector<DueRecipient>> due(base::Time until, const DueRecipient* after, std::size_t limit) override;
    [[nodiscard]] base::Result<std::vector<Listed>> list(base::MessageId after, std::size_t limit) override;
    [[nodiscard]] SpoolStats stats() override;
    [[nodiscard]] base::MessageId newest() override;
    [[nodiscard]] bool has_room() const override;

    /// From now on commits fail so; `full` also lets has_room() say no. Nothing: they succeed again.
    void refuse_commits(std::optional<base::ErrorKind> kind);

private:
    struct State {
        std::map<base::MessageId, StoredMessage> messages;
        base::MessageId newest;
        std::uint64_t commits = 0;
        std::optional<base::ErrorKind> refusal;
    };
    static void apply(State& state, const RecipientUpdate& update);
    base::Guarded<State> state_;
};

}  // namespace thurn::spool
