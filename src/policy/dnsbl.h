#pragma once

#include "base/guarded.h"
#include "base/result.h"
#include "dns/ip_address.h"
#include "policy/recipient_rule.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::policy {

/// What a list is asked about.
enum class DnsblSubject : std::uint8_t { client, helo, client_name, sender_domain, author_domain };

/// One reply of a list and what it is worth: `127.0.0.2 = 4`, `127.0.0.0/28 = 2`.
struct DnsblReply {
    Network network;
    double weight = 0;
};

/// A DNS list of addresses or domains (RFC 5782), as the configuration has it. A negative weight makes it a list of the good.
struct DnsblText {
    std::string name;  // in facts: `dnsbl.NAME`
    std::string zone;
    DnsblSubject about = DnsblSubject::client;
    double weight = 1;                  // of any reply within 127.0.0.0/8 that is not among `replies`
    std::vector<DnsblReply> replies{};  // if there are any, others are worth nothing
    std::string listed{};               // what it lists for tests; the default is RFC 5782's: 127.0.0.2, or the domain TEST
};

/// A list in use, and whether it can be believed.
///
/// Trust    A list that lists everybody (127.0.0.1, INVALID) or nobody, or that refuses our resolver by an answer such as 127.255.255.254
///          (many do so for public resolvers), is out of order: nobody is judged by it until its tests pass again. So is one not tested yet.
/// Threads  Any.
class Dnsbl {
public:
    explicit Dnsbl(DnsblText text) : said_(std::move(text)) {}
    [[nodiscard]] const DnsblText& said() const { return said_; }

    /// What to look up for the subject; nothing: it is not what the list is about (an address where domains are listed, or none).
    [[nodiscard]] std::optional<dns::Question> question_for(std::string_view subject) const;
    /// What the answer says: 0 for not listed; several replies: the weightiest.
    /// Errors   `failed`: no answer could be had; `refused`: the list refused us, and is out of order from now on.
    [[nodiscard]] base::Result<double> weigh(const dns::Answer& answer) const;

    /// Why nobody is judged by it; empty: it works.
    [[nodiscard]] std::string trouble() const;
    /// What must be listed, and what must not be (RFC 5782 §5).
    [[nodiscard]] std::vector<dns::Question> test_questions() const;
    /// Answers in the order of the questions. Whether it went out of order or came back.
    bool take_test(const std::vector<dns::Answer>& answers) const;
    /// Why an answer outside of tests put it out of order, for the log: told once.
    [[nodiscard]] std::optional<std::string> take_refusal() const;

private:
    void refused(const std::string& why) const;
    [[nodiscard]] bool lists_addresses() const { return said_.about == DnsblSubject::client; }
    const DnsblText said_;
    struct Trouble {
        std::string why = "not tested yet";  // empty: none
        bool untold_refusal = false;
    };
    mutable base::Guarded<Trouble> trouble_;
};

class DnsblSet {
public:
    void add(DnsblText text) { lists_.push_back(std::make_shared<const Dnsbl>(std::move(text))); }
    [[nodiscard]] const Dnsbl* find(std::string_view name) const;
    [[nodiscard]] const std::vector<std::shared_ptr<const Dnsbl>>& all() const { return lists_; }

private:
    std::vector<std::shared_ptr<const Dnsbl>> lists_;
};

}  // namespace thurn::policy
