#include "sasl/claims.h"

#include "base/utf8.h"
#include "sasl/mechanism.h"

#include <string>

namespace thurn::sasl {
namespace {

base::Result<void> check(std::string_view what, std::string_view text, std::size_t limit) {
    const auto problem = [what](base::ErrorKind kind, std::string_view how) { return base::fail(kind, std::string(what).append(how)); };
    if (text.empty()) return problem(base::ErrorKind::syntax, " is empty");
    if (text.size() > limit) return problem(base::ErrorKind::too_long, " is too long");
    if (text.contains('\0')) return problem(base::ErrorKind::syntax, " holds NUL");
    if (!base::is_utf8(text)) return problem(base::ErrorKind::syntax, " is not UTF-8");
    return {};
}

}  // namespace

base::Result<void> check_login(std::string_view login) { return check("the login", login, kMaxLogin); }
base::Result<void> check_password(std::string_view password) { return check("the password", password, kMaxPassword); }

}  // namespace thurn::sasl
