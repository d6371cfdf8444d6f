#pragma once

#include "base/result.h"
#include "mail/mailbox.h"
#include "sasl/cram_md5_secret.h"
#include "sasl/scram_secret.h"

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace thurn::directory {

/// A person or program that logs in and has a mailbox.
/// Shape    `address` is local@domain with the local part in lower case: local parts of our own domains are matched without case.
struct Account {
    std::string address;
    std::string password_hash;  // crypt(5): yescrypt by default
    bool enabled = true;
    std::optional<std::string> suspended{};  // why; it gets mail, but sends none
};

struct Alias {
    std::string address;
    std::vector<std::string> targets;
};

/// What an address means here.
struct NotLocal {};     // its domain is not ours
struct UnknownUser {};  // the domain is ours, the address is nobody's
struct MailboxOf {
    mail::Mailbox account;
    std::string detail;
};  // `detail`: the tag of user+tag
struct AliasFor {
    std::string name;
    std::vector<mail::Mailbox> targets;
};
using Resolution = std::variant<NotLocal, UnknownUser, MailboxOf, AliasFor>;

/// Domains, accounts and aliases; what RCPT, AUTH and delivery ask.
///
/// Order    An address resolves as alias, account, the same without its `+tag`, `postmaster`/`abuse` fallback, catch-all, unknown.
///          The fallback: `postmaster@` any of our domains and `<postmaster>` always mean something (RFC 5321 §4.5.1).
/// Errors   `disk` or `refused` when the store cannot answer: callers say 4yz, never 5yz.
/// Threads  Any; calls may read the disk.
class Directory {
public:
    virtual ~Directory() = default;
    [[nodiscard]] virtual base::Result<bool> is_local_domain(const mail::Domain& domain) = 0;
    [[nodiscard]] virtual base::Result<Resolution> resolve(const mail::Mailbox& mailbox) = 0;
    /// What resolve() would say, if that is known without touching the disk: never blocks, may be called on an event loop.
    [[nodiscard]] virtual std::optional<base::Result<Resolution>> peek(const mail::Mailbox&) { return std::nullopt; }
    [[nodiscard]] virtual base::Result<std::optional<Account>> find_account(std::string_view login) = 0;
    /// Whether all accounts have SCRAM secrets. Where it is not so, SCRAM is better not offered: clients take it when they see it, and one
    /// whose account has none cannot log in. Never blocks; false when in doubt.
    [[nodiscard]] virtual bool offers_scram() { return false; }
    /// What SCRAM needs to check that login. One that has no secret, or is disabled or unknown, gets a decoy, always the same.
    [[nodiscard]] virtual base::Result<sasl::ScramSecret> find_scram_secret(std::string_view login, sasl::Hash hash) {
        return sasl::make_decoy_secret(login, "", hash);
    }
    /// The same for CRAM-MD5.
    [[nodiscard]] virtual base::Result<sasl::CramMd5Secret> find_cram_md5_secret(std::string_view login) {
        return sasl::make_decoy_cram_md5_secret(login, "");
    }
    /// From now on the account sends nothing, until somebody releases it. False: it was so before, and its reason stays.
    /// Errors   `not_found`.
    [[nodiscard]] virtual base::Result<bool> suspend(std::string_view login, std::string_view) {
        return base::fail(base::ErrorKind::not_found, "there is no account " + std::string(login));
    }
    /// Whether that login owns the address: its own (with any tag), or an alias that leads to it directly. One that is
    /// disabled or suspended owns nothing.
    [[nodiscard]] virtual base::Result<bool> owns(std::string_view login, const mail::Mailbox& sender) = 0;
};

/// Whether a login with this password is let in. Slow on purpose: blocking pool only. Takes the same time when the account does not exist.
class PasswordChecker {
public:
    virtual ~PasswordChecker() = default;
    [[nodiscard]] virtual base::Result<bool> check(std::string_view login, std::string_view password) = 0;
};

/// Whom a bearer token speaks for (RFC 6750), as its issuer says. Slow: blocking pool only.
/// Errors   Any: the issuer cannot be asked now; nobody is let in, and nobody is told that the token is bad.
class TokenChecker {
public:
    virtual ~TokenChecker() = default;
    /// The login; nullopt: not a token to believe.
    [[nodiscard]] virtual base::Result<std::optional<std::string>> check(std::string_view token) = 0;
};

/// Changes to the directory; behind `thurn domain|account|alias`.
/// Errors   `exists`, `not_found`, `invalid` with what is wrong; `disk`.
class DirectoryAdmin {
public:
    virtual ~DirectoryAdmin() = default;
    virtual base::Result<void> add_domain(std::string_view name) = 0;
    virtual base::Result<void> remove_domain(std::string_view name) = 0;  // refused while accounts or aliases are in it
    virtual base::Result<void> set_catch_all(std::string_view domain, std::string_view address) = 0;     // empty: none
    [[nodiscard]] virtual base::Result<std::vector<std::pair<std::string, std::string>>> domains() = 0;  // name, catch-all
    virtual base::Result<void> add_account(std::string_view address, std::string_view password) = 0;
    virtual base::Result<void> set_password(std::string_view address, std::string_view password) = 0;
    virtual base::Result<void> set_enabled(std::string_view address, bool enabled) = 0;
    virtual base::Result<void> remove_account(std::string_view address) = 0;
    /// The end of Directory::suspend(). False: it was not suspended.
    [[nodiscard]] virtual base::Result<bool> release(std::string_view address) = 0;
    [[nodiscard]] virtual base::Result<std::vector<Account>> accounts() = 0;
    virtual base::Result<void> add_alias(std::string_view address,
                                         const std::vector<std::string>& targets) = 0;  // adds targets to an existing one
    virtual base::Result<void> remove_alias(std::string_view address) = 0;
    [[nodiscard]] virtual base::Result<std::vector<Alias>> aliases() = 0;
};

}  // namespace thurn::directory
