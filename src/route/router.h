#pragma once

#include "directory/directory.h"
#include "route/next_hop.h"

#include <optional>
#include <string>
#include <vector>

namespace thurn::route {

/// One `[[route]]`. Patterns are globs without case (`*` any run, `?` one octet); empty matches all. All given patterns must match.
///
/// Smarthost  A rule that carries mail away (ToHost, ByMx) without saying whose (recipient and recipient_domain empty or `*`) leaves the
///            recipients of our own domains alone: they stay with their mailboxes. Name the domain to send its mail away.
struct RouteRule {
    std::string sender;         // `<>` is the null path
    std::string sender_domain;  // of the null path: empty
    std::string recipient;
    std::string recipient_domain;
    NextHop hop;         // ToHost, ByMx, LocalMailbox (account filled in when used), Discarded or Unroutable
    std::string origin;  // `thurn.toml:31`
};

/// Reads `smtp://host:port`, `smtps://host` (465), `lmtp://host:port`, `lmtp+unix:/path`, `mx:domain`, `mx:` (the recipient's own domain, whatever later rules say),
/// `discard:`, `error:5.7.1 text`, `maildir:` (the recipient's own mailbox), `maildir:anna@a.example`. Hosts may be `[2001:db8::1]`.
/// Errors   `syntax` naming what is wrong; `invalid`: a scheme thurn does not carry yet, or settings that contradict each other.
[[nodiscard]] base::Result<NextHop> parse_next_hop(std::string_view text, TlsDemand tls, std::string_view credentials_reference);

/// Recipient → next hop. Rules first, in order; then mailboxes, aliases and unknown users of our own domains; then address literals and MX.
///
/// Unknown  A recipient of ours that is gone by now is Unroutable, 550 5.1.1. Literals of loopback are too (554 5.4.6), where they are not
///          ours.
/// Errors   What the directory says: the recipient is deferred, not bounced.
/// Threads  Any; asks the directory, so where that blocks, this does.
class Router {
public:
    /// `mailboxes`: the server that keeps the mailboxes of our own domains, where thurn does not.
    Router(std::vector<RouteRule> rules, directory::Directory& directory, std::optional<ToHost> mailboxes = std::nullopt);
    [[nodiscard]] base::Result<Routed> route(const mail::ReversePath& sender, const mail::Mailbox& recipient) const;

private:
    std::vector<RouteRule> rules_;
    directory::Directory& directory_;
    std::optional<ToHost> mailboxes_;
};

}  // namespace thurn::route
