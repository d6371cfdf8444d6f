#pragma once

#include "base/result.h"
#include "directory/directory.h"
#include "policy/authentication_rule.h"
#include "policy/past_message.h"
#include "policy/rulebook.h"
#include "policy/sender_rule.h"

#include <functional>
#include <set>
#include <string>
#include <vector>

namespace thurn::policy {

/// As far as a configuration has a say in what is replayed. Views of it.
struct ReplayedConfiguration {
    const Rulebook& rulebook;
    std::string_view hostname;
    const std::vector<Network>& relay_networks;
    const std::vector<std::string>& relay_domains;
    SenderScope senders;
    const AuthenticationRules& authentication;
    std::vector<std::string> not_relaying = {};             // listeners that do not relay for relay_networks
    const Countries* countries = nullptr;                   // null: there is no geoip.file
    std::function<base::LocalTime(base::Time)> local = {};  // the server's time zone
};

/// What becomes of a message for one recipient.
struct Fate {
    Action action = Action::accept;  // accept, as far as it got; or why it did not, or where it went
    std::string rule{};              // whose doing it is; empty: nobody's
    Stage stage = Stage::connect;
    friend bool operator==(const Fate&, const Fate&) = default;
};

/// One message under both configurations.
struct Comparison {
    struct Recipient {
        std::string address;  // empty: it was refused before there was one
        Fate then, now;
        [[nodiscard]] bool differs() const { return then.action != now.action || then.rule != now.rule; }
    };
    std::vector<Recipient> recipients;
    /// Rules of the new configuration that could not be judged, as if they did not apply: `rule listed (thurn.toml:12) asks for dnsbl.zen`.
    std::set<std::string> unjudged;
};

/// Takes messages of the past through another configuration, by the facts that the trace has kept of them.
///
/// Replayed   The rules; who may relay and send as whom, with domains, accounts and aliases as they are now; what becomes of mail that fails
///            authentication, if that has changed.
/// Stands     What others said then: rates, content filters, scanners, policy servers and scripts, whose answers are not asked for again; unless
///            the message does not get there any more.
/// Not kept   Facts that the past did not ask for, header fields, texts and names of files. A rule that hangs on one says what it said then, if
///            it stands unchanged in both configurations and was reached; else it is told in `unjudged`.
/// Threads    One at a time; blocks on the directory.
class Replay {
public:
    /// `then` is what the past went by. All of it outlives the replay.
    Replay(ReplayedConfiguration then, ReplayedConfiguration now, directory::Directory& directory)
        : then_(then), now_(now), directory_(directory) {}

    /// Errors  Those of the directory.
    [[nodiscard]] base::Result<Comparison> compare(const PastMessage& past);

private:
    ReplayedConfiguration then_;
    ReplayedConfiguration now_;
    directory::Directory& directory_;
};

}  // namespace thurn::policy
