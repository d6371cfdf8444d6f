#include "storage/rocks_index.h"

#include "base/guarded.h"
#include "storage/rocks_index_files.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

// When the disk fails
// -------------------
// RocksDB writes no more once a write has failed, until it is opened again. While the disk is full that can not be done, and without the index
// no older message could be delivered. So the database that failed stays open for reading: it has all that was ever written to it, on the disk or
// in memory. The next write first copies it into a new database in a folder of its own, as often as it takes; when that is complete and
// synced, it takes the place of the old one, and the old one's folder goes. FreezingFiles make sure that RocksDB never comes to know of the error.
//
// A crash may leave both folders, or a copy that is not complete. The lowest number is always a whole database, so that one is opened and
// the others are removed. It may be older than what was synced last: the spool allows for that, it replays its log, or builds the index again.

namespace thurn::storage {

using base::ErrorKind;
using base::Result;

namespace {

std::unexpected<base::Error> failure(const rocksdb::Status& status) {
    return base::fail(status.IsCorruption() ? ErrorKind::corrupt : ErrorKind::disk, "index: " + status.ToString());
}

Result<void> checked(const rocksdb::Status& status) {
    if (!status.ok()) return failure(status);
    return {};
}

rocksdb::Slice slice(std::string_view octets) { return {octets.data(), octets.size()}; }
std::string_view view(const rocksdb::Slice& octets) { return {octets.data(), octets.size()}; }

/// RocksDB's own log. What matters is told by the calls that fail, and a log file that could not be written has ended the process: see
/// FreezingFiles.
class NoLogger final : public rocksdb::Logger {
public:
    using Logger::Logv;
    void Logv(const char*, va_list) override {}
};

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
    database.info_log = std::make_shared<NoLogger>();
    // What is left after a crash is the beginning of history up to the first gap: batches are whole and in order.
    database.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
    database.paranoid_checks = true;
    database.max_bgerror_resume_count = 0;        // no recovery of its own: see above
    database.avoid_flush_during_shutdown = true;  // only a copy that was given up has anything that is not in the write-ahead log
    return database;
}

/// One database in one folder. Once a change has failed it is only for reading.
class Database {
public:
    [[nodiscard]] static Result<std::shared_ptr<Database>> open(const std::string& folder, rocksdb::Options options) {
        std::shared_ptr<Database> opened(new Database(folder));
        options.env = opened->env_.get();
        rocksdb::DB* database = nullptr;
        const auto status = rocksdb::DB::Open(options, folder, &database);
        opened->database_.reset(database);
        auto outcome = opened->outcome(status);
        if (outcome) return opened;
        opened->make_unwanted();
        return base::pass_on(outcome);
    }
    ~Database() {
        database_.reset();
        std::error_code ignored;  // it is removed at the next start
        if (unwanted_) std::filesystem::remove_all(folder_, ignored);
    }
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    [[nodiscard]] rocksdb::DB& operator*() const { return *database_; }
    [[nodiscard]] rocksdb::DB* operator->() const { return database_.get(); }
    [[nodiscard]] const std::string& folder() const { return folder_; }

    /// What a change comes to of which RocksDB says `status`.
    [[nodiscard]] Result<void> outcome(const rocksdb::Status& status) {
        if (!status.ok()) refused_ = true;
        if (files_->frozen()) return base::fail(ErrorKind::disk, "index: " + files_->reason());  // the cause of whatever `status` says
        return checked(status);
    }
    [[nodiscard]] bool failed() const { return refused_ || files_->frozen(); }
    [[nodiscard]] std::string reason() const { return files_->reason(); }
    /// Brings the names of the folder and of the one around it to the disk, so that a crash does not cost it all.
    [[nodiscard]] Result<void> sync_folders() const {
        const auto around = std::filesystem::path(folder_).parent_path();
        for (const auto& path : {around, around.parent_path()}) {
            std::unique_ptr<rocksdb::FSDirectory> opened;
            if (const auto status = files_->target()->NewDirectory(path.string(), {}, &opened, nullptr); !status.ok())
                return failure(status);
            if (const auto status = opened->Fsync({}, nullptr); !status.ok()) return failure(status);
        }
        return {};
    }
    /// Its folder goes when it is closed.
    void make_unwanted() { unwanted_ = true; }

private:
    explicit Database(std::string folder)
        : folder_(std::move(folder)), files_(std::make_shared<FreezingFiles>()), env_(rocksdb::NewCompositeEnv(files_)) {}

    std::string folder_;
    std::shared_ptr<FreezingFiles> files_;
    std::unique_ptr<rocksdb::Env> env_;
    std::unique_ptr<rocksdb::DB> database_;  // behind what it uses
    std::atomic<bool> refused_ = false;
    std::atomic<bool> unwanted_ = false;
};

class RocksCursor final : public spool::IndexCursor {
public:
    RocksCursor(std::shared_ptr<Database> database, std::unique_ptr<rocksdb::Iterator> at)
        : database_(std::move(database)), at_(std::move(at)) {}
    [[nodiscard]] bool valid() const override { return at_->Valid(); }
    [[nodiscard]] std::string_view key() const override { return view(at_->key()); }
    [[nodiscard]] std::string_view value() const override { return view(at_->value()); }
    void next() override { at_->Next(); }
    [[nodiscard]] Result<void> status() const override { return checked(at_->status()); }

private:
    std::shared_ptr<Database> database_;  // it may be replaced meanwhile, but must not be closed
    std::unique_ptr<rocksdb::Iterator> at_;
};

/// Everything in `from` is in `to` too, and synced.
Result<void> copy(Database& from, Database& to) {
    constexpr std::size_t kBatchOctets = 1U << 20;
    rocksdb::ReadOptions reading;
    reading.fill_cache = false;
    rocksdb::WriteOptions writing;
    writing.disableWAL = true;  // it is flushed at the end
    const std::unique_ptr<rocksdb::Iterator> at(from->NewIterator(reading));
    rocksdb::WriteBatch batch;
    const auto write = [&] {
        auto outcome = to.outcome(to->Write(writing, &batch));
        batch.Clear();
        return outcome;
    };
    for (at->SeekToFirst(); at->Valid(); at->Next()) {
        if (const auto status = batch.Put(at->key(), at->value()); !status.ok()) return failure(status);
        if (batch.GetDataSize() < kBatchOctets) continue;
        if (auto written = write(); !written) return written;
    }
    if (!at->status().ok()) return failure(at->status());
    if (auto written = write(); !written) return written;
    if (auto flushed = to.outcome(to->Flush({})); !flushed) return flushed;
    return to.sync_folders();
}

}  // namespace

struct RocksIndex::State {
    std::filesystem::path folder;
    rocksdb::Options options;
    base::Log& log;
    std::mutex changing{};  // held over every change; what reads only takes `current`
    base::Guarded<std::shared_ptr<Database>>
        current{};              // shared with cursors, and with calls that began before it was replaced; set by open_lowest()
    std::uint64_t highest = 0;  // of any folder there was

    [[nodiscard]] std::shared_ptr<Database> database() const {
        return current.with([](const auto& shared) { return shared; });
    }
    void use(std::shared_ptr<Database> next) {
        current.with([&](auto& shared) { std::swap(shared, next); });
    }
    [[nodiscard]] Result<std::shared_ptr<Database>> open(std::uint64_t number) {
        return Database::open((folder / std::to_string(number)).string(), options);
    }
    [[nodiscard]] Result<void> open_lowest();
    void remove_all_but(std::optional<std::uint64_t> kept);
    [[nodiscard]] Result<void> start_anew();
    [[nodiscard]] Result<std::shared_ptr<Database>> working();
};

/// What an earlier run has left, if anything.
Result<void> RocksIndex::State::open_lowest() {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    std::optional<std::uint64_t> lowest;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
        const auto name = entry.path().filename().string();
        std::uint64_t number = 0;
        const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), number);
        if (problem != std::errc{} || end != name.data() + name.size()) continue;
        lowest = std::min(lowest.value_or(number), number);
        highest = std::max(highest, number);
    }
    remove_all_but(lowest);
    if (!lowest) return start_anew();
    auto opened = open(*lowest);
    if (opened) {
        use(*std::move(opened));
        return {};
    }
    log.warning("index.thrown_away", {{"folder", folder.string()}, {"error", opened.error().detail}});
    return start_anew();
}

void RocksIndex::State::remove_all_but(std::optional<std::uint64_t> kept) {
    std::error_code ignored;
    std::vector<std::filesystem::path> others;
    for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
        if (!kept || entry.path().filename() != std::to_string(*kept)) others.push_back(entry.path());
    }
    for (const auto& path : others) std::filesystem::remove_all(path, ignored);
}

/// On failure all stays as it is.
Result<void> RocksIndex::State::start_anew() {
    auto opened = open(++highest);
    if (!opened) return base::pass_on(opened);
    if (auto synced = (*opened)->sync_folders(); !synced) {
        (*opened)->make_unwanted();
        return synced;
    }
    if (const auto old = database()) old->make_unwanted();
    use(*std::move(opened));
    return {};
}

/// The database if it has not failed, or the copy that replaces it.
Result<std::shared_ptr<Database>> RocksIndex::State::working() {
    const auto old = database();
    if (!old->failed()) return old;
    auto made = open(++highest);
    if (!made) return made;
    if (auto copied = copy(*old, **made); !copied) {
        (*made)->make_unwanted();
        return base::pass_on(copied);
    }
    const auto reason = old->reason();
    log.info("index.replaced", {{"folder", (*made)->folder()}, {"error", reason}});
    old->make_unwanted();
    use(*made);
    return made;
}

Result<std::unique_ptr<RocksIndex>> RocksIndex::open(const std::string& folder, Options options, base::Log& log) {
    std::unique_ptr<State> state(new State{.folder = std::filesystem::absolute(folder), .options = database_options(options), .log = log});
    if (auto opened = state->open_lowest(); !opened) return base::pass_on(opened);
    return std::unique_ptr<RocksIndex>(new RocksIndex(std::move(state)));
}

RocksIndex::RocksIndex(std::unique_ptr<State> state) : state_(std::move(state)) {}
RocksIndex::~RocksIndex() = default;

Result<std::optional<std::string>> RocksIndex::get(std::string_view key) {
    const auto database = state_->database();
    std::string value;
    const auto status = (*database)->Get({}, slice(key), &value);
    if (status.IsNotFound()) return std::nullopt;
    if (!status.ok()) return failure(status);
    return value;
}

Result<void> RocksIndex::write(const spool::IndexBatch& batch) {
    rocksdb::WriteBatch changes;
    for (const auto& [key, value] : batch.changes) {
        const auto status = value ? changes.Put(slice(key), slice(*value)) : changes.Delete(slice(key));
        if (!status.ok()) return failure(status);
    }
    const std::lock_guard lock(state_->changing);
    auto database = state_->working();
    if (!database) return base::pass_on(database);
    return (*database)->outcome((**database)->Write({}, &changes));
}

Result<void> RocksIndex::sync() {
    const std::lock_guard lock(state_->changing);
    auto database = state_->working();
    if (!database) return base::pass_on(database);
    return (*database)->outcome((**database)->FlushWAL(true));
}

std::unique_ptr<spool::IndexCursor> RocksIndex::seek(std::string_view from) {
    auto database = state_->database();
    std::unique_ptr<rocksdb::Iterator> at((*database)->NewIterator({}));
    at->Seek(slice(from));
    return std::make_unique<RocksCursor>(std::move(database), std::move(at));
}

Result<void> RocksIndex::clear() {
    const std::lock_guard lock(state_->changing);
    return state_->start_anew();
}

}  // namespace thurn::storage
