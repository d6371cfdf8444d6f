#include "route/router.h"

#include "base/glob.h"
#include "directory/resolve.h"
#include "route/address.h"

#include <optional>
#include <utility>

namespace thurn::route {
namespace {

using base::pass_on;
using base::Result;
using mail::Mailbox;

bool fits(const std::string& pattern, std::string_view text) { return pattern.empty() || base::matches_glob(pattern, text); }

bool matches(const RouteRule& rule, const mail::ReversePath& sender, const Mailbox& recipient) {
    const std::string from = sender.is_null() ? "<>" : mail::render_mailbox(*sender.mailbox);
    return fits(rule.recipient_domain, recipient.domain.text()) && fits(rule.recipient, mail::render_mailbox(recipient)) &&
           fits(rule.sender_domain, sender.is_null() ? "" : sender.mailbox->domain.text()) && fits(rule.sender, from);
}

/// Whether the rule carries mail away without having said from whom: a smarthost.
bool is_smarthost(const RouteRule& rule) {
    const auto says_nothing = [](const std::string& pattern) { return pattern.find_first_not_of('*') == std::string::npos; };
    const bool carries_away = std::holds_alternative<ToHost>(rule.hop) || std::holds_alternative<ByMx>(rule.hop);
    return carries_away && says_nothing(rule.recipient_domain) && says_nothing(rule.recipient);
}

/// `IPv6:2001:db8::1` and `192.0.2.1` out of a literal's brackets.
std::optional<Address> address_of(const mail::Domain& literal) {
    std::string_view text = literal.text();
    if (!literal.is_literal() || !text.ends_with(']')) return std::nullopt;
    text = text.substr(1, text.size() - 2);
    if (text.starts_with("IPv6:")) text.remove_prefix(5);
    return parse_address(text);
}

Routed to_literal(const mail::Domain& literal) {
    const auto address = address_of(literal);
    if (!address) return {Unroutable{true, "550 5.1.2 " + literal.text() + " is no address mail can be sent to"}, "address literal"};
    // That we take no mail for it was decided by the directory; to send it to ourselves would go round in circles.
    if (is_this_machine(*address))
        return {Unroutable{true, "554 5.4.6 mail for " + literal.text() + " loops back to myself"}, "address literal"};
    return {ToHost{.host = render_address(unmapped(*address)), .credentials_reference = {}}, "address literal"};
}

/// Whom the server that keeps mailboxes is told: it may want the tag, which is in the recipient unless a catch-all led here.
Mailbox account_with_tag(const Mailbox& recipient, directory::MailboxOf& mailbox) {
    const bool carries_tag = !mailbox.detail.empty() && recipient.local.size() == mailbox.account.local.size() + 1 + mailbox.detail.size();
    return carries_tag ? recipient : std::move(mailbox.account);
}

struct Meaning {
    const Mailbox& recipient;
    const std::optional<ToHost>& mailboxes;

    Routed operator()(directory::NotLocal) const {
        if (recipient.domain.is_literal()) return to_literal(recipient.domain);
        return {ByMx{recipient.domain.text()}, "MX"};
    }
    Routed operator()(directory::UnknownUser) const { return {Unroutable{true, "550 5.1.1 no such mailbox here"}, "local domain"}; }
    Routed operator()(directory::MailboxOf& mailbox) const {
        if (mailboxes) {
            ToHost hop = *mailboxes;
            hop.account = account_with_tag(recipient, mailbox);
            return {std::move(hop), "local mailbox"};
        }
        return {LocalMailbox{std::move(mailbox.account), std::move(mailbox.detail)}, "local mailbox"};
    }
    Routed operator()(directory::AliasFor& alias) const {
        std::string reason = "alias " + alias.name;
        return {Expansion{std::move(alias.name), std::move(alias.targets)}, std::move(reason)};
    }
};

/// The mailbox a `maildir:` without an address means.
LocalMailbox own_mailbox(const Mailbox& recipient, const directory::Resolution& resolution) {
    if (const auto* known = std::get_if<directory::MailboxOf>(&resolution)) return {known->account, known->detail};
    return {directory::fold_mailbox(recipient), ""};
}

}  // namespace

Router::Router(std::vector<RouteRule> rules, directory::Directory& directory, std::optional<ToHost> mailboxes)
    : rules_(std::move(rules)), directory_(directory), mailboxes_(std::move(mailboxes)) {}

Result<Routed> Router::route(const mail::ReversePath& sender, const Mailbox& recipient) const {
    auto resolution = directory_.resolve(recipient);
    if (!resolution) return pass_on(resolution);
    const bool local = !std::holds_alternative<directory::NotLocal>(*resolution);
    for (std::size_t at = 0; at < rules_.size(); ++at) {
        const RouteRule& rule = rules_[at];
        if ((local && is_smarthost(rule)) || !matches(rule, sender, recipient)) continue;
        Routed routed{rule.hop, "[[route]] " + std::to_string(at + 1) + " (" + rule.origin + ")"};
        if (auto* mailbox = std::get_if<LocalMailbox>(&routed.hop); mailbox != nullptr && mailbox->account.local.empty())
            *mailbox = own_mailbox(recipient, *resolution);
        if (auto* mx = std::get_if<ByMx>(&routed.hop); mx != nullptr && mx->domain.empty()) mx->domain = recipient.domain.text();
        return routed;
    }
    return std::visit(Meaning{recipient, mailboxes_}, *resolution);
}

}  // namespace thurn::route
