#include "directory/resolve.h"

#include <algorithm>
#include <array>
#include <utility>

namespace thurn::directory {
namespace {

using base::pass_on;
using base::Result;
using mail::Mailbox;

constexpr std::string_view kPostmaster = "postmaster";

/// What an address means without role addresses and catch-alls; nothing: nobody has it.
using Found = std::optional<Resolution>;

class Step {
public:
    Step(Entries& entries, const ResolveOptions& options) : entries_(entries), options_(options) {}

    Result<std::optional<Entries::DomainEntry>> find_domain(const mail::Domain& domain) {
        const auto configured = options_.domains.find(domain);
        if (configured != options_.domains.end() && configured->second) return Entries::DomainEntry{configured->second};
        auto stored = entries_.find_domain(domain);
        if (!stored || *stored) return stored;
        if (configured != options_.domains.end() || is_own_name(domain)) return Entries::DomainEntry{};
        return std::nullopt;
    }

    Result<Resolution> run(const Mailbox& mailbox) {
        if (mailbox.domain.empty()) return role_address(Mailbox{std::string(kPostmaster), {}});  // only <postmaster> has no domain
        auto domain = find_domain(mailbox.domain);
        if (!domain) return pass_on(domain);
        if (!*domain) return NotLocal{};
        auto found = find_named(mailbox);
        if (!found) return pass_on(found);
        if (*found) return std::move(**found);
        const Mailbox folded = fold_mailbox(mailbox);
        if (is_role(folded)) return role_address(folded);
        return catch_all(**domain, folded);
    }

    /// Alias or account, with its tag or without.
    Result<Found> find_named(const Mailbox& mailbox) {
        auto found = find_exact(fold_mailbox(mailbox), "");
        if (!found || *found) return found;
        const auto untagged = split_tag(mailbox, options_.tag_separator);
        if (!untagged) return Found{};
        return find_exact(fold_mailbox(untagged->mailbox), untagged->tag);
    }

private:
    bool is_own_name(const mail::Domain& domain) const {
        return domain == options_.hostname || std::ranges::find(options_.literals, domain) != options_.literals.end();
    }

    bool is_role(const Mailbox& folded) const {
        const std::string_view name = std::string_view(folded.local).substr(0, folded.local.find(options_.tag_separator));
        if (name == kPostmaster || name == "abuse") return true;
        return folded.domain == options_.hostname && (name == "root" || name == "mailer-daemon");
    }

    Result<Found> find_exact(const Mailbox& folded, const std::string& tag) {
        auto targets = entries_.find_targets(folded);
        if (!targets) return pass_on(targets);
        if (!targets->empty()) return Found{AliasFor{mail::render_mailbox(folded), *std::move(targets)}};
        auto account = entries_.has_account(folded);
        if (!account) return pass_on(account);
        if (!*account) return Found{};
        return Found{MailboxOf{folded, tag}};
    }

    Result<Resolution> catch_all(const Entries::DomainEntry& domain, const Mailbox& folded) {
        // A catch-all that is itself nobody's must not lead to itself for ever.
        if (!domain.catch_all || fold_mailbox(*domain.catch_all) == folded) return UnknownUser{};
        return AliasFor{"@" + folded.domain.text(), {*domain.catch_all}};
    }

    Result<Resolution> role_address(const Mailbox& folded) {
        auto reader = find_reader(folded);
        if (!reader) return pass_on(reader);
        if (*reader) return AliasFor{mail::render_mailbox(folded), {std::move(**reader)}};
        return MailboxOf{Mailbox{std::string(kPostmaster), options_.hostname}, ""};
    }

    Result<std::optional<Mailbox>> find_reader(const Mailbox& asked) {
        const Mailbox& configured = options_.postmaster;
        if (!configured.local.empty() && !configured.domain.empty() && fold_mailbox(configured) != asked) {
            auto leads = leads_somewhere(configured);
            if (!leads) return pass_on(leads);
            if (*leads) return configured;
        }
        if (!asked.domain.empty()) {
            auto of_domain = entries_.find_first_account(asked.domain);
            if (!of_domain || *of_domain) return of_domain;
        }
        return entries_.find_first_account(mail::Domain{});
    }

    /// Without falling back to roles, which would lead in a circle; a catch-all counts only when it is an account.
    Result<bool> leads_somewhere(const Mailbox& mailbox) {
        auto domain = find_domain(mailbox.domain);
        if (!domain) return pass_on(domain);
        if (!*domain) return true;
        auto found = find_named(mailbox);
        if (!found) return pass_on(found);
        if (*found) return true;
        if (is_role(fold_mailbox(mailbox)) || !(*domain)->catch_all) return false;
        return entries_.has_account(fold_mailbox(*(*domain)->catch_all));
    }

    Entries& entries_;
    const ResolveOptions& options_;
};

}  // namespace

std::string fold_local(std::string_view local) {
    std::string folded(local);
    for (char& octet : folded)
        if (octet >= 'A' && octet <= 'Z') octet = static_cast<char>(octet - 'A' + 'a');
    return folded;
}

std::string fold_address(std::string_view address) {
    const auto mailbox = mail::parse_mailbox(address, mail::Charset::utf8);
    return mailbox ? mail::render_mailbox(fold_mailbox(*mailbox)) : fold_local(address);
}

Mailbox fold_mailbox(const Mailbox& mailbox) { return Mailbox{fold_local(mailbox.local), mailbox.domain}; }

std::optional<Untagged> split_tag(const Mailbox& mailbox, char separator) {
    const auto at = separator == '\0' ? std::string::npos : mailbox.local.find(separator);
    if (at == std::string::npos || at == 0) return std::nullopt;
    return Untagged{Mailbox{mailbox.local.substr(0, at), mailbox.domain}, mailbox.local.substr(at + 1)};
}

Result<bool> is_local(Entries& entries, const ResolveOptions& options, const mail::Domain& domain) {
    if (domain.empty()) return true;  // <postmaster>
    auto found = Step(entries, options).find_domain(domain);
    if (!found) return pass_on(found);
    return found->has_value();
}

Result<Resolution> resolve(Entries& entries, const ResolveOptions& options, const Mailbox& mailbox) {
    return Step(entries, options).run(mailbox);
}

Result<bool> owns_address(Entries& entries, const ResolveOptions& options, const Mailbox& account, const Mailbox& sender) {
    if (sender.domain.empty()) return false;
    auto domain = Step(entries, options).find_domain(sender.domain);
    if (!domain) return pass_on(domain);
    if (!*domain) return false;
    if (fold_mailbox(sender) == account) return true;  // even where an alias of that name takes its mail elsewhere
    auto found = Step(entries, options).find_named(sender);
    if (!found) return pass_on(found);
    if (!*found) return false;
    if (const auto* mailbox = std::get_if<MailboxOf>(&**found)) return mailbox->account == account;
    const auto* alias = std::get_if<AliasFor>(&**found);
    return alias != nullptr && std::ranges::any_of(alias->targets, [&](const Mailbox& target) { return fold_mailbox(target) == account; });
}

}  // namespace thurn::directory
