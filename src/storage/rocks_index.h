#pragma once

#include "base/log.h"
#include "spool/index.h"

namespace thurn::storage {

/// The spool's index in RocksDB.
///
/// Shape    One database in a numbered folder within its own. Batches go to its write-ahead log without a sync; what a crash of the machine
///          leaves is some earlier state, never a mixture. A database that can not be opened is thrown away: the spool builds it again.
/// Errors   `disk`: a write() or sync() failed. Reading goes on, and gives what it gave; whether it has that batch is not said, so it must be
///          written again. The next write() or sync() copies everything into a new database, once the disk lets it, and uses that.
///          `corrupt`: what is read is damaged.
/// Threads  Any. All calls may block; the copying takes as long as reading everything.
class RocksIndex final : public spool::Index {
public:
    struct Options {
        std::size_t cache_octets = 64U << 20;
        std::size_t write_buffer_octets = 32U << 20;
    };
    /// Precondition: `log` outlives the index.
    /// Errors   `disk`: can not be opened, nor made anew.
    [[nodiscard]] static base::Result<std::unique_ptr<RocksIndex>> open(const std::string& folder, Options options, base::Log& log);
    ~RocksIndex() override;

    [[nodiscard]] base::Result<std::optional<std::string>> get(std::string_view key) override;
    [[nodiscard]] base::Result<void> write(const spool::IndexBatch& batch) override;
    [[nodiscard]] base::Result<void> sync() override;
    /// Precondition: dropped before the index is.
    [[nodiscard]] std::unique_ptr<spool::IndexCursor> seek(std::string_view from) override;
    /// Precondition: no cursor is left.
    [[nodiscard]] base::Result<void> clear() override;

private:
    struct State;
    explicit RocksIndex(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace thurn::storage
