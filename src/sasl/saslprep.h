#pragma once

#include <string>
#include <string_view>

namespace thurn::sasl {

/// The form of a password in which hashes are taken of it, so that `é` is one password however it is typed: SASLprep (RFC 4013), with
/// code points unassigned in Unicode 3.2 let through. What SASLprep forbids (control characters, mixed directions) stays as it is, as
/// clients do it too: docs/decisions/0005-passwords-for-scram.md. Passwords of printable ASCII are always themselves.
[[nodiscard]] std::string prepare_password(std::string_view password);

}  // namespace thurn::sasl
