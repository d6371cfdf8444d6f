#pragma once

#include "mail/status.h"
#include "policy/action.h"
#include "policy/stage.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace thurn::policy {

/// What somebody says whom a rule asks: a policy server, a web hook, a script. The rule then does what it says.
struct Advice {
    /// A refusal that waits for what the other rules of the stage say (DEFER_IF_PERMIT and DEFER_IF_REJECT of Postfix's access(5)).
    ///   if_permit   puts off what none of the rules behind it refuses
    ///   if_reject   what one of them rejects is only put off
    enum class Reserve : std::uint8_t { none, if_permit, if_reject };

    Action action = Action::none;
    Reserve reserve = Reserve::none;
    std::uint16_t code = 0;                        // of a refusal; 0: what stage and action have it
    std::optional<mail::EnhancedStatus> status{};  // likewise
    std::string text{};                            // of the reply
    std::string to{};                              // of redirect
    std::string bcc{};                             // who gets the message, too, if it is taken; with any action
    double score = 0;
    std::string tag{};
    std::string header{};
    std::string said{};  // in its own words, for log and trace
};

/// As printable US-ASCII of at most 300 octets: whatever an asked one says may be shown in replies, log and trace.
[[nodiscard]] std::string tame(std::string_view words);

/// For those who cannot be asked, or make no sense: 451 4.3.5, so the client tries again.
[[nodiscard]] Advice advice_to_wait(std::string why);

/// What of it can be done at the stage; where the action or the copy cannot, or its address is none, advice_to_wait(). A header that is none is left out.
[[nodiscard]] Advice fit_to_stage(Advice advice, Stage stage);

/// `4.7.1 Greylisted, see …`: takes a status of the code's class from the front of `text`, if one is there. `code_class`: 4 or 5; a status
/// of another class gets this one (RFC 3463 §2).
[[nodiscard]] std::optional<mail::EnhancedStatus> take_status(std::string_view& text, unsigned code_class);

}  // namespace thurn::policy
