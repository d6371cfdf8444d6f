#pragma once

#include "base/clock.h"
#include "mail/mailbox.h"
#include "mailauth/findings.h"
#include "policy/country.h"
#include "policy/fact.h"
#include "policy/lookup.h"

#include <functional>
#include <string>
#include <string_view>

namespace thurn::policy {

/// All of a conversation that rules may ask for without asking anybody else: a view of it, good while the conversation stands still. It is
/// made at every stage and copies nothing, since most rules ask for little.
struct Situation {
    std::string_view listener{};
    std::uint16_t listener_port = 0;  // 0: it has none, or nobody knows
    std::string_view hostname{};      // ours
    std::string_view client_address{};
    std::string_view client_network{};
    std::string_view client_tls{};
    std::string_view login{};
    bool login_failed = false;  // it is what was tried
    bool stranger = true;
    std::string_view helo{};
    const mail::Mailbox* sender = nullptr;     // null: the null reverse path, or none yet
    const mail::Mailbox* recipient = nullptr;  // that RCPT is about
    std::string_view recipient_kind{};
    std::size_t recipient_count = 0;      // accepted so far
    std::function<Texts()> recipients{};  // who they are
    std::uint64_t size = 0;
    std::string_view header{};                      // of the message
    const mailauth::Findings* findings = nullptr;   // null: it was not checked
    const Countries* countries = nullptr;           // null: nobody knows any
    std::function<base::LocalTime()> local_time{};  // when it is; empty: nobody knows

    [[nodiscard]] Subject subject() const;
};

/// Precondition: the kind is not one that is looked up.
[[nodiscard]] FactValue fact_of(const Fact& fact, const Situation& situation);

/// Whether greylisting knows the fact, see wait_of().
[[nodiscard]] bool asks_greylist(const Fact& fact);

/// Whether the directory or the recipient's next hop knows the fact.
[[nodiscard]] bool asks_next_hop(const Fact& fact);

/// The domain that a fact about ourselves asks for: of the sender for `sender.ours`; empty: it is none such, or there is no domain.
[[nodiscard]] bool asks_directory(const Fact& fact);
[[nodiscard]] std::string domain_asked(const Fact& fact, const Situation& situation);

}  // namespace thurn::policy
