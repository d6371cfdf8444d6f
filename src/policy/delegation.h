#pragma once

#include "base/result.h"
#include "policy/advice.h"
#include "policy/question.h"

#include <optional>
#include <string>
#include <string_view>

namespace thurn::policy {

// Postfix's policy delegation (its SMTPD_POLICY_README): `name=value` lines and an empty one, either way, any number of times on a
// connection. What is answered is an action of its access(5).

/// What Postfix calls the stage: CONNECT, EHLO, MAIL, RCPT, DATA, END-OF-MESSAGE. Empty: it asks nobody there.
[[nodiscard]] std::string_view protocol_state(Stage stage);

/// Precondition: the stage has a protocol_state().
/// Safety   A value has neither line ends nor NUL, whatever a client said: control characters are '?'.
/// Limits   2048 octets of each value.
[[nodiscard]] std::string render_delegation_request(const Question& question, std::string_view context);

inline constexpr std::size_t kMostOfADelegationReply = 8192;

/// Nothing: it is not whole yet.
/// Errors   `syntax`: a line without `=`, no action or two, or more than one answer. `too_long`.
[[nodiscard]] base::Result<std::optional<Advice>> parse_delegation_reply(std::string_view octets);

/// `REJECT go away`, `DUNNO`, `450 4.7.1 later`, `prepend X-A: b`.
/// Unknown  What we cannot do (FILTER, names of Postfix's restrictions) puts the command off with 451 4.3.5, as Postfix does.
[[nodiscard]] Advice parse_access_action(std::string_view action);

}  // namespace thurn::policy
