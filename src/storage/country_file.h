#pragma once

#include "base/result.h"
#include "policy/country.h"

#include <filesystem>
#include <memory>

namespace thurn::storage {

/// Countries by address, out of a file in the format of MaxMind DB: GeoLite2-Country, DB-IP Lite and others.
///
/// Shape    A resource: the file is mapped into memory. One that takes its place under its name has to be opened anew.
/// Errors   `not_found`, `refused`, `corrupt`.
[[nodiscard]] base::Result<std::unique_ptr<policy::Countries>> open_country_file(const std::filesystem::path& file);

}  // namespace thurn::storage
