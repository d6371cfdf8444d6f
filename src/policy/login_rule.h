#pragma once

#include "policy/login_guard.h"
#include "policy/recipient_rule.h"

#include <optional>

namespace thurn::policy {

/// What a client is told before it has said a word; nothing: it is let in. Who is locked out for failed logins gets no further where one
/// logs in: mail from there to us is another matter.
[[nodiscard]] std::optional<Decision> refuse_admission(LoginGuard::Admission admission, Role role);

/// What becomes of a login; nothing: its password is looked at. The words are the same whether there is such a login or not. A lock passes, so
/// the client may keep the password it has (RFC 4954 §6: 454).
[[nodiscard]] std::optional<Decision> refuse_login(const LoginGuard::Verdict& verdict);

}  // namespace thurn::policy
