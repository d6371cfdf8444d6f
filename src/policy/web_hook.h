#pragma once

#include "base/result.h"
#include "policy/advice.h"
#include "policy/question.h"

#include <string>
#include <string_view>

namespace thurn::policy {

/// The question as JSON:
///     {"stage": "rcpt", "rule": "…", "session": "s42", "message": "01J…", "facts": {"client.address": "192.0.2.1", …}}
/// Shape    Facts by their names in docs/policy.md; flags, numbers, texts and lists as JSON has them, `null` for what is unavailable. Octets
///          that are no UTF-8 are U+FFFD.
[[nodiscard]] std::string render_hook_question(const Question& question);

inline constexpr std::size_t kMostOfAHookAnswer = std::size_t{64} << 10;

/// Reads `{"action": "reject", "status": "5.7.1", "code": 550, "text": "…", "to": "…", "score": 2, "tag": "…", "header": "X-A: b"}`.
/// Shape    All is optional; without an action, or with `"none"` or `"dunno"`, the next rules are asked.
/// Errors   `syntax`: no JSON object. `invalid`: a member that is unknown or of the wrong kind, an action that is none, a code or status
///          that does not go with the action. `too_long`.
[[nodiscard]] base::Result<Advice> parse_hook_answer(std::string_view octets);

}  // namespace thurn::policy
