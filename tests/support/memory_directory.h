#pragma once

#include "base/guarded.h"
#include "directory/directory.h"
#include "directory/resolve.h"

#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace thurn::support {

/// A directory in memory for tests, with the real order of resolution. Passwords are in clear.
///
/// Use      `MemoryDirectory directory; directory.add_domain("example.com"); directory.add_account("anna@example.com", "secret");`
/// Faults   After fail_with() each call answers with that error, until works_again().
/// Threads  Any.
class MemoryDirectory final : public directory::Directory, public directory::PasswordChecker {
public:
    explicit MemoryDirectory(std::string_view hostname = "mx.test.example") {
        state_.with([&](State& state) { state.options.hostname = domain(hostname); });
    }

    void add_domain(std::string_view name, std::string_view catch_all = "") {
        state_.with(
            [&](State& state) { state.domains[domain(name)] = catch_all.empty() ? std::nullopt : std::optional(mailbox(catch_all)); });
    }
    void add_account(std::string_view address, std::string_view password = "secret", bool enabled = true) {
        state_.with(
            [&](State& state) { state.accounts.push_back({directory::fold_mailbox(mailbox(address)), std::string(password), enabled}); });
    }
    void remove_account(std::string_view address) {
        const auto gone = directory::fold_mailbox(mailbox(address));
        state_.with([&](State& state) { std::erase_if(state.accounts, [&](const Held& held) { return held.address == gone; }); });
    }
    base::Result<bool> suspend(std::string_view login, std::string_view reason) override {
        const auto address = directory::fold_mailbox(mailbox(login));
        return state_.with([&](State& state) -> base::Result<bool> {
            for (Held& held : state.accounts)
                if (held.address == address) {
                    if (held.suspended) return false;
                    held.suspended = std::string(reason);
                    return true;
                }
            return base::fail(base::ErrorKind::not_found, "no such account");
        });
    }
    void add_alias(std::string_view address, const std::vector<std::string>& targets) {
        state_.with([&](State& state) {
            for (const auto& target : targets) state.aliases[directory::fold_mailbox(mailbox(address))].push_back(mailbox(target));
        });
    }
    void set_postmaster(std::string_view address) {
        state_.with([&](State& state) { state.options.postmaster = mailbox(address); });
    }
    void add_literal(std::string_view literal) {
        state_.with([&](State& state) { state.options.literals.push_back(domain(literal)); });
    }

    void fail_with(base::Error error) {
        state_.with([&](State& state) { state.trouble = std::move(error); });
    }
    void works_again() {
        state_.with([](State& state) { state.trouble.reset(); });
    }

    base::Result<bool> is_local_domain(const mail::Domain& name) override {
        return state_.with([&](State& state) { return directory::is_local(state, state.options, name); });
    }
    base::Result<directory::Resolution> resolve(const mail::Mailbox& address) override {
        return state_.with([&](State& state) -> base::Result<directory::Resolution> {
            if (state.trouble) return std::unexpected(*state.trouble);
            return directory::resolve(state, state.options, address);
        });
    }
    std::optional<base::Result<directory::Resolution>> peek(const mail::Mailbox& address) override { return resolve(address); }
    base::Result<std::optional<directory::Account>> find_account(std::string_view login) override {
        return state_.with([&](State& state) -> base::Result<std::optional<directory::Account>> {
            if (state.trouble) return std::unexpected(*state.trouble);
            const Held* held = state.find(login);
            if (held == nullptr) return std::nullopt;
            return directory::Account{mail::render_mailbox(held->address), held->password, held->enabled, held->suspended};
        });
    }
    bool offers_scram() override { return true; }
    base::Result<sasl::ScramSecret> find_scram_secret(std::string_view login, sasl::Hash hash) override {
        return state_.with([&](State& state) -> base::Result<sasl::ScramSecret> {
            if (state.trouble) return std::unexpected(*state.trouble);
            const Held* held = state.find(login);
            if (held == nullptr || !held->enabled) return sasl::make_decoy_secret(login, "key", hash);
            return sasl::derive_scram_secret(held->password, "salt", sasl::kMinIterations, hash);
        });
    }
    base::Result<sasl::CramMd5Secret> find_cram_md5_secret(std::string_view login) override {
        return state_.with([&](State& state) -> base::Result<sasl::CramMd5Secret> {
            ++state.secrets_asked_for;
            if (state.trouble) return std::unexpected(*state.trouble);
            const Held* held = state.find(login);
            return held && held->enabled ? sasl::derive_cram_md5_secret(held->password) : sasl::make_decoy_cram_md5_secret(login, "key");
        });
    }
    std::size_t cram_md5_secrets_asked_for() {
        return state_.with([](State& state) { return state.secrets_asked_for; });
    }
    base::Result<bool> owns(std::string_view login, const mail::Mailbox& sender) override {
        return state_.with([&](State& state) -> base::Result<bool> {
            if (state.trouble) return std::unexpected(*state.trouble);
            const Held* held = state.find(login);
            if (held == nullptr || !held->enabled || held->suspended) return false;
            return directory::owns_address(state, state.options, held->address, sender);
        });
    }
    base::Result<bool> check(std::string_view login, std::string_view password) override {
        return state_.with([&](State& state) -> base::Result<bool> {
            if (state.trouble) return std::unexpected(*state.trouble);
            const Held* held = state.find(login);
            return held != nullptr && held->enabled && held->password == password;
        });
    }

private:
    struct Held {
        mail::Mailbox address;
        std::string password;
        bool enabled = true;
        std::optional<std::string> suspended{};
    };
    struct State final : directory::Entries {
        directory::ResolveOptions options;
        std::map<mail::Domain, std::optional<mail::Mailbox>> domains;
        std::vector<Held> accounts;  // in the order they were made
        std::map<mail::Mailbox, std::vector<mail::Mailbox>> aliases;
        std::optional<base::Error> trouble;
        std::size_t secrets_asked_for = 0;

        base::Result<std::optional<DomainEntry>> find_domain(const mail::Domain& name) override {
            if (trouble) return std::unexpected(*trouble);
            const auto found = domains.find(name);
            if (found == domains.end()) return std::nullopt;
            return DomainEntry{found->second};
        }
        base::Result<std::vector<mail::Mailbox>> find_targets(const mail::Mailbox& address) override {
            if (trouble) return std::unexpected(*trouble);
            const auto found = aliases.find(address);
            return found == aliases.end() ? std::vector<mail::Mailbox>{} : found->second;
        }
        base::Result<bool> has_account(const mail::Mailbox& address) override {
            if (trouble) return std::unexpected(*trouble);
            return find(address) != nullptr;
        }
        base::Result<std::optional<mail::Mailbox>> find_first_account(const mail::Domain& name) override {
            if (trouble) return std::unexpected(*trouble);
            for (const Held& held : accounts)
                if (held.enabled && (name.empty() || held.address.domain == name)) return held.address;
            return std::nullopt;
        }
        const Held* find(const mail::Mailbox& address) const {
            for (const Held& held : accounts)
                if (held.address == address) return &held;
            return nullptr;
        }
        const Held* find(std::string_view login) const {
            const auto address = mail::parse_mailbox(login, mail::Charset::utf8);
            return address ? find(directory::fold_mailbox(*address)) : nullptr;
        }
    };

    // A test that misspells an address is to stop there.
    static mail::Mailbox mailbox(std::string_view text) {
        auto parsed = mail::parse_mailbox(text, mail::Charset::utf8);
        if (!parsed) std::abort();
        return *std::move(parsed);
    }
    static mail::Domain domain(std::string_view text) {
        auto parsed = mail::parse_domain(text, mail::Charset::utf8);
        if (!parsed) std::abort();
        return *std::move(parsed);
    }

    base::Guarded<State> state_;
};

}  // namespace thurn::support
