#include "delivery/mailbox_folders.h"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>

namespace thurn::delivery {
namespace {

constexpr mode_t kFolderMode = 0700;

std::unexpected<DiskTrouble> trouble(int number, std::string what) { return std::unexpected(DiskTrouble{number, std::move(what)}); }

OnDisk<Descriptor> open_root(const std::filesystem::path& root) {
    Descriptor folder(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder.open()) return trouble(errno, "open the folder of all mailboxes");
    return folder;
}

OnDisk<void> check_owner(const Descriptor& folder, const std::string& name) {
    struct stat facts{};
    if (::fstat(folder.number(), &facts) != 0) return trouble(errno, "look at " + name);
    if (facts.st_uid != ::geteuid()) return trouble(EPERM, "use " + name + ", which belongs to someone else");
    return {};
}

OnDisk<Descriptor> open_own_folder(const Descriptor& parent, const std::string& name) {
    auto folder = open_folder(parent, name);
    if (!folder) return folder;
    if (auto owned = check_owner(*folder, name); !owned) return std::unexpected(std::move(owned).error());
    return folder;
}

OnDisk<Descriptor> walk(const MailboxPlace& place) {
    auto folder = open_root(place.root);
    for (const auto& name : place.names) {
        if (!folder) return folder;
        auto next = &name == &place.names.back() ? open_own_folder(*folder, name) : open_folder(*folder, name);
        folder = std::move(next);
    }
    return folder;
}

OnDisk<MailboxFolders> open_existing(const MailboxPlace& place) {
    auto box = walk(place);
    if (!box) return std::unexpected(std::move(box).error());
    auto tmp = open_own_folder(*box, "tmp");
    if (!tmp) return std::unexpected(std::move(tmp).error());
    auto fresh = open_own_folder(*box, "new");
    if (!fresh) return std::unexpected(std::move(fresh).error());
    return MailboxFolders{std::move(*box), std::move(*tmp), std::move(*fresh)};
}

OnDisk<void> make_folder(const Descriptor& parent, const std::string& name) {
    if (::mkdirat(parent.number(), name.c_str(), kFolderMode) != 0 && errno != EEXIST) return trouble(errno, "make " + name);
    return {};
}

/// Synced even when the folder was there: another thread may have made it a moment ago and not have synced it yet.
OnDisk<Descriptor> make_and_open(const Descriptor& parent, const std::string& name) {
    if (auto made = make_folder(parent, name); !made) return std::unexpected(std::move(made).error());
    if (auto synced = sync_folder(parent, name.c_str()); !synced) return std::unexpected(std::move(synced).error());
    return open_folder(parent, name);
}

OnDisk<void> make_root(const std::filesystem::path& root) {
    struct stat facts{};
    if (root.empty() || ::stat(root.c_str(), &facts) == 0) return {};
    if (auto made = make_root(root.parent_path()); !made) return made;
    auto parent = open_root(root.has_parent_path() ? root.parent_path() : std::filesystem::path("."));
    if (!parent) return std::unexpected(std::move(parent).error());
    if (auto made = make_folder(*parent, root.filename().string()); !made) return made;
    return sync_folder(*parent, "the folder of all mailboxes");
}

OnDisk<void> make_mailbox(const MailboxPlace& place) {
    if (auto made = make_root(place.root); !made) return made;
    auto folder = open_root(place.root);
    for (const auto& name : place.names) {
        if (!folder) return std::unexpected(std::move(folder).error());
        auto next = make_and_open(*folder, name);
        folder = std::move(next);
    }
    if (!folder) return std::unexpected(std::move(folder).error());
    for (const char* name : {"cur", "new"})
        if (auto made = make_folder(*folder, name); !made) return made;
    if (auto synced = sync_folder(*folder, "the mailbox"); !synced) return synced;
    return make_folder(*folder, "tmp");
}

}  // namespace

OnDisk<Descriptor> open_folder(const Descriptor& parent, const std::string& name) {
    Descriptor folder(::openat(parent.number(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!folder.open()) return trouble(errno, "open " + name);
    return folder;
}

OnDisk<void> sync_folder(const Descriptor& folder, const char* name) {
    if (::fsync(folder.number()) != 0) return trouble(errno, std::string("sync ") + name);
    return {};
}

OnDisk<MailboxFolders> open_mailbox(const MailboxPlace& place) {
    auto folders = open_existing(place);
    if (folders || folders.error().number != ENOENT) return folders;
    if (auto made = make_mailbox(place); !made) return std::unexpected(std::move(made).error());
    return open_existing(place);
}

}  // namespace thurn::delivery
