#pragma once

#include "base/result.h"
#include "inbound/archive_readers.h"
#include "scan/archive_listing.h"
#include "scan/attachments.h"
#include "scan/test_pattern.h"
#include "spool/spool.h"

#include <string>
#include <string_view>

namespace thurn::inbound {

// What a message holds. Each looks through all of the draft, so whoever asks keeps the answer; a long one is read on the pool.
// Errors   `disk`, `corrupt`: of reading the draft.
// Threads  One loop.

[[nodiscard]] net::asio::awaitable<base::Result<scan::TestPattern>> async_find_test_pattern(const spool::Draft& draft,
                                                                                            net::BlockingPool& pool);
/// `most_text`: of `body`.
[[nodiscard]] net::asio::awaitable<base::Result<scan::MessageParts>> async_take_apart(const spool::Draft& draft, base::Octets most_text,
                                                                                      net::BlockingPool& pool);

/// With what archives are looked into.
struct ArchiveSearch {
    const spool::Draft& draft;
    const base::Result<scan::MessageParts>& parts;
    ArchiveReaders* readers;  // null: nobody looks into archives
    const AttachmentOptions& options;
    net::BlockingPool& pool;
    std::string_view party = {};  // whose archives they are, see ArchiveReaders
};
/// Nothing is started for a message without archives.
/// Errors   Besides, those of `parts` and of ArchiveReaders; `not_found`: there are archives and no readers.
[[nodiscard]] net::asio::awaitable<base::Result<scan::MessageArchives>> async_open_archives(ArchiveSearch search);

/// For log and trace: `3 files in 1 archives`, or why not.
[[nodiscard]] std::string describe(const base::Result<scan::MessageArchives>& found);

}  // namespace thurn::inbound
