#pragma once

#include "mail/header.h"
#include "mail/mailbox.h"
#include "policy/recipient_rule.h"

#include <string_view>
#include <vector>

namespace thurn::policy {

/// Under which addresses a login sends.
///   own      its own, with any tag, and the aliases that lead to it
///   domain   besides, all of its own domain
///   any      all there are
enum class SenderScope { own, domain, any };

/// Whether `login` may use the address without the directory being asked whom it belongs to.
[[nodiscard]] bool is_within(SenderScope scope, std::string_view login, const mail::Mailbox& address);

/// MAIL: a login may use its own addresses only (553 5.7.1), and so far as `scope` allows. `owns` is what the directory said; not asked
/// without a login, or where the scope is enough.
[[nodiscard]] Decision decide_sender(const Facts& facts, const mail::ReversePath& sender, bool owns, SenderScope scope);

/// MAIL of a login whose account is disabled or suspended since it logged in (RFC 5248 §2.4: X.7.13).
[[nodiscard]] Decision refuse_stopped_account(const std::string& login);

/// DATA of a login that sends more than can be believed of it, where account_watch.action says `throttle`.
[[nodiscard]] Decision throttle_account(std::string reason);

/// Whom a message with that header claims to be from. Empty: there is no From.
/// Errors  `syntax`: it cannot be read as addresses with a domain, is there twice, or stands behind a line that is no field. Mail programs would
///         show one of them, or a part.
[[nodiscard]] base::Result<std::vector<mail::Mailbox>> authors_of(std::string_view header);

/// A login writes as nobody else either, whatever its reverse path says (550 5.7.1).
[[nodiscard]] Decision refuse_author(std::string_view login, const mail::Mailbox& author);
[[nodiscard]] Decision refuse_authors(const base::Error& why);

}  // namespace thurn::policy
