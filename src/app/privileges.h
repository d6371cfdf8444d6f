#pragma once

#include "base/result.h"

#include <filesystem>
#include <string>

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
/// Makes the folder, 0700, with its parents; given to `owner` when we are root.
[[nodiscard]] base::Result<void> prepare_folder(const std::filesystem::path& folder, const Identity* owner);
/// Gives all there is below the folder to `owner`: what an earlier run as root, or the administrator, left there. Links are not followed.
[[nodiscard]] base::Result<void> hand_over_folder(const std::filesystem::path& folder, const Identity& owner);
/// For good: groups, group, user; then no new privileges.
[[nodiscard]] base::Result<void> become(const Identity& identity);
/// Also without a change of user: nothing started from here on can gain privileges.
void forbid_new_privileges();
/// As many descriptors as the system allows: that many.
std::size_t raise_descriptor_limit();

}  // namespace thurn::app
