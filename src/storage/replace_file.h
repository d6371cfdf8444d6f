#pragma once

#include "base/result.h"

#include <filesystem>
#include <string_view>

namespace thurn::storage {

/// Puts the text where others read it, whole: written beside it and renamed. For what is written anew again and again: not synced. Anybody may
/// read it. Blocks.
/// Errors   `refused`, `not_found`, `full`, `disk`.
[[nodiscard]] base::Result<void> replace_file(const std::filesystem::path& file, std::string_view text);

}  // namespace thurn::storage
