#pragma once

#include "mail/mailbox.h"
#include "mailauth/findings.h"
#include "policy/fact.h"
#include "policy/lookup.h"

#include <optional>
#include <string>
#include <vector>

namespace thurn::policy {

/// All of a conversation that rules may ask for without asking anybody else.
struct Situation {
    std::string listener{};
    std::string hostname{};  // ours
    std::string client_address{};
    std::string client_network{};
    std::string client_tls{};
    std::string login{};
    bool stranger = true;
    std::string helo{};
    mail::ReversePath sender{};
    std::optional<mail::Mailbox> recipient{};  // that RCPT is about
    std::string recipient_kind{};
    std::vector<std::string> recipients{};  // accepted so far
    std::uint64_t size = 0;
    std::string header{};                          // of the message
    const mailauth::Findings* findings = nullptr;  // null: it was not checked

    [[nodiscard]] Subject subject() const;
};

/// Precondition: the kind is not one that is looked up.
[[nodiscard]] FactValue fact_of(const Fact& fact, const Situation& situation);

/// The domain that a fact about ourselves asks for: of the sender for `sender.ours`; empty: it is none such, or there is no domain.
[[nodiscard]] bool asks_directory(const Fact& fact);
[[nodiscard]] std::string domain_asked(const Fact& fact, const Situation& situation);

}  // namespace thurn::policy
