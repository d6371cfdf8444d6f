#include "storage/replace_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace thurn::storage {

namespace {

std::unexpected<base::Error> trouble(const std::filesystem::path& file, int error) {
    const auto kind = error == ENOSPC                     ? base::ErrorKind::full
                      : error == ENOENT                   ? base::ErrorKind::not_found
                      : error == EACCES || error == EPERM ? base::ErrorKind::refused
                                                          : base::ErrorKind::disk;
    return base::fail(kind, file.string() + ": " + std::strerror(error));
}

bool write_all(int descriptor, std::string_view text) {
    while (!text.empty()) {
        const auto count = ::write(descriptor, text.data(), text.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        text.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

}  // namespace

base::Result<void> replace_file(const std::filesystem::path& file, std::string_view text) {
    const auto fresh = file.string() + ".new";
    const int descriptor = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (descriptor < 0) return trouble(file, errno);
    const bool written = write_all(descriptor, text) && ::fchmod(descriptor, 0644) == 0;
    const int error = errno;
    ::close(descriptor);
    if (written && std::rename(fresh.c_str(), file.c_str()) == 0) return {};
    const int reason = written ? errno : error;
    ::unlink(fresh.c_str());
    return trouble(file, reason);
}

}  // namespace thurn::storage
