#pragma once

#include "policy/account_baseline.h"
#include "policy/greylist.h"
#include "policy/login_guard.h"
#include "policy/token_buckets.h"

#include <filesystem>
#include <memory>

namespace thurn::app {

/// What policy had learnt when the server saved it last, each read when it is first asked for: copies, of whose changes the server never hears.
///
/// Errors   That nothing was saved yet is none. `refused`: the files are not ours to read. `corrupt`, `disk`.
class SavedState {
public:
    explicit SavedState(const std::filesystem::path& data_dir) : folder_(data_dir / "policy") {}
    [[nodiscard]] base::Result<policy::TokenBuckets*> rates() { return load("rates", rates_); }
    [[nodiscard]] base::Result<policy::Greylist*> greylist() { return load("greylist", greylist_); }
    [[nodiscard]] base::Result<policy::LoginGuard*> logins() { return load("logins", logins_); }
    [[nodiscard]] base::Result<policy::AccountBaseline*> accounts() { return load("accounts", accounts_); }

private:
    template <class State>
    [[nodiscard]] base::Result<State*> load(const char* name, std::unique_ptr<State>& place) {
        if (place) return place.get();
        auto state = std::make_unique<State>(typename State::Options{.seed = 1});
        if (auto read = this->read(name, *state); !read) return base::pass_on(read);
        place = std::move(state);
        return place.get();
    }
    [[nodiscard]] base::Result<void> read(const char* name, policy::KeptState& state) const;

    std::filesystem::path folder_;
    std::unique_ptr<policy::TokenBuckets> rates_;
    std::unique_ptr<policy::Greylist> greylist_;
    std::unique_ptr<policy::LoginGuard> logins_;
    std::unique_ptr<policy::AccountBaseline> accounts_;
};

}  // namespace thurn::app
