#pragma once

#include "base/log.h"
#include "spool/index.h"

namespace thurn::storage {

/// The spool's index in RocksDB.
///
/// Shape    One database in a folder of its own. Batches go to its write-ahead log without a sync; what a crash of the machine leaves is
///          some earlier state, never a mixture. A database that can not be opened is thrown away: the spool builds it again.
/// Threads  Any. All calls may block.
class RocksIndex final : public spool::Index {
public:
    struct Options {
        std::size_t cache_octets = 64U << 20;
        std::size_t write_buffer_octets = 32U << 20;
    };
    /// Errors   `disk`: can not be opened, nor made anew.
    [[nodiscard]] static base::Result<std::unique_ptr<RocksIndex>> open(const std::string& folder, Options options, base::Log& log);
    ~RocksIndex() override;

    [[nodiscard]] base::Result<std::optional<std::string>> get(std::string_view key) override;
    [[nodiscard]] base::Result<void> write(const spool::IndexBatch& batch) override;
    [[nodiscard]] base::Result<void> sync() override;
    [[nodiscard]] std::unique_ptr<spool::IndexCursor> seek(std::string_view from) override;
    /// Precondition: no cursor is left.
    [[nodiscard]] base::Result<void> clear() override;

private:
    struct State;
    explicit RocksIndex(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace thurn::storage
