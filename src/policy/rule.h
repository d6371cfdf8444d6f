#pragma once

#include "base/result.h"
#include "mail/status.h"
#include "policy/action.h"
#include "policy/condition.h"
#include "policy/dnsbl.h"
#include "policy/reply_text.h"

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::policy {

/// A rule as the configuration has it.
struct RuleText {
    std::string name{};
    Stage stage = Stage::content;
    std::string when{};  // a Condition; empty: always
    Action action = Action::none;
    std::string text{};               // of the reply; `{client.address}` stands for that fact
    std::string to{};                 // of redirect
    double score = 0;                 // added to the message's
    std::string tag{};                // one of the message's tags from now on
    std::string header{};             // `X-Name: text`, put on top of the message
    std::chrono::seconds delay{0};    // before the reply
    bool alarm = false;               // log it as one
    std::string ask{};                // who says what to do: a policy server or a script; goes without all of the above but `when`
    std::vector<std::string> tell{};  // facts that the one asked is told besides what is known anyway
    std::optional<mail::EnhancedStatus> status{};  // of a refusal about something else than policy; only rules of our own have one
    std::string origin = "default";                // `thurn.toml:31`
};

struct Rule {
    RuleText said;
    std::optional<Condition> when;
    ReplyText text;
    std::vector<std::size_t> told;  // facts that are found out before somebody is asked
    std::size_t place = 0;          // in the order of its stage
};

/// Errors   `syntax`: it is no header field of one line, printable US-ASCII and at most 900 octets.
[[nodiscard]] base::Result<void> check_header(std::string_view header);

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
/// In front of greylisting's rule: who need not wait, by SPF for one of the domains, or by a list of the good (one with a weight below 0)
/// that has the client. Nothing: there are neither.
[[nodiscard]] std::optional<RuleText> known_sender_rule(const std::vector<std::string>& domains, const DnsblSet& lists);
/// What holds besides where greylisting is on.
[[nodiscard]] RuleText greylist_rule();
/// What holds besides where recipients of relayed domains are verified.
[[nodiscard]] RuleText recipient_rule();

}  // namespace thurn::policy
