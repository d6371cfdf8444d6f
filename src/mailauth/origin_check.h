#pragma once

#include "base/clock.h"
#include "dns/ip_address.h"
#include "mailauth/iprev.h"
#include "mailauth/lookup.h"
#include "mailauth/spf.h"

#include <optional>
#include <string>
#include <vector>

namespace thurn::mailauth {

/// Where a message says it comes from, before its content is there.
struct MessageOrigin {
    dns::IpAddress client;
    std::string helo;
    std::string reverse_path;  // without brackets; empty: the null path
    std::string receiver;      // our host name, for explanations that name it
    base::Time now{};
};

/// Shape  Of a null reverse path `mail_from` is about the HELO name, and there is no `helo` (RFC 7208 §2.4).
struct OriginFindings {
    IprevVerdict iprev;
    std::optional<SpfVerdict> helo;
    SpfVerdict mail_from;
    std::vector<Lookup> lookups;
};

/// All that can be asked about a client and its reverse path, at once: iprev, and SPF for both identities.
///
/// Loop   questions(), answer each, until done().
class OriginCheck {
public:
    explicit OriginCheck(const MessageOrigin& origin);
    [[nodiscard]] std::vector<dns::Question> questions() const;  // each once
    void answer(const dns::Question& question, const dns::Answer& answer);
    [[nodiscard]] bool done() const;
    [[nodiscard]] OriginFindings take();  // Precondition: done()

private:
    IprevCheck iprev_;
    std::optional<SpfCheck> helo_;
    SpfCheck mail_from_;
    LookupLog lookups_;
};

}  // namespace thurn::mailauth
