#include "storage/posix_filesystem.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

namespace thurn::storage {

using base::ErrorKind;
using base::Result;

namespace {

constexpr mode_t kFileMode = 0600;
constexpr mode_t kFolderMode = 0700;
constexpr std::size_t kSlicesAtOnce = 1024;  // IOV_MAX on Linux

ErrorKind kind_of(int error) {
    switch (error) {
        case ENOENT:
            return ErrorKind::not_found;
        case EEXIST:
            return ErrorKind::exists;
        case ENOSPC:
        case EDQUOT:
            return ErrorKind::full;
        case EACCES:
        case EPERM:
        case ELOOP:
            return ErrorKind::refused;
        default:
            return ErrorKind::disk;
    }
}

std::unexpected<base::Error> failed(const char* what, const std::string& path, int error) {
    return base::fail(kind_of(error), std::string(what) + " " + path + ": " + std::strerror(error));
}

/// Calls again while a signal came in between; -1 is failure.
template <class Call>
auto retried(Call call) {
    for (;;) {
        const auto outcome = call();
        if (outcome != -1 || errno != EINTR) return outcome;
    }
}

Result<void> checked(int outcome, const char* what, const std::string& path) {
    if (outcome == -1) return failed(what, path, errno);
    return {};
}

class Descriptor {
public:
    explicit Descriptor(int number) : number_(number) {}
    ~Descriptor() {
        if (number_ != -1) ::close(number_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int number() const { return number_; }
    [[nodiscard]] bool good() const { return number_ != -1; }

private:
    int number_;
};

class PosixFile final : public spool::File {
public:
    PosixFile(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}

    Result<void> write(std::uint64_t offset, std::span<const std::string_view> slices) override {
        while (!slices.empty()) {
            std::array<iovec, kSlicesAtOnce> vectors;  // not cleared: only the filled part is read
            const auto count = std::min(slices.size(), vectors.size());
            for (std::size_t i = 0; i < count; ++i) vectors[i] = {const_cast<char*>(slices[i].data()), slices[i].size()};
            if (auto written = write_all(offset, {vectors.data(), count}); !written) return written;
            slices = slices.subspan(count);
        }
        return {};
    }

    Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const override {
        std::size_t filled = 0;
        while (filled < into.size()) {
            const auto rest = into.subspan(filled);
            const auto count =
                retried([&] { return ::pread(descriptor_.number(), rest.data(), rest.size(), static_cast<off_t>(offset + filled)); });
            if (count == -1) return failed("read", path_, errno);
            if (count == 0) break;
            filled += static_cast<std::size_t>(count);
        }
        return filled;
    }

    // Not retried when interrupted or for any other reason: after one failure the kernel may call the lost pages clean.
    Result<void> sync() override { return checked(::fdatasync(descriptor_.number()), "sync", path_); }

    Result<void> allocate(std::uint64_t size) override {
        const auto error = ::posix_fallocate(descriptor_.number(), 0, static_cast<off_t>(size));
        if (error == 0) return {};
        return failed("allocate", path_, error);
    }
    Result<void> truncate(std::uint64_t size) override {
        return checked(retried([&] { return ::ftruncate(descriptor_.number(), static_cast<off_t>(size)); }), "truncate", path_);
    }
    Result<std::uint64_t> size() const override {
        struct stat status{};
        if (::fstat(descriptor_.number(), &status) == -1) return failed("stat", path_, errno);
        return static_cast<std::uint64_t>(status.st_size);
    }

private:
    /// Writes again what a short write left. Uses up `vectors`; adds to `offset`.
    Result<void> write_all(std::uint64_t& offset, std::span<iovec> vectors) {
        while (!vectors.empty()) {
            const auto count = retried([&] {
                return ::pwritev(descriptor_.number(), vectors.data(), static_cast<int>(vectors.size()), static_cast<off_t>(offset));
            });
            if (count == -1) return failed("write", path_, errno);
            offset += static_cast<std::uint64_t>(count);
            auto left = static_cast<std::size_t>(count);
            while (!vectors.empty() && left >= vectors.front().iov_len) {
                left -= vectors.front().iov_len;
                vectors = vectors.subspan(1);
            }
            if (vectors.empty()) break;
            if (count == 0) return base::fail(ErrorKind::disk, "write " + path_ + ": nothing was written");
            vectors.front().iov_base = static_cast<char*>(vectors.front().iov_base) + left;
            vectors.front().iov_len -= left;
        }
        return {};
    }

    Descriptor descriptor_;
    std::string path_;
};

class PosixLock final : public spool::FilesystemLock {
public:
    explicit PosixLock(int descriptor) : descriptor_(descriptor) {}

private:
    Descriptor descriptor_;
};

int flags_of(spool::Access access) {
    switch (access) {
        case spool::Access::read:
            return O_RDONLY;
        case spool::Access::write:
            return O_RDWR;
        case spool::Access::create:
            return O_RDWR | O_CREAT | O_EXCL;
    }
    return O_RDONLY;
}

int open_folder(int root, const std::string& folder) {
    return retried([&] { return ::openat(root, folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC); });
}

}  // namespace

Result<std::unique_ptr<PosixFilesystem>> PosixFilesystem::open(const std::string& root) {
    if (::mkdir(root.c_str(), kFolderMode) == -1 && errno != EEXIST) return failed("make folder", root, errno);
    const int descriptor = retried([&] { return ::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
    if (descriptor == -1) return failed("open folder", root, errno);
    return std::unique_ptr<PosixFilesystem>(new PosixFilesystem(descriptor));
}

PosixFilesystem::~PosixFilesystem() { ::close(root_); }

Result<std::unique_ptr<spool::File>> PosixFilesystem::open(const std::string& path, spool::Access access) {
    const int descriptor =
        retried([&] { return ::openat(root_, path.c_str(), flags_of(access) | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, kFileMode); });
    if (descriptor == -1) return failed("open", path, errno);
    return std::make_unique<PosixFile>(descriptor, path);
}

Result<void> PosixFilesystem::rename(const std::string& from, const std::string& to) {
    return checked(::renameat(root_, from.c_str(), root_, to.c_str()), "rename", from);
}

Result<void> PosixFilesystem::remove(const std::string& path) { return checked(::unlinkat(root_, path.c_str(), 0), "remove", path); }

Result<std::vector<std::string>> PosixFilesystem::list(const std::string& folder) {
    const int descriptor = open_folder(root_, folder);
    if (descriptor == -1) return failed("open folder", folder, errno);
    DIR* const stream = ::fdopendir(descriptor);
    if (stream == nullptr) {
        const int error = errno;
        ::close(descriptor);
        return failed("list", folder, error);
    }
    std::vector<std::string> names;
    errno = 0;
    while (const auto* entry = ::readdir(stream)) {
        if (entry->d_type != DT_DIR) names.emplace_back(entry->d_name);
        errno = 0;
    }
    const int error = errno;
    ::closedir(stream);
    if (error != 0) return failed("list", folder, error);
    return names;
}

Result<void> PosixFilesystem::make_folder(const std::string& folder) {
    if (::mkdirat(root_, folder.c_str(), kFolderMode) == -1 && errno != EEXIST) return failed("make folder", folder, errno);
    const Descriptor opened(open_folder(root_, folder));  // and it is one, not a link to one
    if (!opened.good()) return failed("open folder", folder, errno);
    return checked(::fsync(root_), "sync folder of", folder);
}

Result<void> PosixFilesystem::sync_folder(const std::string& folder) {
    const Descriptor opened(open_folder(root_, folder));
    if (!opened.good()) return failed("open folder", folder, errno);
    return checked(::fsync(opened.number()), "sync folder", folder);
}

Result<base::Octets> PosixFilesystem::free_space() {
    struct statvfs status{};
    if (::fstatvfs(root_, &status) == -1) return failed("ask the free space of", "the spool", errno);
    return base::Octets{std::uint64_t{status.f_bavail} * status.f_frsize};
}

Result<std::unique_ptr<spool::FilesystemLock>> PosixFilesystem::lock(const std::string& path) {
    const int descriptor = retried([&] { return ::openat(root_, path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, kFileMode); });
    if (descriptor == -1) return failed("open", path, errno);
    auto lock = std::make_unique<PosixLock>(descriptor);
    if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return lock;
    if (errno == EWOULDBLOCK) return base::fail(ErrorKind::refused, path + " is held by another process");
    return failed("lock", path, errno);
}

}  // namespace thurn::storage
