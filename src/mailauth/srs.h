#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "mail/mailbox.h"

#include <chrono>
#include <string>
#include <vector>

namespace thurn::mailauth {

/// Rewrites senders of forwarded mail to addresses of ours, so that SPF holds at the next host, and finds the way back for bounces (the
/// Sender Rewriting Scheme).
///
///     anna@a.example           SRS0=hhhhhhhh=tt=a.example=anna@us.example
///     SRS0=x=y=a.example=anna@first.example     SRS1=hhhhhhhh=first.example==x=y=a.example=anna@us.example
///
/// Who forwards what was forwarded already names the first forwarder only, so addresses do not grow with each hop, and a bounce takes two.
///
/// Shape    `h`: 40 bits of an HMAC-SHA-256 over the rest, so that nobody else can make addresses that send mail on; `t`: days, modulo
///          1024. In base 32, read in any case, as some hosts change it; the hash is over the lower-case form.
/// Rotation The first key writes, all are read: put a new one in front, and drop the old one after `lifetime`.
/// Threads  Any.
class Srs {
public:
    struct Options {
        mail::Domain domain;            // ours, where bounces come back
        std::vector<std::string> keys;  // secrets, at least one, none empty
        std::chrono::days lifetime{21};
    };
    /// Errors   `invalid`: no domain, no key, an empty key, a lifetime that is not 1 to 500 days.
    [[nodiscard]] static base::Result<Srs> make(Options options);

    /// The sender to give to the next host; one of our own domain stays as it is.
    /// Errors   `too_long`: the local part would have over 64 octets (RFC 5321 §4.5.3.1.1); forwarded as it is, mail may fail SPF.
    [[nodiscard]] base::Result<mail::Mailbox> rewrite(const mail::Mailbox& sender, base::Time now) const;

    /// Whether the recipient looks like one of our rewritten addresses; if so, restore() it before it is looked up.
    [[nodiscard]] bool is_ours(const mail::Mailbox& recipient) const;
    /// Whom a bounce is for.
    /// Errors   `not_found`: it is none of ours. `invalid`: forged, damaged, or older than the lifetime; `detail` says which.
    [[nodiscard]] base::Result<mail::Mailbox> restore(const mail::Mailbox& recipient, base::Time now) const;

private:
    explicit Srs(Options options) : options_(std::move(options)) {}
    [[nodiscard]] bool is_signed(std::string_view hash, std::string_view text) const;
    [[nodiscard]] base::Result<mail::Mailbox> make_address(std::string local) const;
    [[nodiscard]] base::Result<mail::Mailbox> restore_first(std::string_view rest, base::Time now) const;
    [[nodiscard]] base::Result<mail::Mailbox> restore_second(std::string_view rest) const;

    Options options_;
};

}  // namespace thurn::mailauth
