#pragma once

#include "app/explain_content.h"
#include "app/explain_rules.h"
#include "app/explain_state.h"
#include "app/explain_story.h"
#include "app/tool_message.h"
#include "config/config.h"
#include "policy/authentication_rule.h"

#include <memory>
#include <optional>
#include <string>

namespace thurn::app {

/// Who sends what to whom. Views of what outlives the explanation.
struct ExplainedMessage {
    const mailauth::MessageOrigin& origin;
    const std::string& login;  // empty: nobody
    std::optional<mail::Mailbox> sender;
    std::optional<mail::Mailbox> recipient;
    const ToolMessage* message;          // null: it does not come to that
    const mailauth::Findings* findings;  // null: it is not checked
    const std::string& client_name;      // verified
    const policy::Countries* countries;  // null: nobody knows any
};

/// Takes a message through all that a conversation goes by, as inbound::Conversation does, up to what refuses it: bans, logins, the rules about
/// sender and recipient, those of the configuration, rates, the watch over accounts, mail authentication.
///
/// Counted    Nothing: what was counted is read from what the server saved last.
/// Not asked  Content filters (milters) and policy servers: that is told.
/// Errors     Those of the directory and of the resolver. What was saved and cannot be read is told in the story.
class ConversationExplanation {
public:
    struct Means {
        const config::Config& config;
        RuleExplanation::OpenDirectory directory;  // opened for the first that asks it
        SavedState& saved;
        ToolResolver& resolver;
    };
    ConversationExplanation(ExplainedMessage about, Means with);

    [[nodiscard]] base::Result<void> run();
    [[nodiscard]] const Story& story() const { return story_; }

private:
    /// False: it ends here.
    using Passed = base::Result<bool>;
    [[nodiscard]] Passed connect();
    [[nodiscard]] Passed helo() { return rules_.ask(policy::Stage::helo, situation()); }
    [[nodiscard]] Passed log_in();
    [[nodiscard]] Passed take_sender();
    [[nodiscard]] Passed take_recipient();
    [[nodiscard]] Passed begin_content();
    [[nodiscard]] Passed take_content();

    [[nodiscard]] base::Result<policy::Decision> decide_sender();
    [[nodiscard]] base::Result<std::optional<policy::Decision>> find_wrong_author();
    [[nodiscard]] Passed check_authors();
    void watch_account();
    [[nodiscard]] bool count(policy::Counted what, double amount, const policy::Situation& now);
    template <class State>
    [[nodiscard]] State* saved(policy::Stage stage, std::string_view what, base::Result<State*> state);
    [[nodiscard]] base::Result<policy::FactValue> ask_greylist(const policy::Situation& now);
    [[nodiscard]] base::Result<policy::FactValue> look_inside(const policy::Fact& fact);
    void tell_who_is_not_asked();

    [[nodiscard]] bool is_relayed(const mail::Mailbox& mailbox) const;
    [[nodiscard]] policy::Role role() const { return about_.login.empty() ? policy::Role::mx : policy::Role::submission; }
    [[nodiscard]] policy::Facts facts() const { return {.role = role(), .client_address = address_, .login = about_.login}; }
    [[nodiscard]] policy::LoginAttempt attempt() const { return {.address = address_, .network = network_, .login = about_.login}; }
    [[nodiscard]] policy::Situation situation() const;
    [[nodiscard]] std::string received() const;

    const ExplainedMessage about_;
    const Means with_;
    const std::string address_;
    const std::string network_;
    bool accepted_recipient_ = false;
    bool has_content_ = false;  // it came to that
    Story story_;
    RuleExplanation rules_;
    std::unique_ptr<ContentExplanation> content_;
};

}  // namespace thurn::app
