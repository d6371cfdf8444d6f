#pragma once

#include "base/result.h"
#include "config/config.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace thurn::app {

/// Whom the server is to be once its ports and keys are open.
struct Identity {
    unsigned user = 0;
    unsigned group = 0;
    std::string name;
};

[[nodiscard]] bool is_root();
/// Errors   `not_found`: no such user on this machine.
[[nodiscard]] base::Result<Identity> find_user(const std::string& name);
/// Whom the server becomes: nobody else when it was not started as root, or the administrator lets it go on as root.
/// Errors   `invalid`: root may not go on, and there is no user to become.
[[nodiscard]] base::Result<std::optional<Identity>> choose_identity(const config::Config& config);
/// Makes the folder, 0700, with its parents; given to `owner` when we are root.
[[nodiscard]] base::Result<void> prepare_folder(const std::filesystem::path& folder, const Identity* owner);
/// Gives all there is below the folder to `owner`: what an earlier run as root, or the administrator, left there. Links are not followed.
[[nodiscard]] base::Result<void> hand_over_folder(const std::filesystem::path& folder, const Identity& owner);
/// For good: groups, group, user; then no new privileges.
[[nodiscard]] base::Result<void> become(const Identity& identity);
/// Whether it could read the file after become(): a child process tries.
[[nodiscard]] bool can_read(const Identity& identity, const std::filesystem::path& file);
/// What of the configured certificates the server could not read again as `identity`: renewed, it would be used only after a restart. What lies
/// in the data folder is handed over at start, and not told.
[[nodiscard]] std::vector<std::filesystem::path> not_renewable(const config::Config& config, const Identity& identity);
/// Also without a change of user: nothing started from here on can gain privileges.
void forbid_new_privileges();
/// As many descriptors as the system allows: that many.
std::size_t raise_descriptor_limit();

}  // namespace thurn::app
