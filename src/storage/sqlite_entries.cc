#include "storage/sqlite_entries.h"

namespace thurn::storage {
namespace {

using base::ErrorKind;
using base::pass_on;
using base::Result;
using mail::Mailbox;

constexpr std::int64_t kSchemaVersion = 4;

constexpr const char* kSchema = R"sql(
CREATE TABLE domain(
    name TEXT PRIMARY KEY,
    catch_all TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE TABLE account(
    id INTEGER PRIMARY KEY,
    local TEXT NOT NULL,
    domain TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    enabled INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
    created INTEGER NOT NULL DEFAULT (unixepoch()),
    UNIQUE (domain, local)
) STRICT;
CREATE TABLE alias(
    id INTEGER PRIMARY KEY,
    local TEXT NOT NULL,
    domain TEXT NOT NULL,
    UNIQUE (domain, local)
) STRICT;
CREATE TABLE alias_target(
    alias INTEGER NOT NULL REFERENCES alias(id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    target TEXT NOT NULL,
    PRIMARY KEY (alias, position),
    UNIQUE (alias, target)
) STRICT, WITHOUT ROWID;
PRAGMA user_version = 1;
)sql";

/// From version 1 to 2. Nothing can be derived from the hashes that are there: such accounts have no SCRAM until their password is set.
constexpr const char* kScramSchema = R"sql(
ALTER TABLE account ADD COLUMN scram_sha_1 TEXT NOT NULL DEFAULT '';
ALTER TABLE account ADD COLUMN scram_sha_256 TEXT NOT NULL DEFAULT '';
CREATE INDEX account_without_scram ON account(id) WHERE enabled = 1 AND (scram_sha_1 = '' OR scram_sha_256 = '');
CREATE TABLE setting(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO setting VALUES ('scram_decoy_key', hex(randomblob(32)));
PRAGMA user_version = 2;
)sql";

/// From version 2 to 3.
constexpr const char* kCramMd5Schema = R"sql(
ALTER TABLE account ADD COLUMN cram_md5 TEXT NOT NULL DEFAULT '';
PRAGMA user_version = 3;
)sql";

/// From version 3 to 4.
constexpr const char* kSuspensionSchema = R"sql(
ALTER TABLE account ADD COLUMN suspended TEXT;
PRAGMA user_version = 4;
)sql";

Result<Mailbox> stored_mailbox(const std::string& text) {
    auto mailbox = mail::parse_mailbox(text, mail::Charset::utf8);
    if (!mailbox) return base::fail(ErrorKind::corrupt, "directory database: a stored address is none: " + mailbox.error().detail);
    return mailbox;
}

/// Of a local part and a domain that were parsed before they were stored.
Result<Mailbox> stored_mailbox(std::string local, const std::string& domain_text) {
    auto domain = mail::parse_domain(domain_text);
    if (!domain) return base::fail(ErrorKind::corrupt, "directory database: a stored domain is none: " + domain.error().detail);
    return Mailbox{std::move(local), *std::move(domain)};
}

/// Runs `statement`, which is started, and hands each row to `take`, which returns a Result<void>.
template <class Take>
Result<void> for_each_row(Statement& statement, Take&& take) {
    while (true) {
        auto row = statement.step();
        if (!row) return pass_on(row);
        if (!*row) return {};
        if (auto taken = take(statement); !taken) {
            statement.rewind();
            return taken;
        }
    }
}

/// What `read` makes of the first row, if there is one.
template <class Read>
auto first_row(Statement& statement, Read&& read) -> Result<std::optional<decltype(read(statement))>> {
    auto row = statement.step();
    if (!row) return pass_on(row);
    if (!*row) return std::nullopt;
    auto value = read(statement);
    statement.rewind();
    return value;
}

directory::Account read_account(const Statement& row, const Mailbox& address) {
    auto suspended = row.is_null(2) ? std::optional<std::string>() : row.text(2);
    return {mail::render_mailbox(address), row.text(0), row.number(1) != 0, std::move(suspended)};
}

}  // namespace

Result<SqliteEntries> SqliteEntries::open(const Database::Options& options) {
    auto database = Database::open(options);
    if (!database) return pass_on(database);
    SqliteEntries entries(*std::move(database));
    if (auto laid = entries.lay_out(); !laid) return pass_on(laid);
    if (auto ready = entries.prepare(); !ready) return pass_on(ready);
    return entries;
}

Result<std::int64_t> SqliteEntries::schema_version() {
    auto ask = database_.prepare("PRAGMA user_version");
    if (!ask) return pass_on(ask);
    auto version = first_row(*ask, [](const Statement& row) { return row.number(0); });
    if (!version) return pass_on(version);
    return version->value_or(0);
}

Result<void> SqliteEntries::lay_out() {
    auto found = schema_version();
    if (!found) return pass_on(found);
    if (*found == kSchemaVersion) return {};
    auto transaction = begin();
    if (!transaction) return pass_on(transaction);
    found = schema_version();  // another process may have opened the new file at the same moment
    if (!found) return pass_on(found);
    if (*found == kSchemaVersion) return {};
    if (*found < 0 || *found > kSchemaVersion)
        return base::fail(ErrorKind::invalid, "directory database: schema version " + std::to_string(*found) +
                                                  " is not of this thurn, which has " + std::to_string(kSchemaVersion));
    if (*found == 0) {
        if (auto made = database_.run(kSchema); !made) return made;
    }
    if (*found <= 1) {
        if (auto made = database_.run(kScramSchema); !made) return made;
    }
    if (*found <= 2) {
        if (auto made = database_.run(kCramMd5Schema); !made) return made;
    }
    if (auto made = database_.run(kSuspensionSchema); !made) return made;
    return transaction->commit();
}

Result<void> SqliteEntries::prepare() {
    const std::pair<Statement*, std::string_view> wanted[] = {
        {&find_domain_, "SELECT catch_all FROM domain WHERE name = ?"},
        {&find_targets_, "SELECT target FROM alias JOIN alias_target ON alias = id WHERE domain = ? AND local = ? ORDER BY position"},
        {&has_account_, "SELECT 1 FROM account WHERE domain = ? AND local = ?"},
        {&find_account_, "SELECT password_hash, enabled, suspended FROM account WHERE domain = ? AND local = ?"},
        {&find_scram_sha_1_, "SELECT scram_sha_1 FROM account WHERE domain = ? AND local = ? AND enabled = 1"},
        {&find_scram_sha_256_, "SELECT scram_sha_256 FROM account WHERE domain = ? AND local = ? AND enabled = 1"},
        {&find_cram_md5_, "SELECT cram_md5 FROM account WHERE domain = ? AND local = ? AND enabled = 1"},
        {&has_account_without_scram_,
         "SELECT EXISTS (SELECT 1 FROM account WHERE enabled = 1 AND (scram_sha_1 = '' OR scram_sha_256 = ''))"},
        {&version_, "PRAGMA data_version"},
        {&begin_snapshot_, "BEGIN"},
        {&end_snapshot_, "COMMIT"},
    };
    for (const auto& [statement, sql] : wanted) {
        auto prepared = database_.prepare(sql);
        if (!prepared) return pass_on(prepared);
        *statement = *std::move(prepared);
    }
    return {};
}

Result<std::optional<SqliteEntries::DomainEntry>> SqliteEntries::find_domain(const mail::Domain& domain) {
    auto catch_all = first_row(find_domain_.start(domain.text()), [](const Statement& row) { return row.text(0); });
    if (!catch_all) return pass_on(catch_all);
    if (!*catch_all) return std::nullopt;
    if ((*catch_all)->empty()) return DomainEntry{};
    auto mailbox = stored_mailbox(**catch_all);
    if (!mailbox) return pass_on(mailbox);
    return DomainEntry{*std::move(mailbox)};
}

Result<std::vector<Mailbox>> SqliteEntries::find_targets(const Mailbox& address) {
    std::vector<Mailbox> targets;
    auto read = for_each_row(find_targets_.start(address.domain.text(), address.local), [&](const Statement& row) -> Result<void> {
        auto target = stored_mailbox(row.text(0));
        if (!target) return pass_on(target);
        targets.push_back(*std::move(target));
        return {};
    });
    if (!read) return pass_on(read);
    return targets;
}

Result<bool> SqliteEntries::has_account(const Mailbox& address) {
    auto found = first_row(has_account_.start(address.domain.text(), address.local), [](const Statement&) { return true; });
    if (!found) return pass_on(found);
    return found->has_value();
}

Result<std::optional<Mailbox>> SqliteEntries::find_first_account(const mail::Domain& domain) {
    auto select = database_.prepare("SELECT local, domain FROM account WHERE enabled = 1 AND (?1 = '' OR domain = ?1) ORDER BY id LIMIT 1");
    if (!select) return pass_on(select);
    auto found = first_row(select->start(domain.text()), [](const Statement& row) { return stored_mailbox(row.text(0), row.text(1)); });
    if (!found) return pass_on(found);
    if (!*found) return std::nullopt;
    return std::move(**found);
}

Result<std::optional<directory::Account>> SqliteEntries::find_account(const Mailbox& address) {
    return first_row(find_account_.start(address.domain.text(), address.local),
                     [&](const Statement& row) { return read_account(row, address); });
}

Result<std::string> SqliteEntries::find_scram_secret(const Mailbox& address, sasl::Hash hash) {
    return find_secret(hash == sasl::Hash::sha1 ? find_scram_sha_1_ : find_scram_sha_256_, address);
}

Result<std::string> SqliteEntries::find_cram_md5_secret(const Mailbox& address) { return find_secret(find_cram_md5_, address); }

Result<std::string> SqliteEntries::find_secret(Statement& statement, const Mailbox& address) {
    auto found = first_row(statement.start(address.domain.text(), address.local), [](const Statement& row) { return row.text(0); });
    if (!found) return pass_on(found);
    return found->value_or("");
}

Result<bool> SqliteEntries::has_account_without_scram() {
    auto found = first_row(has_account_without_scram_.start(), [](const Statement& row) { return row.number(0) != 0; });
    if (!found) return pass_on(found);
    return found->value_or(true);
}

Result<std::string> SqliteEntries::setting(std::string_view name) {
    auto select = database_.prepare("SELECT value FROM setting WHERE name = ?");
    if (!select) return pass_on(select);
    auto found = first_row(select->start(name), [](const Statement& row) { return row.text(0); });
    if (!found) return pass_on(found);
    return found->value_or("");
}

Result<std::int64_t> SqliteEntries::version() {
    auto found = first_row(version_.start(), [](const Statement& row) { return row.number(0); });
    if (!found) return pass_on(found);
    return found->value_or(0);
}

Result<std::vector<std::pair<std::string, std::string>>> SqliteEntries::domains() {
    auto select = database_.prepare("SELECT name, catch_all FROM domain ORDER BY name");
    if (!select) return pass_on(select);
    std::vector<std::pair<std::string, std::string>> all;
    auto read = for_each_row(*select, [&](const Statement& row) -> Result<void> {
        all.emplace_back(row.text(0), row.text(1));
        return {};
    });
    if (!read) return pass_on(read);
    return all;
}

Result<std::vector<directory::Account>> SqliteEntries::accounts() {
    auto select = database_.prepare("SELECT password_hash, enabled, suspended, local, domain FROM account ORDER BY domain, local");
    if (!select) return pass_on(select);
    std::vector<directory::Account> all;
    auto read = for_each_row(*select, [&](const Statement& row) -> Result<void> {
        auto address = stored_mailbox(row.text(3), row.text(4));
        if (!address) return pass_on(address);
        all.push_back(read_account(row, *address));
        return {};
    });
    if (!read) return pass_on(read);
    return all;
}

Result<std::vector<directory::Alias>> SqliteEntries::aliases() {
    auto select =
        database_.prepare("SELECT local, domain, target FROM alias JOIN alias_target ON alias = id ORDER BY domain, local, position");
    if (!select) return pass_on(select);
    std::vector<directory::Alias> all;
    auto read = for_each_row(*select, [&](const Statement& row) -> Result<void> {
        auto address = stored_mailbox(row.text(0), row.text(1));
        if (!address) return pass_on(address);
        const std::string name = mail::render_mailbox(*address);
        if (all.empty() || all.back().address != name) all.push_back({name, {}});
        all.back().targets.push_back(row.text(2));
        return {};
    });
    if (!read) return pass_on(read);
    return all;
}

Result<std::int64_t> SqliteEntries::count_addresses(const mail::Domain& domain) {
    auto select =
        database_.prepare("SELECT (SELECT count(*) FROM account WHERE domain = ?1) + (SELECT count(*) FROM alias WHERE domain = ?1)");
    if (!select) return pass_on(select);
    auto count = first_row(select->start(domain.text()), [](const Statement& row) { return row.number(0); });
    if (!count) return pass_on(count);
    return count->value_or(0);
}

template <class... Values>
Result<bool> SqliteEntries::change(std::string_view sql, const Values&... values) {
    auto statement = database_.prepare(sql);
    if (!statement) return pass_on(statement);
    if (auto done = statement->start(values...).finish(); !done) return pass_on(done);
    return database_.changes() > 0;
}

Result<void> SqliteEntries::insert_domain(const mail::Domain& domain) {
    auto done = change("INSERT INTO domain(name) VALUES (?)", domain.text());
    if (!done) return pass_on(done);
    return {};
}

Result<bool> SqliteEntries::delete_domain(const mail::Domain& domain) { return change("DELETE FROM domain WHERE name = ?", domain.text()); }

Result<bool> SqliteEntries::update_catch_all(const mail::Domain& domain, std::string_view target) {
    return change("UPDATE domain SET catch_all = ? WHERE name = ?", target, domain.text());
}

Result<void> SqliteEntries::insert_account(const Mailbox& address, const StoredPassword& password) {
    auto done =
        change("INSERT INTO account(local, domain, password_hash, scram_sha_1, scram_sha_256, cram_md5) VALUES (?, ?, ?, ?, ?, ?)",
               address.local, address.domain.text(), password.hash, password.scram_sha_1, password.scram_sha_256, password.cram_md5);
    if (!done) return pass_on(done);
    return {};
}

Result<bool> SqliteEntries::update_password(const Mailbox& address, const StoredPassword& password) {
    return change("UPDATE account SET password_hash = ?, scram_sha_1 = ?, scram_sha_256 = ?, cram_md5 = ? WHERE domain = ? AND local = ?",
                  password.hash, password.scram_sha_1, password.scram_sha_256, password.cram_md5, address.domain.text(), address.local);
}

Result<bool> SqliteEntries::update_enabled(const Mailbox& address, bool enabled) {
    return change("UPDATE account SET enabled = ? WHERE domain = ? AND local = ?", std::int64_t{enabled}, address.domain.text(),
                  address.local);
}

Result<bool> SqliteEntries::insert_suspension(const Mailbox& address, std::string_view reason) {
    return change("UPDATE account SET suspended = ? WHERE domain = ? AND local = ? AND suspended IS NULL", reason, address.domain.text(),
                  address.local);
}

Result<bool> SqliteEntries::delete_suspension(const Mailbox& address) {
    return change("UPDATE account SET suspended = NULL WHERE domain = ? AND local = ? AND suspended IS NOT NULL", address.domain.text(),
                  address.local);
}

Result<bool> SqliteEntries::delete_account(const Mailbox& address) {
    return change("DELETE FROM account WHERE domain = ? AND local = ?", address.domain.text(), address.local);
}

Result<void> SqliteEntries::insert_targets(const Mailbox& alias, const std::vector<Mailbox>& targets) {
    auto made = change("INSERT OR IGNORE INTO alias(local, domain) VALUES (?, ?)", alias.local, alias.domain.text());
    if (!made) return pass_on(made);
    for (const Mailbox& target : targets) {
        auto added = change(
            "INSERT OR IGNORE INTO alias_target(alias, position, target) SELECT id, "
            "(SELECT coalesce(max(position), 0) + 1 FROM alias_target WHERE alias = id), ? FROM alias WHERE domain = ? AND local = ?",
            mail::render_mailbox(target), alias.domain.text(), alias.local);
        if (!added) return pass_on(added);
    }
    return {};
}

Result<bool> SqliteEntries::delete_alias(const Mailbox& address) {
    return change("DELETE FROM alias WHERE domain = ? AND local = ?", address.domain.text(), address.local);
}

}  // namespace thurn::storage
