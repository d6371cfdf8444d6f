#include "storage/rocks_index.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

namespace thurn::storage {

using base::ErrorKind;
using base::Result;

namespace {

std::unexpected<base::Error> failed(const rocksdb::Status& status) {
    return base::fail(status.IsCorruption() ? ErrorKind::corrupt : ErrorKind::disk, "index: " + status.ToString());
}

Result<void> checked(const rocksdb::Status& status) {
    if (!status.ok()) return failed(status);
    return {};
}

rocksdb::Slice slice(std::string_view octets) { return {octets.data(), octets.size()}; }
std::string_view view(const rocksdb::Slice& octets) { return {octets.data(), octets.size()}; }

rocksdb::Options database_options(const RocksIndex::Options& options) {
    rocksdb::BlockBasedTableOptions table;
    table.block_cache = rocksdb::NewLRUCache(options.cache_octets);
    table.cache_index_and_filter_blocks = true;  // so that the cache's size is the bound on memory
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10, false));
    rocksdb::Options database;
    database.create_if_missing = true;
    database.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    database.write_buffer_size = options.write_buffer_octets;
    database.max_background_jobs = 2;
    database.max_open_files = 256;
    database.keep_log_file_num = 2;
    database.max_log_file_size = 1U << 20;
    database.info_log_level = rocksdb::WARN_LEVEL;
    // What is left after a crash is the beginning of history up to the first gap: batches are whole and in order.
    database.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
    database.paranoid_checks = true;
    return database;
}

class RocksCursor final : public spool::IndexCursor {
public:
    explicit RocksCursor(std::unique_ptr<rocksdb::Iterator> at) : at_(std::move(at)) {}
    [[nodiscard]] bool valid() const override { return at_->Valid(); }
    [[nodiscard]] std::string_view key() const override { return view(at_->key()); }
    [[nodiscard]] std::string_view value() const override { return view(at_->value()); }
    void next() override { at_->Next(); }
    [[nodiscard]] Result<void> status() const override { return checked(at_->status()); }

private:
    std::unique_ptr<rocksdb::Iterator> at_;
};

}  // namespace

struct RocksIndex::State {
    std::string folder;
    rocksdb::Options options;
    std::unique_ptr<rocksdb::DB> database;

    [[nodiscard]] rocksdb::Status open() {
        rocksdb::DB* opened = nullptr;
        const auto status = rocksdb::DB::Open(options, folder, &opened);
        database.reset(opened);
        return status;
    }
    [[nodiscard]] rocksdb::Status start_anew() {
        database.reset();
        if (const auto status = rocksdb::DestroyDB(folder, options); !status.ok()) return status;
        return open();
    }
};

Result<std::unique_ptr<RocksIndex>> RocksIndex::open(const std::string& folder, Options options, base::Log& log) {
    auto state = std::make_unique<State>(State{.folder = folder, .options = database_options(options), .database = nullptr});
    auto status = state->open();
    if (!status.ok()) {
        const auto reason = status.ToString();
        log.warning("index.thrown_away", {{"folder", folder}, {"error", reason}});
        status = state->start_anew();
    }
    if (!status.ok()) return base::fail(ErrorKind::disk, "index: " + status.ToString());
    return std::unique_ptr<RocksIndex>(new RocksIndex(std::move(state)));
}

RocksIndex::RocksIndex(std::unique_ptr<State> state) : state_(std::move(state)) {}
RocksIndex::~RocksIndex() = default;

Result<std::optional<std::string>> RocksIndex::get(std::string_view key) {
    std::string value;
    const auto status = state_->database->Get({}, slice(key), &value);
    if (status.IsNotFound()) return std::nullopt;
    if (!status.ok()) return failed(status);
    return value;
}

Result<void> RocksIndex::write(const spool::IndexBatch& batch) {
    rocksdb::WriteBatch changes;
    for (const auto& [key, value] : batch.changes) {
        const auto status = value ? changes.Put(slice(key), slice(*value)) : changes.Delete(slice(key));
        if (!status.ok()) return failed(status);
    }
    return checked(state_->database->Write({}, &changes));
}

Result<void> RocksIndex::sync() { return checked(state_->database->FlushWAL(true)); }

std::unique_ptr<spool::IndexCursor> RocksIndex::seek(std::string_view from) {
    std::unique_ptr<rocksdb::Iterator> at(state_->database->NewIterator({}));
    at->Seek(slice(from));
    return std::make_unique<RocksCursor>(std::move(at));
}

Result<void> RocksIndex::clear() { return checked(state_->start_anew()); }

}  // namespace thurn::storage
