#pragma once

#include "base/guarded.h"

#include <atomic>
#include <string>

#include <rocksdb/file_system.h>

namespace thurn::storage {

/// The files of one RocksDB database, on a disk that may fail.
///
/// Idea     With the first change that fails they freeze: from then on nothing reaches the disk, and RocksDB is told that all goes well. To
///          the disk that is a crash of the machine, which RocksDB survives. An error it may not: it goes on writing to files that have
///          failed, its own log among them, and a library built with assertions (Debian's) then ends the process.
/// Rules    What RocksDB says of a change counts only if the files are not frozen afterwards. What it says of what it reads always counts:
///          tables that did not reach the disk have no valid checksums. A frozen database is fit for reading and closing only.
/// Threads  Any.
class FreezingFiles final : public rocksdb::FileSystemWrapper {
public:
    FreezingFiles() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
    [[nodiscard]] const char* Name() const override { return "FreezingFiles"; }

    [[nodiscard]] bool frozen() const { return frozen_; }
    /// The first error; empty before it.
    [[nodiscard]] std::string reason() const;
    /// Does something to the disk, unless frozen; freezes when it fails. Always success.
    template <class Change>
    rocksdb::IOStatus attempt(Change&& change) {
        if (!frozen()) {
            if (const auto status = change(); !status.ok()) freeze(status);
        }
        return rocksdb::IOStatus::OK();
    }

    rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSWritableFile>* file, rocksdb::IODebugContext* debug) override;
    rocksdb::IOStatus ReopenWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                         std::unique_ptr<rocksdb::FSWritableFile>* file, rocksdb::IODebugContext* debug) override;
    rocksdb::IOStatus ReuseWritableFile(const std::string& name, const std::string& old_name, const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSWritableFile>* file, rocksdb::IODebugContext* debug) override;
    rocksdb::IOStatus NewDirectory(const std::string& name, const rocksdb::IOOptions& options,
                                   std::unique_ptr<rocksdb::FSDirectory>* folder, rocksdb::IODebugContext* debug) override;
    rocksdb::IOStatus DeleteFile(const std::string& name, const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override;
    rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                                 rocksdb::IODebugContext* debug) override;
    rocksdb::IOStatus Truncate(const std::string& name, std::size_t size, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;

private:
    void freeze(const rocksdb::IOStatus& error);

    std::atomic<bool> frozen_ = false;
    base::Guarded<std::string> reason_;
};

}  // namespace thurn::storage
