#pragma once

#include "app/explain_scripts.h"
#include "app/explain_story.h"
#include "app/tool_resolver.h"
#include "directory/directory.h"
#include "policy/rulebook.h"
#include "policy/situation.h"

#include <functional>
#include <string>
#include <vector>

namespace thurn::app {

/// What the configuration's rules say about one message, stage after stage, as inbound::Conversation would ask them.
///
/// Asked   Scripts are run; policy servers are not asked, since many count what they are asked.
/// Lists   Are tested first, as the server does at its start.
/// Errors  As ToolResolver; the directory's, and those of `sources`.
class RuleExplanation {
public:
    using OpenDirectory = std::function<base::Result<directory::Directory*>()>;
    /// Who knows what takes no DNS, each asked when a rule first wants to know.
    struct Sources {
        OpenDirectory directory;
        std::function<base::Result<policy::FactValue>(const policy::Situation&)> greylist;
        std::function<base::Result<policy::FactValue>(const policy::Fact&)> content;
    };
    /// What is found goes into the story.
    RuleExplanation(const policy::Rulebook& book, const std::vector<inbound::ScriptOptions>& scripts, ToolResolver& resolver,
                    Sources sources, Story& story)
        : book_(book),
          scripts_(scripts),
          resolver_(resolver),
          sources_(std::move(sources)),
          story_(story),
          facts_(book.rules.facts().size()) {}

    [[nodiscard]] base::Result<void> test_lists();
    /// False once a rule refused: a conversation would not get any further.
    [[nodiscard]] base::Result<bool> ask(policy::Stage stage, const policy::Situation& now);

private:
    [[nodiscard]] base::Result<void> gather(std::vector<std::size_t> wanted, const policy::Situation& now);
    [[nodiscard]] base::Result<policy::FactValue> find_out(const policy::Fact& fact, const policy::Situation& now);
    [[nodiscard]] base::Result<policy::FactValue> ask_directory(const std::string& domain);
    [[nodiscard]] base::Result<ScriptTold> ask_outside(const policy::Rule& rule, const policy::Situation& now);
    void tell(const policy::Rule& rule, policy::Truth truth, const std::string& facts, const ScriptTold& heard);
    void tell_rest(policy::Stage stage, std::size_t reached);
    [[nodiscard]] bool settle(policy::Stage stage, const policy::Ruling& ruling);

    const policy::Rulebook& book_;
    const std::vector<inbound::ScriptOptions>& scripts_;
    ToolResolver& resolver_;
    Sources sources_;
    Story& story_;
    policy::FactSheet facts_;
};

}  // namespace thurn::app
