#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace thurn::policy {

/// What a rule does when it applies.
///   none        goes on with the next rule; for those that only mark (score, tag, header, delay, alarm)
///   accept      no other rule of this stage is asked
///   reject, defer   5yz and 4yz to the command; `disconnect` says 421 and closes
///   junk, hold  the message goes to the junk folder, or waits in the queue for somebody to look at it
///   discard     the message gets its 250 and goes nowhere; the trace tells
///   redirect    another address gets what was for this recipient
enum class Action : std::uint8_t { none, accept, reject, defer, disconnect, junk, hold, discard, redirect };

inline constexpr std::array<std::string_view, 9> kActionNames{"none", "accept", "reject",  "defer",   "disconnect",
                                                              "junk", "hold",   "discard", "redirect"};

[[nodiscard]] constexpr std::string_view name_of(Action action) { return kActionNames[static_cast<std::size_t>(action)]; }

/// Whether it answers the command with a refusal.
[[nodiscard]] constexpr bool refuses(Action action) {
    return action == Action::reject || action == Action::defer || action == Action::disconnect;
}
/// Whether it is about the message, so there must be one.
[[nodiscard]] constexpr bool is_of_message(Action action) {
    return action == Action::junk || action == Action::hold || action == Action::discard;
}

}  // namespace thurn::policy
