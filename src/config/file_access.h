#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace thurn::config {

/// Why somebody other than root and the caller could change what the file says, in words with its name and what to do; nothing: nobody can,
/// or there is no such file.
[[nodiscard]] std::optional<std::string> warn_of_writers(const std::filesystem::path& file);
/// That everybody on the machine can read or change a file with a secret; likewise.
[[nodiscard]] std::optional<std::string> warn_of_readers(const std::filesystem::path& file);

}  // namespace thurn::config
