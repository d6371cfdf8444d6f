#pragma once

#include "mailauth/srs.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace thurn::mailauth {

/// SRS for many domains with the same secrets: each domain forwards in its own name, where it gets mail anyway.
/// Threads  Immutable.
class SenderRewriting {
public:
    /// Precondition: keys and lifetime as Srs::make() wants them.
    SenderRewriting(std::vector<std::string> keys, std::chrono::days lifetime) : keys_(std::move(keys)), lifetime_(lifetime) {}

    /// The sender of what `forwarder` sends on.
    /// Errors   As Srs::rewrite(), and `invalid` if the forwarder is known by an address alone, which nobody's SPF covers: it goes on as it is.
    [[nodiscard]] base::Result<mail::Mailbox> rewrite(const mail::Mailbox& sender, const mail::Domain& forwarder, base::Time now) const;
    /// Whether the local part looks like one of ours. Nothing at an address literal does.
    [[nodiscard]] bool is_rewritten(const mail::Mailbox& recipient) const;
    /// Errors   As Srs::restore().
    [[nodiscard]] base::Result<mail::Mailbox> restore(const mail::Mailbox& recipient, base::Time now) const;

private:
    [[nodiscard]] base::Result<Srs> of(const mail::Domain& domain) const;
    std::vector<std::string> keys_;
    std::chrono::days lifetime_;
};

}  // namespace thurn::mailauth
