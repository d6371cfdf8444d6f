#include "storage/sqlite_directory.h"

#include "base/guarded.h"
#include "storage/password.h"
#include "storage/sqlite_entries.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <unordered_map>
#include <utility>

// Two connections: readers of a WAL database never wait for a writer, so look-ups do not wait while a change is synced to disk
// or a long list is read.
//
// What addresses mean is remembered across calls, because each RCPT asks. SQLite's data_version tells, for the price of a look into
// shared memory, whether any other connection has committed since, our own writing one or that of another process. That look is two
// system calls (some 6 µs), so under load it is taken once in `trust_memory_for` only; our own changes count from their commit on.

namespace thurn::storage {
namespace {

using base::ErrorKind;
using base::pass_on;
using base::Result;
using directory::Resolution;
using mail::Mailbox;

constexpr std::size_t kLongestReason = 500;  // octets, of a suspension

Result<mail::Domain> read_domain(std::string_view text) {
    auto domain = mail::parse_domain(text, mail::Charset::utf8);
    if (!domain) return base::fail(ErrorKind::invalid, "not a domain: " + domain.error().detail);
    if (domain->empty() || domain->is_literal()) return base::fail(ErrorKind::invalid, "a domain name is needed, not an address literal");
    return domain;
}

Result<Mailbox> read_address(std::string_view text) {
    auto mailbox = mail::parse_mailbox(text, mail::Charset::utf8);
    if (!mailbox) return base::fail(ErrorKind::invalid, "not an address (local@domain): " + mailbox.error().detail);
    return mailbox;
}

/// An address that we are to hold. Its local part may become the name of a folder, so it must not climb out of one.
Result<Mailbox> read_own_address(std::string_view text) {
    auto mailbox = read_address(text);
    if (!mailbox) return mailbox;
    if (mailbox->local == "." || mailbox->local == ".." || mailbox->local.find('/') != std::string::npos)
        return base::fail(ErrorKind::invalid, "the part before the @ must not be a path");
    return directory::fold_mailbox(*mailbox);
}

/// All that is kept of a password. Takes its time: not under a lock.
Result<StoredPassword> store_password(std::string_view password, SqliteDirectoryOptions::CramMd5 cram_md5) {
    auto hash = hash_password(password);
    if (!hash) return pass_on(hash);
    StoredPassword stored{.hash = *std::move(hash), .scram_sha_1 = {}, .scram_sha_256 = {}, .cram_md5 = {}};
    if (cram_md5 == SqliteDirectoryOptions::CramMd5::stored)
        stored.cram_md5 = sasl::render_cram_md5_secret(sasl::derive_cram_md5_secret(password));
    for (const auto function : {sasl::Hash::sha1, sasl::Hash::sha256}) {
        auto salt = make_salt();
        if (!salt) return pass_on(salt);
        auto& text = function == sasl::Hash::sha1 ? stored.scram_sha_1 : stored.scram_sha_256;
        text = sasl::render_scram_secret(sasl::derive_scram_secret(password, *std::move(salt), sasl::kUsualIterations, function));
    }
    return stored;
}

/// What went wrong when a change found nothing to change.
Result<void> expect_found(const Result<bool>& changed, std::string missing) {
    if (!changed) return std::unexpected(changed.error());
    if (!*changed) return base::fail(ErrorKind::not_found, std::move(missing));
    return {};
}

}  // namespace

struct SqliteDirectory::State {
    struct Store {
        SqliteEntries entries;
        std::unordered_map<std::string, Resolution> meanings{};  // by the address as given: a tag keeps its case
        bool all_have_scram = false;
        std::int64_t version = -1;
        std::uint64_t own_changes = 0;  // of State::own_changes, when the version was looked at
        std::chrono::steady_clock::time_point looked{};
    };

    State(SqliteEntries reader, SqliteEntries writer, SqliteDirectoryOptions given, std::string key)
        : options(std::move(given)), decoy_key(std::move(key)), reading(Store{.entries = std::move(reader)}), writing(std::move(writer)) {}

    static std::string key_of(const Mailbox& mailbox) { return mailbox.local + '@' + mailbox.domain.text(); }

    /// Forgets what a commit may have changed.
    Result<void> catch_up(Store& held) const {
        const auto now = std::chrono::steady_clock::now();
        const auto changes = own_changes.load();
        if (held.version >= 0 && changes == held.own_changes && now - held.looked < options.trust_memory_for) return {};
        auto version = held.entries.version();
        if (!version) return pass_on(version);
        if (*version != held.version) {
            held.meanings.clear();
            auto some_without = held.entries.has_account_without_scram();
            if (!some_without) return pass_on(some_without);
            held.all_have_scram = !*some_without;
        }
        held.version = *version;
        held.own_changes = changes;
        held.looked = now;
        return {};
    }

    std::optional<Result<Resolution>> recall(Store& held, const Mailbox& mailbox) const {
        if (auto current = catch_up(held); !current) return pass_on(current);
        const auto known = held.meanings.find(key_of(mailbox));
        if (known == held.meanings.end()) return std::nullopt;
        return known->second;
    }

    Result<Resolution> look_up(Store& held, const Mailbox& mailbox) const {
        if (auto known = recall(held, mailbox)) return *std::move(known);
        auto meaning = held.entries.in_one_snapshot([&] { return directory::resolve(held.entries, options.resolve, mailbox); });
        if (!meaning || options.cached_addresses == 0) return meaning;
        if (held.meanings.size() >= options.cached_addresses) held.meanings.clear();
        held.meanings.emplace(key_of(mailbox), *meaning);
        return meaning;
    }

    /// Does `work` on the tables in one transaction; nothing is changed when it fails.
    template <class Work>
    Result<void> change(Work&& work) {
        return writing.with([&](SqliteEntries& entries) -> Result<void> {
            auto transaction = entries.begin();
            if (!transaction) return pass_on(transaction);
            if (auto done = work(entries); !done) return done;
            auto committed = transaction->commit();
            ++own_changes;
            return committed;
        });
    }

    Result<bool> change_suspension(std::string_view address, std::optional<std::string_view> reason);

    Result<void> expect_local(SqliteEntries& entries, const mail::Domain& domain) const {
        auto local = directory::is_local(entries, options.resolve, domain);
        if (!local) return pass_on(local);
        if (*local && !domain.is_literal()) return {};
        return base::fail(ErrorKind::not_found,
                          domain.text() + " is not a domain of this server; add it first: thurn domain add " + domain.text());
    }

    Result<void> expect_resolvable(SqliteEntries& entries, const Mailbox& target) const {
        auto meaning = directory::resolve(entries, options.resolve, target);
        if (!meaning) return pass_on(meaning);
        if (!std::holds_alternative<directory::UnknownUser>(*meaning)) return {};
        return base::fail(ErrorKind::invalid, mail::render_mailbox(target) + " is neither an account nor an alias here; add it first");
    }

    const SqliteDirectoryOptions options;
    const std::string decoy_key;
    base::Guarded<Store> reading;
    base::Guarded<SqliteEntries> writing;
    std::atomic<std::uint64_t> own_changes = 0;
};

SqliteDirectory::SqliteDirectory(std::unique_ptr<State> state) : state_(std::move(state)) {}
SqliteDirectory::~SqliteDirectory() = default;

Result<std::unique_ptr<SqliteDirectory>> SqliteDirectory::open(SqliteDirectoryOptions options) {
    const Database::Options database{.path = options.path, .busy_timeout = options.busy_timeout};
    auto writer = SqliteEntries::open(database);
    if (!writer) return pass_on(writer);
    auto reader = SqliteEntries::open(database);
    if (!reader) return pass_on(reader);
    auto key = reader->setting("scram_decoy_key");
    if (!key) return pass_on(key);
    auto state = std::make_unique<State>(*std::move(reader), *std::move(writer), std::move(options), *std::move(key));
    return std::unique_ptr<SqliteDirectory>(new SqliteDirectory(std::move(state)));
}

Result<bool> SqliteDirectory::is_local_domain(const mail::Domain& domain) {
    return state_->reading.with([&](auto& held) { return directory::is_local(held.entries, state_->options.resolve, domain); });
}

Result<Resolution> SqliteDirectory::resolve(const Mailbox& mailbox) {
    return state_->reading.with([&](auto& held) { return state_->look_up(held, mailbox); });
}

std::optional<Result<Resolution>> SqliteDirectory::peek(const Mailbox& mailbox) {
    return state_->reading.with([&](auto& held) -> std::optional<Result<Resolution>> {
        auto known = state_->recall(held, mailbox);
        if (known && !*known) return std::nullopt;  // trouble: resolve() may wait for it to pass
        return known;
    });
}

Result<std::optional<directory::Account>> SqliteDirectory::find_account(std::string_view login) {
    const auto address = mail::parse_mailbox(login, mail::Charset::utf8);
    if (!address) return std::nullopt;  // whatever it is, nobody's login
    return state_->reading.with([&](auto& held) { return held.entries.find_account(directory::fold_mailbox(*address)); });
}

bool SqliteDirectory::offers_scram() {
    return state_->reading.with([&](auto& held) { return state_->catch_up(held) && held.all_have_scram; });
}

Result<sasl::ScramSecret> SqliteDirectory::find_scram_secret(std::string_view login, sasl::Hash hash) {
    const auto address = mail::parse_mailbox(login, mail::Charset::utf8);
    if (!address) return sasl::make_decoy_secret(login, state_->decoy_key, hash);
    const auto account = directory::fold_mailbox(*address);
    // Of the folded login: a salt that changed with the case would tell that there is no such account.
    const auto decoy = sasl::make_decoy_secret(mail::render_mailbox(account), state_->decoy_key, hash);
    auto text = state_->reading.with([&](auto& held) { return held.entries.find_scram_secret(account, hash); });
    if (!text) return pass_on(text);
    return text->empty() ? decoy : sasl::parse_scram_secret(*text);
}

Result<sasl::CramMd5Secret> SqliteDirectory::find_cram_md5_secret(std::string_view login) {
    const auto decoy = sasl::make_decoy_cram_md5_secret(login, state_->decoy_key);
    const auto decoy_text = sasl::render_cram_md5_secret(decoy);  // read as the stored ones are: the same work for all
    const auto address = mail::parse_mailbox(login, mail::Charset::utf8);
    if (!address) return decoy;
    auto text = state_->reading.with([&](auto& held) { return held.entries.find_cram_md5_secret(directory::fold_mailbox(*address)); });
    if (!text) return pass_on(text);
    return sasl::parse_cram_md5_secret(text->empty() ? decoy_text : *text);
}

Result<bool> SqliteDirectory::owns(std::string_view login, const Mailbox& sender) {
    const auto address = mail::parse_mailbox(login, mail::Charset::utf8);
    if (!address) return false;
    const Mailbox account = directory::fold_mailbox(*address);
    return state_->reading.with([&](auto& held) -> Result<bool> {
        return held.entries.in_one_snapshot([&]() -> Result<bool> {
            auto found = held.entries.find_account(account);
            if (!found) return pass_on(found);
            if (!*found || !(*found)->enabled || (*found)->suspended) return false;
            return directory::owns_address(held.entries, state_->options.resolve, account, sender);
        });
    });
}

Result<void> SqliteDirectory::add_domain(std::string_view name) {
    auto domain = read_domain(name);
    if (!domain) return pass_on(domain);
    return state_->change([&](SqliteEntries& entries) -> Result<void> {
        auto added = entries.insert_domain(*domain);
        if (!added && added.error().kind == ErrorKind::exists)
            return base::fail(ErrorKind::exists, "there is already a domain " + domain->text());
        return added;
    });
}

Result<void> SqliteDirectory::remove_domain(std::string_view name) {
    auto domain = read_domain(name);
    if (!domain) return pass_on(domain);
    return state_->change([&](SqliteEntries& entries) -> Result<void> {
        auto count = entries.count_addresses(*domain);
        if (!count) return pass_on(count);
        auto removed = entries.delete_domain(*domain);
        if (removed && *removed && *count > 0)
            return base::fail(ErrorKind::invalid, domain->text() + " still has accounts or aliases; remove them first");
        return expect_found(removed, "there is no domain " + domain->text());
    });
}

Result<void> SqliteDirectory::set_catch_all(std::string_view name, std::string_view address) {
    auto domain = read_domain(name);
    if (!domain) return pass_on(domain);
    std::optional<Mailbox> target;
    if (!address.empty()) {
        auto read = read_address(address);
        if (!read) return pass_on(read);
        target = *std::move(read);
    }
    return state_->change([&](SqliteEntries& entries) -> Result<void> {
        // Cleared first: else a catch-all would make its own address resolvable.
        auto updated = expect_found(entries.update_catch_all(*domain, ""), "there is no domain " + domain->text());
        if (!updated || !target) return updated;
        if (auto leads = state_->expect_resolvable(entries, *target); !leads) return leads;
        return expect_found(entries.update_catch_all(*domain, mail::render_mailbox(*target)), "there is no domain " + domain->text());
    });
}

Result<std::vector<std::pair<std::string, std::string>>> SqliteDirectory::domains() {
    return state_->writing.with([](auto& entries) { return entries.domains(); });
}

Result<void> SqliteDirectory::add_account(std::string_view address, std::string_view password) {
    auto account = read_own_address(address);
    if (!account) return pass_on(account);
    auto stored = store_password(password, state_->options.cram_md5);
    if (!stored) return pass_on(stored);
    return state_->change([&](SqliteEntries& entries) -> Result<void> {
        if (auto local = state_->expect_local(entries, account->domain); !local) return local;
        auto added = entries.insert_account(*account, *stored);
        if (!added && added.error().kind == ErrorKind::exists)
            return base::fail(ErrorKind::exists, "there is already an account " + mail::render_mailbox(*account));
        return added;
    });
}

Result<void> SqliteDirectory::set_password(std::string_view address, std::string_view password) {
    auto account = read_own_address(address);
    if (!account) return pass_on(account);
    auto stored = store_password(password, state_->options.cram_md5);
    if (!stored) return pass_on(stored);
    return state_->change([&](SqliteEntries& entries) {
        return expect_found(entries.update_password(*account, *stored), "there is no account " + mail::render_mailbox(*account));
    });
}

Result<void> SqliteDirectory::set_enabled(std::string_view address, bool enabled) {
    auto account = read_own_address(address);
    if (!account) return pass_on(account);
    return state_->change([&](SqliteEntries& entries) {
        return expect_found(entries.update_enabled(*account, enabled), "there is no account " + mail::render_mailbox(*account));
    });
}

/// Tells one that is not there from one that is so already.
Result<bool> SqliteDirectory::State::change_suspension(std::string_view address, std::optional<std::string_view> reason) {
    auto account = read_own_address(address);
    if (!account) return pass_on(account);
    bool changed = false;
    auto done = change([&](SqliteEntries& entries) -> Result<void> {
        auto there = entries.has_account(*account);
        if (auto found = expect_found(there, "there is no account " + mail::render_mailbox(*account)); !found) return found;
        auto updated = reason ? entries.insert_suspension(*account, *reason) : entries.delete_suspension(*account);
        if (!updated) return pass_on(updated);
        changed = *updated;
        return {};
    });
    if (!done) return pass_on(done);
    return changed;
}

Result<bool> SqliteDirectory::suspend(std::string_view login, std::string_view reason) {
    return state_->change_suspension(login, reason.substr(0, kLongestReason));
}

Result<bool> SqliteDirectory::release(std::string_view address) { return state_->change_suspension(address, std::nullopt); }

Result<void> SqliteDirectory::remove_account(std::string_view address) {
    auto account = read_own_address(address);
    if (!account) return pass_on(account);
    return state_->change([&](SqliteEntries& entries) {
        return expect_found(entries.delete_account(*account), "there is no account " + mail::render_mailbox(*account));
    });
}

Result<std::vector<directory::Account>> SqliteDirectory::accounts() {
    return state_->writing.with([](auto& entries) { return entries.accounts(); });
}

Result<void> SqliteDirectory::add_alias(std::string_view address, const std::vector<std::string>& targets) {
    auto alias = read_own_address(address);
    if (!alias) return pass_on(alias);
    if (targets.empty()) return base::fail(ErrorKind::invalid, "an alias needs a target");
    std::vector<Mailbox> wanted;
    for (const std::string& text : targets) {
        auto target = read_address(text);
        if (!target) return pass_on(target);
        if (directory::fold_mailbox(*target) == *alias)
            return base::fail(ErrorKind::invalid, "the alias " + mail::render_mailbox(*alias) + " would lead to itself");
        wanted.push_back(*std::move(target));
    }
    return state_->change([&](SqliteEntries& entries) -> Result<void> {
        if (auto local = state_->expect_local(entries, alias->domain); !local) return local;
        for (const Mailbox& target : wanted)
            if (auto leads = state_->expect_resolvable(entries, target); !leads) return leads;
        return entries.insert_targets(*alias, wanted);
    });
}

Result<void> SqliteDirectory::remove_alias(std::string_view address) {
    auto alias = read_own_address(address);
    if (!alias) return pass_on(alias);
    return state_->change([&](SqliteEntries& entries) {
        return expect_found(entries.delete_alias(*alias), "there is no alias " + mail::render_mailbox(*alias));
    });
}

Result<std::vector<directory::Alias>> SqliteDirectory::aliases() {
    return state_->writing.with([](auto& entries) { return entries.aliases(); });
}

}  // namespace thurn::storage
