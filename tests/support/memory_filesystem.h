#pragma once

#include "spool/filesystem.h"

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <set>

namespace thurn::support {

/// A disk in memory that fails when told to, and forgets what was not synced.
///
/// Crash    crash() leaves of every unsynced write a random part, page by page, and of the names made, renamed and removed since the last
///          sync_folder() a random beginning. Files and locks opened before it only give errors.
/// Sync     After a sync that failed, what it should have written is lost or not, and no later sync writes it; until the crash it can be
///          read, as with a real page cache.
/// Threads  Any.
class MemoryFilesystem final : public spool::Filesystem {
public:
    explicit MemoryFilesystem(std::uint64_t seed = 1) : random_(seed) {}

    [[nodiscard]] base::Result<std::unique_ptr<spool::File>> open(const std::string& path, spool::Access access) override;
    [[nodiscard]] base::Result<void> rename(const std::string& from, const std::string& to) override;
    [[nodiscard]] base::Result<void> remove(const std::string& path) override;
    [[nodiscard]] base::Result<std::vector<std::string>> list(const std::string& folder) override;
    [[nodiscard]] base::Result<void> make_folder(const std::string& folder) override;
    [[nodiscard]] base::Result<void> sync_folder(const std::string& folder) override;
    [[nodiscard]] base::Result<base::Octets> free_space() override;
    [[nodiscard]] base::Result<std::unique_ptr<spool::FilesystemLock>> lock(const std::string& path) override;

    // What tests do to it.

    /// Operations that change something or sync, so far.
    [[nodiscard]] std::uint64_t operations() const;
    [[nodiscard]] std::uint64_t file_syncs() const;
    enum class Failing {
        once,
        from_then_on,
        without_effect,  // from then on, and no part of a write is done: as for a process that is gone
    };
    /// The `nth` of these operations from now (1: the next) fails; of a write that fails a random beginning is written.
    void fail(std::uint64_t nth, Failing how, base::ErrorKind kind = base::ErrorKind::disk);
    void fail_no_more();
    /// Power failure, and a new start with the same disk. No operation may be under way.
    void crash();
    /// The process ends, the machine does not: everything written stays, locks are released.
    void end_process();
    void set_free_space(base::Octets octets);
    /// File syncs wait from now on until release_syncs().
    void hold_syncs();
    void release_syncs();
    /// Waits until somebody waits in a sync.
    void await_held_sync();
    /// A file's octets. Precondition: it exists.
    [[nodiscard]] std::string octets(const std::string& path) const;
    /// Puts other octets into a file, synced; makes it if need be.
    void overwrite(const std::string& path, std::string octets);
    [[nodiscard]] bool exists(const std::string& path) const;

private:
    friend class MemoryFile;
    friend class MemoryLock;
    struct Unsynced {
        std::uint64_t offset = 0;
        std::string octets;                   // written there
        std::optional<std::uint64_t> resize;  // or the new size
    };
    struct Inode {
        std::string octets;
        std::string durable;
        std::vector<Unsynced> unsynced;
    };
    using Names = std::map<std::string, std::shared_ptr<Inode>>;
    struct Renaming {  // path and what it means from then on
        std::vector<std::pair<std::string, std::shared_ptr<Inode>>> changes;
    };

    [[nodiscard]] base::Result<void> count_operation();
    void note(Renaming renaming);
    static void apply(Names& names, const Renaming& renaming);
    void settle_page_by_page(Inode& inode);

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::mt19937_64 random_;
    Names names_;
    Names durable_names_;
    std::vector<Renaming> unsynced_names_;
    std::set<std::string> locked_;
    std::uint64_t generation_ = 0;
    std::uint64_t operations_ = 0;
    std::uint64_t file_syncs_ = 0;
    std::uint64_t fail_at_ = 0;  // 0: never
    Failing failing_ = Failing::once;
    base::ErrorKind failure_ = base::ErrorKind::disk;
    base::Octets free_space_ = base::mebibytes(100'000);
    bool holding_ = false;
    int held_ = 0;
};

}  // namespace thurn::support
