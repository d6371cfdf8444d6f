#pragma once

#include "base/octets.h"
#include "base/result.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::spool {

/// One open file. Closed when dropped.
///
/// Errors   `disk`; `full`: no room on the disk.
/// Threads  Reading from many at once; the rest one at a time.
class File {
public:
    virtual ~File() = default;
    /// Writes the slices one behind the other from `offset` on, growing the file as needed. After an error any part may have been written.
    [[nodiscard]] virtual base::Result<void> write(std::uint64_t offset, std::span<const std::string_view> slices) = 0;
    /// Fills `into` from `offset`; fewer octets only at the end of the file.
    [[nodiscard]] virtual base::Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const = 0;
    /// What was written is on stable storage. After an error nobody knows which part is, and no later sync() will tell:
    /// the file must not be written to again.
    [[nodiscard]] virtual base::Result<void> sync() = 0;
    /// Makes it `size` octets long, with room on the disk for them; new octets read as zeros.
    [[nodiscard]] virtual base::Result<void> allocate(std::uint64_t size) = 0;
    [[nodiscard]] virtual base::Result<void> truncate(std::uint64_t size) = 0;
    [[nodiscard]] virtual base::Result<std::uint64_t> size() const = 0;
};

/// Held as long as it lives; gone with the process, however that ends.
class FilesystemLock {
public:
    virtual ~FilesystemLock() = default;
};

enum class Access {
    read,
    write,   // for reading and writing what exists
    create,  // for reading and writing; `exists` when it is there already
};

/// The files of the spool, below one folder. Paths are relative to it, with `/` between folder and name, and never hold `..`.
///
/// Errors   `not_found`, `exists`, `full`, `disk`; `refused`: somebody else holds the lock.
/// Threads  Any.
class Filesystem {
public:
    virtual ~Filesystem() = default;
    [[nodiscard]] virtual base::Result<std::unique_ptr<File>> open(const std::string& path, Access access) = 0;
    /// Replaces `to` when it exists.
    [[nodiscard]] virtual base::Result<void> rename(const std::string& from, const std::string& to) = 0;
    [[nodiscard]] virtual base::Result<void> remove(const std::string& path) = 0;
    /// Names of the files in a folder, in no order.
    [[nodiscard]] virtual base::Result<std::vector<std::string>> list(const std::string& folder) = 0;
    /// Success also when it exists already. The folder is on stable storage afterwards.
    [[nodiscard]] virtual base::Result<void> make_folder(const std::string& folder) = 0;
    /// Names made, renamed and removed in the folder so far are on stable storage.
    [[nodiscard]] virtual base::Result<void> sync_folder(const std::string& folder) = 0;
    [[nodiscard]] virtual base::Result<base::Octets> free_space() = 0;
    [[nodiscard]] virtual base::Result<std::unique_ptr<FilesystemLock>> lock(const std::string& path) = 0;
};

}  // namespace thurn::spool
