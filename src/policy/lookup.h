#pragma once

#include "dns/ip_address.h"
#include "mailauth/spf.h"
#include "policy/dnsbl.h"
#include "policy/fact.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace thurn::policy {

/// What is known of a conversation before anybody is asked.
struct Subject {
    std::string client_address{};
    std::string helo{};
    std::string sender_domain{};
    std::string author_domain{};
    std::string reverse_path{};
    std::optional<mailauth::SpfResult> spf{};  // if it was looked up already
};

/// Finds out one fact by DNS: a core that says what to ask, takes answers, and in the end gives the fact.
/// Shape    As all cores do: until questions() is empty, answer each, in any order. Then take(). questions() is empty as soon as the fact is
///          certain, though not all were answered. To those that nobody answers in time say `failed`: what was heard before still counts.
class Lookup {
public:
    virtual ~Lookup() = default;
    [[nodiscard]] virtual std::vector<dns::Question> questions() const = 0;
    virtual void answer(const dns::Question& question, const dns::Answer& answer) = 0;
    [[nodiscard]] virtual FactValue take() = 0;
};

/// The first stage at which what the fact is about is there: of a list, what it is asked about.
[[nodiscard]] Stage known_since(const Fact& fact, const DnsblSet& lists);

/// Precondition: the fact's kind is one that is looked up.
/// Lists    Where a list is out of order (Dnsbl::usable), or there is no list of the name, the fact is unavailable.
[[nodiscard]] std::unique_ptr<Lookup> begin_lookup(const Fact& fact, const Subject& subject, const DnsblSet& lists);

}  // namespace thurn::policy
