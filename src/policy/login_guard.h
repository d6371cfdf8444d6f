#pragma once

#include "policy/bans.h"
#include "policy/hashed_table.h"
#include "policy/kept_state.h"
#include "policy/recipient_rule.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::policy {

/// How failed logins are answered; what the configuration says.
struct LoginRules {
    unsigned failures = 30;           // of one client within the window: then it is locked out
    unsigned account_failures = 100;  // for one login, from all clients together: then it is locked for those it does not know
    std::chrono::seconds window{600};
    std::chrono::milliseconds delay{1000};  // after the first failure; doubles with each further one, up to longest_delay; 0: none
    static constexpr std::chrono::milliseconds longest_delay{10000};
    std::chrono::seconds lockout{600};  // the first; each further one is twice as long, up to longest_lockout
    std::chrono::seconds longest_lockout = std::chrono::hours(24);
    std::chrono::seconds known_for = std::chrono::days(30);  // a client from which somebody has logged in
    std::vector<Network> allow{};                            // never slowed down, locked out or counted
};

/// Somebody who wants to log in.
struct LoginAttempt {
    std::string_view address;
    std::string_view network;  // whom the address stands for: itself, or an IPv6 /64
    std::string_view login;    // empty: not known yet
};

/// Remembers failed logins by client and by login, whether such a login exists or not, over connections, loops and restarts.
///
/// Slower     The more failures there were lately, the longer the next answer takes.
/// Locked     Who has too many is locked out for a while, and each time for twice as long and after half as many. For each day without a
///            lockout one is forgotten. Attempts while locked out are not checked and not counted.
/// Known      A client that has logged in to an account lately is let try that account whatever others do to it, and whatever others do from
///            the same address, as long as it does not fail too often itself: so nobody can lock an owner out, nor one office its
///            people. All else that was counted stays as it is: an attack is not forgiven for one right login.
/// Decay      A count goes down by `failures` in `window`, evenly.
/// Memory     Bounded, see HashedTable: where there is no room, those with the fewest failures are forgotten.
/// Threads    Any; restore() before anybody uses it.
class LoginGuard final : public KeptState {
public:
    struct Options {
        std::size_t capacity = 200'000;  // clients and logins; and as many pairs that know each other
        std::uint64_t seed = 0;          // see KeyHasher
    };
    explicit LoginGuard(Options options) : seed_(options.seed), failures_(options.capacity), known_(options.capacity) {}

    struct Verdict {
        enum class Answer { check, client_locked, account_locked, banned } answer = Answer::check;
        std::chrono::milliseconds delay{0};
        std::optional<base::Time> until{};  // when it is locked
        friend bool operator==(const Verdict&, const Verdict&) = default;
    };
    /// What the attempt has to expect.
    [[nodiscard]] Verdict judge(const LoginAttempt& attempt, const LoginRules& rules, base::Time now) const;

    /// Lockouts that began with this failure.
    struct Lockouts {
        std::optional<Ban> client;
        std::optional<Ban> account;
    };
    Lockouts add_failure(const LoginAttempt& attempt, const LoginRules& rules, base::Time now);
    void add_success(const LoginAttempt& attempt, const LoginRules& rules, base::Time now);

    enum class Admission { welcome, locked_out, banned };
    /// What a client has to expect before it has said a word. Locked out are those from whose address nobody has ever logged in.
    [[nodiscard]] Admission admit(const std::string& address, std::string_view network, const LoginRules& rules, base::Time now) const;

    // By hand.
    [[nodiscard]] base::Result<void> ban(const Ban& ban, base::Time now);
    /// Forgets what led to it, too. False when there is no such ban.
    [[nodiscard]] bool lift(const BanSubject& subject, base::Time now);
    [[nodiscard]] std::vector<Ban> list(base::Time now) const { return bans_.list(now); }

    [[nodiscard]] std::string snapshot(base::Time now) const override;
    [[nodiscard]] base::Result<void> restore(std::string_view octets) override;
    [[nodiscard]] std::uint64_t changes() const override { return changes_.load(std::memory_order_relaxed); }

private:
    /// As a token bucket has it: the moment when all failures are forgotten tells how many there are.
    struct Failures {
        std::int64_t clear_at = 0;  // milliseconds since 1970
        std::int64_t struck = 0;    // when the last lockout ends, likewise
        std::int64_t lockouts = 0;  // until then, less those forgotten before
        [[nodiscard]] base::Time kept_until() const;
        [[nodiscard]] unsigned lockouts_at(base::Time now) const;
    };
    /// A client and an account that it has logged in to; or a client alone.
    struct Known {
        std::int64_t until = 0;     // milliseconds since 1970
        std::int64_t clear_at = 0;  // its own failures since the last success
        [[nodiscard]] base::Time kept_until() const { return base::Time(base::Duration(until)); }
    };
    [[nodiscard]] HashedKey key_of(std::string_view kind, std::string_view name) const;
    [[nodiscard]] HashedKey pair_of(const LoginAttempt& attempt) const;
    [[nodiscard]] std::optional<Known> find_known(const LoginAttempt& attempt, base::Time now) const;
    [[nodiscard]] std::optional<Ban> count(HashedKey key, const BanSubject& subject, unsigned most, const LoginRules& rules,
                                           base::Time now);
    [[nodiscard]] double count_now(HashedKey key, unsigned most, const LoginRules& rules, base::Time now) const;
    void note_change() { changes_.fetch_add(1, std::memory_order_relaxed); }

    std::uint64_t seed_;
    HashedTable<Failures> failures_;
    HashedTable<Known> known_;
    Bans bans_;
    std::atomic<std::uint64_t> changes_{0};
};

}  // namespace thurn::policy
