#pragma once

#include <cstdint>

namespace thurn::mail {

/// `BODY=` (RFC 6152 §3, RFC 3030 §3): what the content may hold. Ordered: each kind may hold what those before it may.
enum class BodyType : std::uint8_t { seven_bit, eight_bit, binary };

/// `RET=` (RFC 3461 §4.3): how much of the message a failure report gives back.
enum class ReturnContent : std::uint8_t { unspecified, full, headers };

/// `NOTIFY=` (RFC 3461 §4.1): about what the sender wants to hear for one recipient.
///
/// Shape    `given` and nothing else is NEVER. Not given: failures are told, delays as the server is configured, success is not.
struct Notify {
    bool given = false;
    bool success = false;
    bool failure = false;
    bool delay = false;
    friend bool operator==(const Notify&, const Notify&) = default;
};
[[nodiscard]] constexpr bool wants_success(Notify notify) { return notify.success; }
[[nodiscard]] constexpr bool wants_failure(Notify notify) { return !notify.given || notify.failure; }
[[nodiscard]] constexpr bool wants_delay(Notify notify) { return !notify.given || notify.delay; }

/// For a recipient that was given twice: whatever either asks for.
[[nodiscard]] constexpr Notify merge(Notify a, Notify b) {
    if (!a.given && !b.given) return {};
    return {.given = true,
            .success = a.success || b.success,
            .failure = wants_failure(a) || wants_failure(b),
            .delay = wants_delay(a) || wants_delay(b)};
}

}  // namespace thurn::mail
