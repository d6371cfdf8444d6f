#include "policy/login_guard.h"

#include "base/ascii.h"

#include <algorithm>
#include <cmath>

namespace thurn::policy {

namespace {

constexpr SnapshotKind kKind{.name = "logins", .version = 1};
constexpr std::int64_t kForgiven = base::Duration(std::chrono::hours(24)).count();  // one lockout in that time
constexpr std::int64_t kLatest = std::int64_t{1} << 60;                             // a moment that is stored
constexpr std::int64_t kMostLockouts = 30;                                          // that are told apart: no lockout grows any more
constexpr std::string_view kClient = "client", kAccount = "account", kPair = "pair";

using Answer = LoginGuard::Verdict::Answer;

std::int64_t milliseconds(base::Time time) { return time.time_since_epoch().count(); }

std::string lower(std::string_view text) {
    std::string result;
    for (const char c : text) result.push_back(base::to_lower(c));
    return result;
}

/// A leaky count, of which `most` are forgotten within the window.
struct Leak {
    Leak(unsigned most, const LoginRules& rules, base::Time at)
        : window(std::max<std::int64_t>(base::Duration(rules.window).count(), 1)),
          each(static_cast<double>(window) / std::max(most, 1U)),
          now(milliseconds(at)) {}
    [[nodiscard]] double count(std::int64_t clear_at) const {
        return clear_at <= now ? 0 : static_cast<double>(std::min(clear_at - now, window)) / each;
    }
    [[nodiscard]] std::int64_t one_more(std::int64_t clear_at) const {
        const auto left = clear_at <= now ? 0 : std::min(clear_at - now, window);
        return now + std::min(left + std::max<std::int64_t>(std::llround(each), 1), window);
    }
    std::int64_t window;
    double each;
    std::int64_t now;
};

std::chrono::milliseconds delay_after(double failures, const LoginRules& rules) {
    if (failures < 0.5 || rules.delay.count() == 0) return {};
    constexpr double kEnough = 20;  // doublings; the longest delay is reached far earlier
    const auto doublings = static_cast<unsigned>(std::clamp(failures - 0.5, 0.0, kEnough));
    return std::min(rules.delay * (1 << doublings), LoginRules::longest_delay);
}

std::chrono::seconds lockout_after(unsigned lockouts, const LoginRules& rules) {
    auto length = rules.lockout;
    for (unsigned i = 0; i < lockouts && length < rules.longest_lockout; ++i) length *= 2;
    return std::min(length, std::max(rules.longest_lockout, rules.lockout));
}

bool is_allowed(std::string_view address, const LoginRules& rules) {
    return std::ranges::any_of(rules.allow, [&](const Network& network) { return network.contains(address); });
}

/// None for who came by a socket of this machine.
std::optional<BanSubject> client_subject(std::string_view network) {
    const bool ipv6 = network.find(':') != std::string_view::npos;
    const auto subject = parse_ban_subject(std::string(network) + (ipv6 ? "/64" : ""));
    return subject && subject->of == BanSubject::Of::network ? std::optional(*subject) : std::nullopt;
}

/// None for what no account is called.
std::optional<BanSubject> account_subject(std::string_view login) {
    const auto subject = parse_ban_subject(login);
    return subject && subject->of == BanSubject::Of::account ? std::optional(*subject) : std::nullopt;
}

}  // namespace

base::Time LoginGuard::Failures::kept_until() const {
    const auto forgotten = lockouts <= 0 ? 0 : std::clamp<std::int64_t>(struck, 0, kLatest) + std::min(lockouts, kMostLockouts) * kForgiven;
    return base::Time(base::Duration(std::max(clear_at, forgotten)));
}

unsigned LoginGuard::Failures::lockouts_at(base::Time now) const {
    const auto passed = milliseconds(now) <= struck ? 0 : (milliseconds(now) - std::max<std::int64_t>(struck, 0)) / kForgiven;
    return static_cast<unsigned>(std::clamp<std::int64_t>(std::min(lockouts, kMostLockouts) - passed, 0, kMostLockouts));
}

HashedKey LoginGuard::key_of(std::string_view kind, std::string_view name) const { return KeyHasher(seed_).add(kind).add(name).finish(); }

HashedKey LoginGuard::pair_of(const LoginAttempt& attempt) const {
    return KeyHasher(seed_).add(kPair).add(attempt.network).add(lower(attempt.login)).finish();
}

std::optional<LoginGuard::Known> LoginGuard::find_known(const LoginAttempt& attempt, base::Time now) const {
    if (attempt.login.empty()) return std::nullopt;
    const auto known = known_.find(pair_of(attempt));
    return known && now < known->kept_until() ? known : std::nullopt;
}

double LoginGuard::count_now(HashedKey key, unsigned most, const LoginRules& rules, base::Time now) const {
    const auto found = failures_.find(key);
    return found ? Leak(most, rules, now).count(found->clear_at) : 0;
}

LoginGuard::Verdict LoginGuard::judge(const LoginAttempt& attempt, const LoginRules& rules, base::Time now) const {
    const auto of_client = bans_.find_network(attempt.address, now);
    const auto of_account = attempt.login.empty() ? std::nullopt : bans_.find_account(attempt.login, now);
    for (const auto* ban : {&of_client, &of_account})
        if (*ban && (*ban)->by == Ban::By::hand) return {.answer = Answer::banned, .until = (*ban)->until};
    if (is_allowed(attempt.address, rules)) return {};
    if (const auto known = find_known(attempt, now)) {
        const auto own = Leak(rules.failures, rules, now).count(known->clear_at);
        if (own <= rules.failures - 1) return {.delay = delay_after(own, rules)};
    }
    if (of_client) return {.answer = Answer::client_locked, .until = of_client->until};
    if (of_account) return {.answer = Answer::account_locked, .until = of_account->until};
    auto failures = count_now(key_of(kClient, attempt.network), rules.failures, rules, now);
    if (!attempt.login.empty())
        failures = std::max(failures, count_now(key_of(kAccount, lower(attempt.login)), rules.account_failures, rules, now));
    return {.delay = delay_after(failures, rules)};
}

/// The ban that begins with this failure, if one does.
std::optional<Ban> LoginGuard::count(HashedKey key, const BanSubject& subject, unsigned most, const LoginRules& rules, base::Time now) {
    const Leak leak(most, rules, now);
    auto ban = failures_.change(key, now, [&](Failures& failures) -> std::optional<Ban> {
        const auto lockouts = failures.lockouts_at(now);
        const auto allowed = std::max(most >> std::min(lockouts, 31U), 1U);
        const auto before = leak.count(failures.clear_at);
        failures.clear_at = leak.one_more(failures.clear_at);
        if (before + 1 <= allowed - 1) return std::nullopt;
        const auto until = now + lockout_after(lockouts, rules);
        failures = {.clear_at = 0, .struck = milliseconds(until), .lockouts = std::min<std::int64_t>(lockouts + 1, kMostLockouts)};
        return Ban{.subject = subject,
                   .by = Ban::By::failures,
                   .reason = "failed logins",
                   .since = now,
                   .until = until,
                   .failures = static_cast<std::uint32_t>(std::llround(std::ceil(before + 1)))};
    });
    if (ban && !bans_.put(*ban, now)) ban.reset();
    return ban;
}

LoginGuard::Lockouts LoginGuard::add_failure(const LoginAttempt& attempt, const LoginRules& rules, base::Time now) {
    if (is_allowed(attempt.address, rules)) return {};
    note_change();
    if (find_known(attempt, now))
        known_.change(pair_of(attempt), now,
                      [&](Known& known) { known.clear_at = Leak(rules.failures, rules, now).one_more(known.clear_at); });
    Lockouts lockouts;
    if (const auto client = client_subject(attempt.network))
        lockouts.client = count(key_of(kClient, attempt.network), *client, rules.failures, rules, now);
    if (const auto account = account_subject(attempt.login))
        lockouts.account = count(key_of(kAccount, account->text), *account, rules.account_failures, rules, now);
    return lockouts;
}

void LoginGuard::add_success(const LoginAttempt& attempt, const LoginRules& rules, base::Time now) {
    if (attempt.login.empty()) return;
    note_change();
    const Known known{.until = milliseconds(now + rules.known_for), .clear_at = 0};
    for (const auto key : {pair_of(attempt), key_of(kClient, attempt.network)})
        known_.change(key, now, [&](Known& place) { place = known; });
}

LoginGuard::Admission LoginGuard::admit(const std::string& address, std::string_view network, const LoginRules& rules,
                                        base::Time now) const {
    const auto ban = bans_.find_network(address, now);
    if (!ban) return Admission::welcome;
    if (ban->by == Ban::By::hand) return Admission::banned;
    const auto known = known_.find(key_of(kClient, network));
    return is_allowed(address, rules) || (known && now < known->kept_until()) ? Admission::welcome : Admission::locked_out;
}

base::Result<void> LoginGuard::ban(const Ban& ban, base::Time now) {
    note_change();
    return bans_.put(ban, now);
}

bool LoginGuard::lift(const BanSubject& subject, base::Time now) {
    note_change();
    const bool account = subject.of == BanSubject::Of::account;
    const auto name = subject.text.substr(0, subject.text.find('/'));
    failures_.change(key_of(account ? kAccount : kClient, account ? subject.text : name), now, [](Failures& failures) { failures = {}; });
    return bans_.lift(subject);
}

std::string LoginGuard::snapshot(base::Time now) const {
    SnapshotWriter out(kKind);
    out.number(seed_);
    failures_.write(out, now);
    known_.write(out, now);
    bans_.write(out, now);
    return std::move(out).finish();
}

base::Result<void> LoginGuard::restore(std::string_view octets) {
    auto in = SnapshotReader::open(octets, kKind);
    if (!in) return base::pass_on(in);
    const auto seed = in->number();
    const auto failures = HashedTable<Failures>::read(*in);
    const auto known = HashedTable<Known>::read(*in);
    const auto bans = Bans::read(*in);
    if (!failures || !known || !bans || !in->done()) return damaged_snapshot();
    seed_ = seed;
    failures_.fill(*failures);
    known_.fill(*known);
    bans_.fill(*bans, base::Time::min());
    return {};
}

}  // namespace thurn::policy
