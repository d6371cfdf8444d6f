#pragma once

#include "spool/filesystem.h"

namespace thurn::storage {

/// Files below one folder of a POSIX system.
///
/// Shape    Folders are made 0700 and files 0600. Symbolic links are never followed below the root; a path can not leave it.
/// Threads  Any. All calls may block.
class PosixFilesystem final : public spool::Filesystem {
public:
    /// Makes the folder if need be (its parent must exist).
    /// Errors   `disk`, `refused`: not ours to use.
    [[nodiscard]] static base::Result<std::unique_ptr<PosixFilesystem>> open(const std::string& root);
    ~PosixFilesystem() override;
    PosixFilesystem(const PosixFilesystem&) = delete;
    PosixFilesystem& operator=(const PosixFilesystem&) = delete;

    [[nodiscard]] base::Result<std::unique_ptr<spool::File>> open(const std::string& path, spool::Access access) override;
    [[nodiscard]] base::Result<void> rename(const std::string& from, const std::string& to) override;
    [[nodiscard]] base::Result<void> remove(const std::string& path) override;
    [[nodiscard]] base::Result<std::vector<std::string>> list(const std::string& folder) override;
    [[nodiscard]] base::Result<void> make_folder(const std::string& folder) override;
    [[nodiscard]] base::Result<void> sync_folder(const std::string& folder) override;
    [[nodiscard]] base::Result<base::Octets> free_space() override;
    [[nodiscard]] base::Result<std::unique_ptr<spool::FilesystemLock>> lock(const std::string& path) override;

private:
    explicit PosixFilesystem(int root) : root_(root) {}
    int root_;
};

}  // namespace thurn::storage
