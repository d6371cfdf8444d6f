#include "storage/secret_folder.h"

#include "storage/posix_filesystem.h"

#include <array>
#include <thread>

#include <sys/stat.h>

namespace thurn::storage {

using base::ErrorKind;
using base::Result;

namespace {

constexpr std::uint64_t kLargest = 1 << 20;
constexpr const char* kHere = ".";
constexpr const char* kClaim = "lock";
constexpr std::string_view kNew = ".new";
constexpr std::chrono::milliseconds kPause{20};

std::unexpected<base::Error> trouble(const std::filesystem::path& folder, const base::Error& error) {
    return base::fail(error.kind, folder.string() + ": " + error.detail);
}

Result<std::string> read_file(const std::filesystem::path& folder, const std::string& name) {
    auto files = PosixFilesystem::open(folder.string());
    if (!files) return base::pass_on(files);
    const auto file = (*files)->open(name, spool::Access::read);
    if (!file) return std::unexpected(file.error());
    const auto size = (*file)->size();
    if (!size) return std::unexpected(size.error());
    if (*size > kLargest) return base::fail(ErrorKind::too_long, name + ": over 1 MiB");
    std::string text(*size, '\0');
    const auto count = (*file)->read(0, text);
    if (!count) return std::unexpected(count.error());
    text.resize(*count);
    return text;
}

Result<void> write_synced(spool::Filesystem& files, const std::string& name, std::string_view text) {
    const auto file = files.open(name, spool::Access::create);
    if (!file) return std::unexpected(file.error());
    const std::array slices{text};
    if (auto written = (*file)->write(0, slices); !written) return written;
    return (*file)->sync();
}

Result<void> write_file(spool::Filesystem& files, const std::string& name, std::string_view text) {
    const std::string fresh = name + std::string(kNew);
    if (auto removed = files.remove(fresh); !removed && removed.error().kind != ErrorKind::not_found) return removed;  // of a crash
    auto done = write_synced(files, fresh, text);
    if (done) done = files.rename(fresh, name);
    if (!done) {
        (void)files.remove(fresh);
        return done;
    }
    return files.sync_folder(kHere);
}

std::int64_t nanoseconds(const timespec& time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

}  // namespace

Result<std::unique_ptr<spool::FilesystemLock>> SecretFolder::claim(std::chrono::milliseconds patience) const {
    const auto files = PosixFilesystem::open(path_.string());
    if (!files) return trouble(path_, files.error());
    auto lock = (*files)->lock(kClaim);
    const auto enough = std::chrono::steady_clock::now() + patience;
    while (!lock && lock.error().kind == ErrorKind::refused && std::chrono::steady_clock::now() < enough) {
        std::this_thread::sleep_for(kPause);
        lock = (*files)->lock(kClaim);
    }
    if (!lock && lock.error().kind == ErrorKind::refused)
        return trouble(path_, {ErrorKind::refused, "cannot be changed now: " + lock.error().detail});
    if (!lock) return trouble(path_, lock.error());
    return lock;
}

Result<std::string> SecretFolder::read(const std::string& name) const {
    std::error_code error;
    if (!std::filesystem::is_directory(path_, error)) return base::fail(ErrorKind::not_found, path_.string() + ": no such folder");
    auto text = read_file(path_, name);
    if (!text) return trouble(path_, text.error());
    return text;
}

Result<void> SecretFolder::write(const std::string& name, std::string_view text) const {
    const auto files = PosixFilesystem::open(path_.string());
    if (!files) return trouble(path_, files.error());
    if (auto written = write_file(**files, name, text); !written) return trouble(path_, written.error());
    return {};
}

Result<void> SecretFolder::remove(const std::string& name) const {
    const auto files = PosixFilesystem::open(path_.string());
    if (!files) return trouble(path_, files.error());
    auto done = (*files)->remove(name);
    if (done) done = (*files)->sync_folder(kHere);
    if (!done) return trouble(path_, done.error());
    return {};
}

Result<std::vector<std::string>> SecretFolder::list() const {
    std::error_code error;
    if (!std::filesystem::exists(path_, error) && !error) return std::vector<std::string>{};
    const auto files = PosixFilesystem::open(path_.string());
    if (!files) return trouble(path_, files.error());
    auto names = (*files)->list(kHere);
    if (!names) return trouble(path_, names.error());
    return names;
}

SecretFolder::Stamp SecretFolder::stamp(const std::string& name) const {
    struct stat facts{};
    if (::lstat((path_ / name).c_str(), &facts) != 0) return {};
    return {.file = facts.st_ino, .size = facts.st_size, .written = nanoseconds(facts.st_mtim), .changed = nanoseconds(facts.st_ctim)};
}

}  // namespace thurn::storage
