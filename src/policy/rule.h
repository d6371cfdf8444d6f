#pragma once

#include "base/result.h"
#include "policy/condition.h"
#include "policy/reply_text.h"

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

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

/// A rule as the configuration has it.
struct RuleText {
    std::string name{};
    Stage stage = Stage::content;
    std::string when{};  // a Condition; empty: always
    Action action = Action::none;
    std::string text{};              // of the reply; `{client.address}` stands for that fact
    std::string to{};                // of redirect
    double score = 0;                // added to the message's
    std::string tag{};               // one of the message's tags from now on
    std::string header{};            // `X-Name: text`, put on top of the message
    std::chrono::seconds delay{0};   // before the reply
    bool alarm = false;              // log it as one
    std::string origin = "default";  // `thurn.toml:31`
};

struct Rule {
    RuleText said;
    std::optional<Condition> when;
    ReplyText text;
    std::size_t place = 0;  // in the order of its stage
};

/// All rules, compiled, by stage and in the order of the configuration.
/// Threads  Immutable once built; shared by all conversations.
class RuleSet {
public:
    /// Errors  `invalid`, `syntax`: what is wrong with which key: a condition that does not parse, facts the stage does not know yet, an
    ///         action that it cannot take, a redirect to no address, a rule that does nothing, a second one of the name.
    [[nodiscard]] base::Result<void> add(RuleText said);

    [[nodiscard]] const std::vector<Rule>& at(Stage stage) const { return stages_[static_cast<std::size_t>(stage)]; }
    [[nodiscard]] const std::vector<Fact>& facts() const { return facts_.all(); }
    [[nodiscard]] bool empty() const;
    /// The facts called `name`, if a rule asks for it.
    [[nodiscard]] std::optional<std::size_t> find(std::string_view name) const;

private:
    std::array<std::vector<Rule>, kStageNames.size()> stages_;
    FactIndex facts_;
};

/// What holds when there is no [[rule]] in the configuration.
[[nodiscard]] const std::vector<RuleText>& default_rules();
/// What holds besides where greylisting is on.
[[nodiscard]] RuleText greylist_rule();

}  // namespace thurn::policy
