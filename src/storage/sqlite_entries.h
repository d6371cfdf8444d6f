#pragma once

#include "directory/directory.h"
#include "directory/resolve.h"
#include "storage/sqlite.h"

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace thurn::storage {

/// What is kept of a password. The secrets are in text; empty in accounts that are older than they, and where CRAM-MD5 is not wanted.
struct StoredPassword {
    std::string hash;
    std::string scram_sha_1;
    std::string scram_sha_256;
    std::string cram_md5;
};

/// The tables of the directory database, and the statements on them; no rules.
///
/// Shape    Schema version 4 (`user_version`): domain(name, catch_all), account(id, local, domain, password_hash, enabled, created,
///          scram_sha_1, scram_sha_256, cram_md5, suspended), alias(id, local, domain), alias_target(alias, position, target), setting(name, value). Local parts
///          are folded; targets are rendered mailboxes. Accounts and aliases do not refer to `domain`: their domain may be one of the
///          configuration. `suspended` is NULL, or why the account sends nothing. Version 1 had no SCRAM secrets and no settings, version 2
///          nothing for CRAM-MD5, version 3 no `suspended`; open() brings them to version 4.
/// Errors   As of Database; `corrupt` also when a stored address is none.
/// Threads  One at a time.
class SqliteEntries final : public directory::Entries {
public:
    [[nodiscard]] static base::Result<SqliteEntries> open(const Database::Options& options);

    base::Result<std::optional<DomainEntry>> find_domain(const mail::Domain& domain) override;
    base::Result<std::vector<mail::Mailbox>> find_targets(const mail::Mailbox& address) override;
    base::Result<bool> has_account(const mail::Mailbox& address) override;
    base::Result<std::optional<mail::Mailbox>> find_first_account(const mail::Domain& domain) override;
    [[nodiscard]] base::Result<std::optional<directory::Account>> find_account(const mail::Mailbox& address);
    /// In text; empty when there is none, or no such enabled account.
    [[nodiscard]] base::Result<std::string> find_scram_secret(const mail::Mailbox& address, sasl::Hash hash);
    [[nodiscard]] base::Result<std::string> find_cram_md5_secret(const mail::Mailbox& address);
    [[nodiscard]] base::Result<bool> has_account_without_scram();
    [[nodiscard]] base::Result<std::string> setting(std::string_view name);  // empty when not set
    /// Changes when another connection, of this process or another, has changed anything. Costs a microsecond or two.
    [[nodiscard]] base::Result<std::int64_t> version();

    [[nodiscard]] base::Result<std::vector<std::pair<std::string, std::string>>> domains();
    [[nodiscard]] base::Result<std::vector<directory::Account>> accounts();
    [[nodiscard]] base::Result<std::vector<directory::Alias>> aliases();
    /// Accounts and aliases in it.
    [[nodiscard]] base::Result<std::int64_t> count_addresses(const mail::Domain& domain);

    /// Does `work`, which returns a Result, on one state of the database; and locks it once, not for each statement.
    template <class Work>
    [[nodiscard]] auto in_one_snapshot(Work&& work) -> decltype(work()) {
        if (auto begun = begin_snapshot_.start().finish(); !begun) return base::pass_on(begun);
        auto result = work();
        // Nothing was changed, so there is nothing to lose: where it cannot end now, the next begin fails and says so.
        static_cast<void>(end_snapshot_.start().finish());
        return result;
    }

    [[nodiscard]] base::Result<Transaction> begin() { return Transaction::begin(database_); }
    // Changes. Those that find nothing to change return false.
    [[nodiscard]] base::Result<void> insert_domain(const mail::Domain& domain);
    [[nodiscard]] base::Result<bool> delete_domain(const mail::Domain& domain);
    [[nodiscard]] base::Result<bool> update_catch_all(const mail::Domain& domain, std::string_view target);
    [[nodiscard]] base::Result<void> insert_account(const mail::Mailbox& address, const StoredPassword& password);
    [[nodiscard]] base::Result<bool> update_password(const mail::Mailbox& address, const StoredPassword& password);
    [[nodiscard]] base::Result<bool> update_enabled(const mail::Mailbox& address, bool enabled);
    [[nodiscard]] base::Result<bool> insert_suspension(const mail::Mailbox& address, std::string_view reason);
    [[nodiscard]] base::Result<bool> delete_suspension(const mail::Mailbox& address);
    [[nodiscard]] base::Result<bool> delete_account(const mail::Mailbox& address);
    /// Adds what is not there yet, of the alias and of its targets.
    [[nodiscard]] base::Result<void> insert_targets(const mail::Mailbox& alias, const std::vector<mail::Mailbox>& targets);
    [[nodiscard]] base::Result<bool> delete_alias(const mail::Mailbox& address);

private:
    explicit SqliteEntries(Database database) : database_(std::move(database)) {}
    [[nodiscard]] base::Result<std::int64_t> schema_version();
    [[nodiscard]] base::Result<void> lay_out();
    [[nodiscard]] base::Result<void> prepare();
    [[nodiscard]] static base::Result<std::string> find_secret(Statement& statement, const mail::Mailbox& address);
    template <class... Values>
    [[nodiscard]] base::Result<bool> change(std::string_view sql, const Values&... values);

    Database database_;
    // The statements RCPT and AUTH need; the rare ones are prepared as they are used.
    Statement find_domain_, find_targets_, has_account_, find_account_, find_scram_sha_1_, find_scram_sha_256_, find_cram_md5_,
        has_account_without_scram_, version_, begin_snapshot_, end_snapshot_;
};

}  // namespace thurn::storage
