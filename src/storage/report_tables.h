#pragma once

#include "base/result.h"
#include "storage/sqlite.h"

#include <filesystem>

namespace thurn::storage {

/// Opens data_dir/reports.db, with its tables: what we count for other domains' reports, what was sent of it, and what others reported
/// to us.
/// Errors   As Database; `invalid`: written by a newer thurn.
[[nodiscard]] base::Result<Database> open_report_tables(const std::filesystem::path& path);

}  // namespace thurn::storage
