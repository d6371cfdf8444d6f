#include "config/file_access.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace thurn::config {

namespace {

constexpr unsigned kGroupWrites = 0020;
constexpr unsigned kOthersWrite = 0002;
constexpr unsigned kOthersAnything = 0007;

std::optional<struct stat> facts_of(const std::filesystem::path& file) {
    struct stat facts{};
    if (::stat(file.c_str(), &facts) != 0) return std::nullopt;
    return facts;
}

}  // namespace

std::optional<std::string> warn_of_writers(const std::filesystem::path& file) {
    const auto facts = facts_of(file);
    if (!facts) return std::nullopt;
    if ((facts->st_mode & kOthersWrite) != 0)
        return fmt::format("{}: everybody on this machine can change it; chmod go-w it", file.string());
    if ((facts->st_mode & kGroupWrites) != 0 && facts->st_gid != 0)
        return fmt::format("{}: its group, {}, can change it; chmod go-w it", file.string(), facts->st_gid);
    if (facts->st_uid != 0 && facts->st_uid != ::geteuid())
        return fmt::format("{}: belongs to user {}, who can change it; chown it to root", file.string(), facts->st_uid);
    return std::nullopt;
}

std::optional<std::string> warn_of_readers(const std::filesystem::path& file) {
    const auto facts = facts_of(file);
    if (!facts || (facts->st_mode & kOthersAnything) == 0) return std::nullopt;
    return fmt::format("{}: everybody on this machine can read or change it; chmod 0600 it", file.string());
}

}  // namespace thurn::config
