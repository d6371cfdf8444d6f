#pragma once

#include "base/result.h"
#include "spool/filesystem.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::storage {

/// Small files for the server's user alone, in one folder: keys, and what is kept beside them.
///
/// Shape    The folder is made 0700 when the first file is written, files are 0600 from their first octet. A file is written under another
///          name and renamed once it is on stable storage: after a crash there is the old one or the new one. No links are followed.
/// Limits   Files of at most 1 MiB.
/// Errors   `not_found`, `refused`, `full`, `disk`, `too_long`; all name folder and file.
/// Threads  Any; who writes holds the claim().
class SecretFolder {
public:
    explicit SecretFolder(std::filesystem::path path) : path_(std::move(path)) {}
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

    /// Keeps other processes from changing the folder for as long as it lives. Waits for another that has it: that one makes a key or
    /// two.
    /// Errors   `refused`: another one has it still.
    [[nodiscard]] base::Result<std::unique_ptr<spool::FilesystemLock>> claim(std::chrono::milliseconds patience = kPatience) const;
    static constexpr std::chrono::milliseconds kPatience{2000};
    [[nodiscard]] base::Result<std::string> read(const std::string& name) const;
    /// Makes the file, or puts another in its place.
    [[nodiscard]] base::Result<void> write(const std::string& name, std::string_view text) const;
    [[nodiscard]] base::Result<void> remove(const std::string& name) const;
    /// The names of the files; none when there is no folder.
    [[nodiscard]] base::Result<std::vector<std::string>> list() const;

    /// What changes when a file is written, replaced, made or removed.
    struct Stamp {
        std::uint64_t file = 0;  // 0: there is none
        std::int64_t size = 0;
        std::int64_t written = 0;
        std::int64_t changed = 0;
        friend bool operator==(const Stamp&, const Stamp&) = default;
    };
    [[nodiscard]] Stamp stamp(const std::string& name) const;

private:
    std::filesystem::path path_;
};

}  // namespace thurn::storage
