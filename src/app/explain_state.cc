#include "app/explain_state.h"

#include "storage/policy_state.h"
#include "storage/posix_filesystem.h"

#include <fmt/format.h>

namespace thurn::app {

base::Result<void> SavedState::read(const char* name, policy::KeptState& state) const {
    std::error_code error;
    const bool there = std::filesystem::exists(folder_, error);
    if (error) return base::fail(base::ErrorKind::refused, fmt::format("{}: {}", folder_.string(), error.message()));
    if (!there) return {};
    auto files = storage::PosixFilesystem::open(folder_.string());
    if (!files) return base::pass_on(files);
    auto loaded = storage::load_policy_state(**files, name, state);
    if (loaded || loaded.error().kind == base::ErrorKind::not_found) return {};
    return base::fail(loaded.error().kind, fmt::format("{}: {}", (folder_ / name).string(), loaded.error().detail));
}

}  // namespace thurn::app
