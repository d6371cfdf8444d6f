#pragma once

#include "base/result.h"
#include "directory/directory.h"
#include "directory/resolve.h"

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string_view>

namespace thurn::storage {

struct SqliteDirectoryOptions {
    std::filesystem::path path;
    directory::ResolveOptions resolve;
    std::chrono::milliseconds busy_timeout{5000};  // how long to wait for another process that writes
    std::size_t cached_addresses = 10'000;
    std::chrono::microseconds trust_memory_for{2000};  // without looking whether another process has changed anything
    /// `stored`: what CRAM-MD5 needs, of every password that is set from now on; `none`: setting one anew removes it.
    enum class CramMd5 { none, stored };
    CramMd5 cram_md5 = CramMd5::none;
};

/// The embedded directory: domains, accounts and aliases in one SQLite file.
///
/// Shape    A resource. Two connections, one of them for changes; what addresses mean is remembered until anything in the database changes,
///          by us or by another process (`thurn account` while the server runs shows within 2 ms). The file is made 0600.
/// Cost     An address seen before: under a µs, or some 7 once in `trust_memory_for`; a new one: some 20 µs. Changes sync the disk and hash
///          passwords: blocking pool only.
/// Limits   Passwords have 1..511 octets, as crypt(3) has it, and no NUL. Local parts of accounts have no '/', and are not `.` or `..`.
/// Errors   `corrupt`, `disk`, `full`; `refused`: locked by another for longer than `busy_timeout`. A file that is replaced (not changed)
///          while it is open is noticed at the next start only.
/// Threads  Any.
class SqliteDirectory final : public directory::Directory, public directory::DirectoryAdmin {
public:
    [[nodiscard]] static base::Result<std::unique_ptr<SqliteDirectory>> open(SqliteDirectoryOptions options);
    ~SqliteDirectory() override;

    base::Result<bool> is_local_domain(const mail::Domain& domain) override;
    base::Result<directory::Resolution> resolve(const mail::Mailbox& mailbox) override;
    std::optional<base::Result<directory::Resolution>> peek(const mail::Mailbox& mailbox) override;
    base::Result<std::optional<directory::Account>> find_account(std::string_view login) override;
    bool offers_scram() override;
    base::Result<sasl::ScramSecret> find_scram_secret(std::string_view login, sasl::Hash hash) override;
    base::Result<sasl::CramMd5Secret> find_cram_md5_secret(std::string_view login) override;
    base::Result<bool> suspend(std::string_view login, std::string_view reason) override;
    base::Result<bool> owns(std::string_view login, const mail::Mailbox& sender) override;

    base::Result<void> add_domain(std::string_view name) override;
    base::Result<void> remove_domain(std::string_view name) override;
    /// An address of ours must lead somewhere already.
    base::Result<void> set_catch_all(std::string_view domain, std::string_view address) override;
    base::Result<std::vector<std::pair<std::string, std::string>>> domains() override;
    base::Result<void> add_account(std::string_view address, std::string_view password) override;
    base::Result<void> set_password(std::string_view address, std::string_view password) override;
    base::Result<void> set_enabled(std::string_view address, bool enabled) override;
    base::Result<void> remove_account(std::string_view address) override;
    base::Result<bool> release(std::string_view address) override;
    base::Result<std::vector<directory::Account>> accounts() override;
    /// Targets that are ours must lead somewhere already, and not be the alias itself.
    base::Result<void> add_alias(std::string_view address, const std::vector<std::string>& targets) override;
    base::Result<void> remove_alias(std::string_view address) override;
    base::Result<std::vector<directory::Alias>> aliases() override;

private:
    struct State;
    explicit SqliteDirectory(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace thurn::storage
