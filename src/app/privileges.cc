#include "app/privileges.h"

#include "app/assembly.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace thurn::app {

namespace {

base::Result<void> system_trouble(const std::string& what) {
    return base::fail(base::ErrorKind::refused, fmt::format("{}: {}", what, std::strerror(errno)));
}

bool lies_in(const std::filesystem::path& file, const std::filesystem::path& folder) {
    const auto relative = file.lexically_relative(folder);
    return !relative.empty() && *relative.begin() != "..";
}

}  // namespace

bool is_root() { return ::geteuid() == 0; }

base::Result<Identity> find_user(const std::string& name) {
    const auto* entry = ::getpwnam(name.c_str());  // at start-up only, before there are threads
    if (!entry)
        return base::fail(
            base::ErrorKind::not_found,
            fmt::format("there is no user \"{}\" on this machine; make one with: adduser --system --group --no-create-home {}", name,
                        name));
    return Identity{entry->pw_uid, entry->pw_gid, name};
}

base::Result<std::optional<Identity>> choose_identity(const config::Config& config) {
    if (!is_root()) return std::nullopt;
    if (!config.user.empty()) {
        auto identity = find_user(config.user);
        if (!identity) return base::fail(base::ErrorKind::invalid, "user: " + identity.error().detail);
        return std::optional(*identity);
    }
    if (config.allow_root) return std::nullopt;
    if (auto identity = find_user("thurn")) return std::optional(*identity);
    return base::fail(base::ErrorKind::invalid,
                      "will not run as root: make a user for it (adduser --system --group --no-create-home thurn), or name one with "
                      "user = \"…\"; allow_root = true overrides this");
}

base::Result<void> prepare_folder(const std::filesystem::path& folder, const Identity* owner) {
    std::error_code error;
    if (folder.has_parent_path()) std::filesystem::create_directories(folder.parent_path(), error);
    if (error) return base::fail(base::ErrorKind::refused, fmt::format("{}: {}", folder.parent_path().string(), error.message()));
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return system_trouble(folder.string());
    if (owner && is_root() && ::lchown(folder.c_str(), owner->user, owner->group) != 0) return system_trouble(folder.string());
    return {};
}

base::Result<void> hand_over_folder(const std::filesystem::path& folder, const Identity& owner) {
    std::error_code error;
    for (auto entry = std::filesystem::recursive_directory_iterator(folder, error);
         !error && entry != std::filesystem::recursive_directory_iterator(); entry.increment(error)) {
        struct stat facts{};
        if (::lstat(entry->path().c_str(), &facts) != 0 || facts.st_uid == owner.user) continue;
        if (::lchown(entry->path().c_str(), owner.user, owner.group) != 0) return system_trouble(entry->path().string());
    }
    if (error) return base::fail(base::ErrorKind::refused, fmt::format("{}: {}", folder.string(), error.message()));
    return {};
}

base::Result<void> become(const Identity& identity) {
    if (::setgroups(0, nullptr) != 0) return system_trouble("setgroups");
    if (::setresgid(identity.group, identity.group, identity.group) != 0) return system_trouble("setresgid");
    if (::setresuid(identity.user, identity.user, identity.user) != 0) return system_trouble("setresuid");
    if (::setuid(0) == 0) return base::fail(base::ErrorKind::refused, "root could be had back after dropping it");
    return {};
}

bool can_read(const Identity& identity, const std::filesystem::path& file) {
    const auto child = ::fork();
    if (child == 0) ::_exit(become(identity) && ::open(file.c_str(), O_RDONLY | O_CLOEXEC) >= 0 ? 0 : 1);
    int status = 0;
    while (child > 0 && ::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::vector<std::filesystem::path> not_renewable(const config::Config& config, const Identity& identity) {
    std::vector<std::filesystem::path> found;
    if (!any_tls(config) || self_signed_wanted(config)) return found;
    for (const auto& pair : config.certificates)
        for (const auto& file : {pair.certificate, pair.private_key})
            if (!lies_in(file, config.data_dir) && !can_read(identity, file)) found.push_back(file);
    return found;
}

void forbid_new_privileges() { ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }

std::size_t raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    ::getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

}  // namespace thurn::app
