#include "mailauth/sender_rewriting.h"

namespace thurn::mailauth {

Srs SenderRewriting::of(const mail::Domain& domain) const { return *Srs::make({.domain = domain, .keys = keys_, .lifetime = lifetime_}); }

base::Result<mail::Mailbox> SenderRewriting::rewrite(const mail::Mailbox& sender, const mail::Domain& forwarder, base::Time now) const {
    return of(forwarder).rewrite(sender, now);
}

bool SenderRewriting::is_rewritten(const mail::Mailbox& recipient) const {
    return !recipient.domain.empty() && of(recipient.domain).is_ours(recipient);
}

base::Result<mail::Mailbox> SenderRewriting::restore(const mail::Mailbox& recipient, base::Time now) const {
    return of(recipient.domain).restore(recipient, now);
}

}  // namespace thurn::mailauth
