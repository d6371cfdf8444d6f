#pragma once

#include "base/result.h"

#include <string_view>

namespace thurn::sasl {

// What every mechanism asks of names and passwords before it hands them up.

/// Errors   `syntax`: empty, with NUL, or not UTF-8. `too_long`: over kMaxLogin.
[[nodiscard]] base::Result<void> check_login(std::string_view login);
/// Errors   As check_login(), with kMaxPassword.
[[nodiscard]] base::Result<void> check_password(std::string_view password);

}  // namespace thurn::sasl
