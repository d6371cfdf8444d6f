#include "mailauth/sender_rewriting.h"

namespace thurn::mailauth {

base::Result<Srs> SenderRewriting::of(const mail::Domain& domain) const {
    return Srs::make({.domain = domain, .keys = keys_, .lifetime = lifetime_});
}

base::Result<mail::Mailbox> SenderRewriting::rewrite(const mail::Mailbox& sender, const mail::Domain& forwarder, base::Time now) const {
    auto srs = of(forwarder);
    if (!srs) return base::pass_on(srs);
    return srs->rewrite(sender, now);
}

bool SenderRewriting::is_rewritten(const mail::Mailbox& recipient) const {
    const auto srs = of(recipient.domain);
    return srs && srs->is_ours(recipient);
}

base::Result<mail::Mailbox> SenderRewriting::restore(const mail::Mailbox& recipient, base::Time now) const {
    auto srs = of(recipient.domain);
    if (!srs) return base::pass_on(srs);
    return srs->restore(recipient, now);
}

}  // namespace thurn::mailauth
