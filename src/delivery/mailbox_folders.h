#pragma once

#include "delivery/descriptor.h"

#include <expected>
#include <filesystem>
#include <string>
#include <vector>

namespace thurn::delivery {

/// A call of the system that failed: `errno`, and what we were about.
struct DiskTrouble {
    int number = 0;
    std::string what;  // `open new`, without the path: it may end up in a bounce
};
template <class T>
using OnDisk = std::expected<T, DiskTrouble>;

/// Where a mailbox lies: a folder the operator chose, and names below it that we made.
struct MailboxPlace {
    std::filesystem::path root;      // may be reached through links
    std::vector<std::string> names;  // never empty; none of them may be a link
};

/// The open folders of one Maildir.
struct MailboxFolders {
    Descriptor box;
    Descriptor tmp;
    Descriptor fresh;  // new/
};

/// Opens them, and makes them (0700) where they are missing.
///
/// Safety   Below `root` no link is followed; the mailbox and its folders must be ours (CVE-2008-2936).
/// Durable  tmp/ is made last, when all else is synced: who finds it may rely on the rest.
/// Threads  Any; blocks. Two may make the same mailbox at once.
[[nodiscard]] OnDisk<MailboxFolders> open_mailbox(const MailboxPlace& place);
/// Opens one folder of the mailbox, without making it.
[[nodiscard]] OnDisk<Descriptor> open_folder(const Descriptor& parent, const std::string& name);
[[nodiscard]] OnDisk<void> sync_folder(const Descriptor& folder, const char* name);

}  // namespace thurn::delivery
