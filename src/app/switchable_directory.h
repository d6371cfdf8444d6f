#pragma once

#include "base/guarded.h"
#include "directory/directory.h"

#include <memory>

namespace thurn::app {

/// A directory that a reload can replace under those who use it.
///
/// Threads  Any. Calls under way end on the directory they began with.
class SwitchableDirectory final : public directory::Directory {
public:
    explicit SwitchableDirectory(std::shared_ptr<directory::Directory> first) : current_(std::move(first)) {}
    void switch_to(std::shared_ptr<directory::Directory> next) {
        current_.with([&](auto& current) { current = std::move(next); });
    }

    base::Result<bool> is_local_domain(const mail::Domain& domain) override { return now()->is_local_domain(domain); }
    base::Result<directory::Resolution> resolve(const mail::Mailbox& mailbox) override { return now()->resolve(mailbox); }
    std::optional<base::Result<directory::Resolution>> peek(const mail::Mailbox& mailbox) override { return now()->peek(mailbox); }
    base::Result<std::optional<directory::Account>> find_account(std::string_view login) override { return now()->find_account(login); }
    bool offers_scram() override { return now()->offers_scram(); }
    base::Result<sasl::ScramSecret> find_scram_secret(std::string_view login, sasl::Hash hash) override {
        return now()->find_scram_secret(login, hash);
    }
    base::Result<sasl::CramMd5Secret> find_cram_md5_secret(std::string_view login) override { return now()->find_cram_md5_secret(login); }
    base::Result<bool> suspend(std::string_view login, std::string_view reason) override { return now()->suspend(login, reason); }
    base::Result<bool> owns(std::string_view login, const mail::Mailbox& sender) override { return now()->owns(login, sender); }

private:
    [[nodiscard]] std::shared_ptr<directory::Directory> now() const {
        return current_.with([](const auto& current) { return current; });
    }
    base::Guarded<std::shared_ptr<directory::Directory>> current_;  // shared with calls under way
};

}  // namespace thurn::app
