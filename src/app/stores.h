#pragma once

#include "base/log.h"
#include "base/random.h"
#include "base/result.h"
#include "config/config.h"
#include "directory/directory.h"
#include "policy/country.h"
#include "spool/spool.h"
#include "storage/file_journal.h"
#include "storage/journal_reader.h"
#include "storage/posix_filesystem.h"
#include "storage/rocks_index.h"
#include "storage/sqlite_directory.h"

#include <memory>

namespace thurn::app {

/// The spool with what it stands on. Members are destroyed spool first.
struct OpenSpool {
    std::unique_ptr<spool::Filesystem> filesystem;
    std::unique_ptr<spool::Index> index;
    std::unique_ptr<spool::Spool> spool;
};

/// nullptr: none is configured.
[[nodiscard]] base::Result<std::unique_ptr<directory::TokenChecker>> make_token_checker(const config::OauthConfig& oauth,
                                                                                        const base::Clock& clock);
/// Makes this process the only one that works on the spool in data_dir/spool, for as long as the lock lives.
/// Errors   `refused`: another process has it.
[[nodiscard]] base::Result<std::unique_ptr<spool::FilesystemLock>> claim_spool(const config::Config& config);
/// Opens, and after a crash recovers, the spool. Precondition: claim_spool() holds: the index must not be touched while another works on
/// it.
/// Errors  `disk`, `refused`.
[[nodiscard]] base::Result<OpenSpool> open_spool(const config::Config& config, const base::Clock& clock, base::Random& random,
                                                 base::Log& log);
[[nodiscard]] base::Result<std::unique_ptr<storage::SqliteDirectory>> open_directory(const config::Config& config);
[[nodiscard]] base::Result<std::unique_ptr<storage::FileJournal>> open_journal(const config::Config& config, const base::Clock& clock,
                                                                               base::Log& log);

/// The same to read only, beside a running server.
[[nodiscard]] base::Result<std::unique_ptr<storage::JournalReader>> read_journal(const config::Config& config, base::Log& log);

/// What geoip.file knows, shared with whom it outlives; null: none is configured.
/// Errors  `invalid`: it cannot be used.
[[nodiscard]] base::Result<std::shared_ptr<const policy::Countries>> open_countries(const config::Config& config);

}  // namespace thurn::app
