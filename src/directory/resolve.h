#pragma once

#include "base/result.h"
#include "directory/directory.h"
#include "mail/mailbox.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::directory {

/// What a store must be able to look up for resolve(): exact matches only, no rules.
///
/// Shape    Addresses given and returned have their local part folded by fold_local().
/// Errors   The store's trouble; resolve() hands it on, so that nobody is called unknown because a disk failed.
class Entries {
public:
    struct DomainEntry {
        std::optional<mail::Mailbox> catch_all;
    };

    virtual ~Entries() = default;
    [[nodiscard]] virtual base::Result<std::optional<DomainEntry>> find_domain(const mail::Domain& domain) = 0;
    /// Empty: there is no such alias.
    [[nodiscard]] virtual base::Result<std::vector<mail::Mailbox>> find_targets(const mail::Mailbox& address) = 0;
    [[nodiscard]] virtual base::Result<bool> has_account(const mail::Mailbox& address) = 0;
    /// The enabled account that was made first; with an empty domain, of all domains.
    [[nodiscard]] virtual base::Result<std::optional<mail::Mailbox>> find_first_account(const mail::Domain& domain) = 0;
};

/// What the configuration adds to a store.
struct ResolveOptions {
    mail::Domain hostname;                                         // ours too; needed: it names the mailbox of last resort
    mail::Mailbox postmaster;                                      // who reads postmaster's mail; may be empty, ours, or elsewhere
    char tag_separator = '+';                                      // '\0': addresses have no tags
    std::vector<mail::Domain> literals;                            // our own addresses as literals, `[192.0.2.1]`
    std::map<mail::Domain, std::optional<mail::Mailbox>> domains;  // ours by configuration, with their catch-alls
};

/// ASCII letters in lower case; all else stays. Local parts of our own domains are compared in this form.
[[nodiscard]] std::string fold_local(std::string_view local);
[[nodiscard]] mail::Mailbox fold_mailbox(const mail::Mailbox& mailbox);
/// The one form of an address of ours, and so of a login, however it is quoted and in any case: `"\Anna"@EXAMPLE.com` is
/// `anna@example.com`, as the directory has it. What is no address, in lower case: nobody's, but counted all the same.
[[nodiscard]] std::string fold_address(std::string_view address);
/// `user` of `user+tag`; nothing without a tag or without a user before it. The tag keeps its case.
struct Untagged {
    mail::Mailbox mailbox;
    std::string tag;
};
[[nodiscard]] std::optional<Untagged> split_tag(const mail::Mailbox& mailbox, char separator);

/// Whether mail for this domain ends here: in the store, in the configuration, our hostname, or one of our literals.
[[nodiscard]] base::Result<bool> is_local(Entries& entries, const ResolveOptions& options, const mail::Domain& domain);

/// One step from an address to what it means; the order all directories share.
///
/// Order     alias, account, then both again without the tag, then role addresses, catch-all, unknown. Local parts without case.
/// Roles     `<postmaster>` and postmaster and abuse at all our domains always mean something (RFC 5321 §4.5.1, RFC 2142 §4); at our own
///           hostname root and mailer-daemon do too. In order: the configured postmaster if it is elsewhere or leads somewhere; else the
///           first account of that domain; else the first account there is. Without any account a role's mail is kept in the
///           mailbox postmaster@hostname, for which no account exists: its Maildir is made as it is needed, and an account of that name,
///           added later, finds the mail in it.
/// Loops     One step a call: targets are resolved by the caller, who bounds the chain. Never yields the address itself as its only target.
/// Disabled  accounts keep getting mail: only their login is shut.
[[nodiscard]] base::Result<Resolution> resolve(Entries& entries, const ResolveOptions& options, const mail::Mailbox& mailbox);

/// Whether `account` owns `sender`: its own address, with any tag, or an alias (with any tag) that names it as a target.
/// Precondition: `account` exists and is folded.
[[nodiscard]] base::Result<bool> owns_address(Entries& entries, const ResolveOptions& options, const mail::Mailbox& account,
                                              const mail::Mailbox& sender);

}  // namespace thurn::directory
