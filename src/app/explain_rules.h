#pragma once

#include "app/explain_scripts.h"
#include "app/tool_resolver.h"
#include "directory/directory.h"
#include "policy/rulebook.h"
#include "policy/situation.h"
#include "policy/walk.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace thurn::app {

/// A rule that was reached, and what came of it.
struct RuleTold {
    policy::Stage stage;
    std::string rule;
    std::string origin;
    policy::Truth truth;
    policy::Action action;
    std::string facts;
};

/// What the configuration's rules say about one message, stage after stage, as inbound::Conversation would ask them.
///
/// Asked   Scripts are run; policy servers are not asked, since many count what they are asked.
/// Lists   Are tested first, as the server does at its start.
/// Errors  As ToolResolver; the directory's.
class RuleExplanation {
public:
    /// `directory` is opened for the first rule that asks for it.
    using OpenDirectory = std::function<base::Result<directory::Directory*>()>;
    /// What greylisting would say, for a rule that asks.
    using AskGreylist = std::function<base::Result<policy::FactValue>(const policy::Situation&)>;
    RuleExplanation(const policy::Rulebook& book, const std::vector<inbound::ScriptOptions>& scripts, ToolResolver& resolver,
                    OpenDirectory directory, AskGreylist greylist)
        : book_(book),
          scripts_(scripts),
          resolver_(resolver),
          directory_(std::move(directory)),
          greylist_(std::move(greylist)),
          facts_(book.rules.facts().size()) {}

    [[nodiscard]] base::Result<void> test_lists();
    /// False once a rule refused: a conversation would not get any further.
    [[nodiscard]] base::Result<bool> ask(policy::Stage stage, const policy::Situation& now);

    [[nodiscard]] const std::vector<RuleTold>& told() const { return told_; }
    /// The refusal, with its reply; or nothing.
    [[nodiscard]] const std::optional<policy::Decision>& refusal() const { return refusal_; }
    [[nodiscard]] const policy::Marks& marks() const { return marks_; }

private:
    [[nodiscard]] base::Result<void> gather(std::vector<std::size_t> wanted, const policy::Situation& now);
    [[nodiscard]] base::Result<policy::FactValue> find_out(const policy::Fact& fact, const policy::Situation& now);

    [[nodiscard]] base::Result<ScriptTold> ask_outside(const policy::Rule& rule, const policy::Situation& now);

    const policy::Rulebook& book_;
    const std::vector<inbound::ScriptOptions>& scripts_;
    ToolResolver& resolver_;
    OpenDirectory directory_;
    AskGreylist greylist_;
    policy::FactSheet facts_;
    policy::Marks marks_;
    std::vector<RuleTold> told_;
    std::optional<policy::Decision> refusal_;
};

/// The stages of a whole conversation; `recipient` empty: as far as DATA is not reached, but for content.
[[nodiscard]] base::Result<void> explain_all(RuleExplanation& rules, policy::Situation now, const std::optional<mail::Mailbox>& recipient,
                                             std::string_view recipient_kind);

}  // namespace thurn::app
