// Snapshots of kept state: octets of any origin are refused, or are a state that can be used and written again.
#include "policy/account_baseline.h"
#include "policy/alarm.h"
#include "policy/greylist.h"
#include "policy/login_guard.h"
#include "policy/token_buckets.h"
#include "require.h"

#include <string>
#include <vector>

#include <xxhash.h>

using namespace thurn;
using namespace thurn::policy;
using fuzz::require;

namespace {

/// A checksum that is right: else nothing behind it would ever be reached.
std::string sealed(std::string octets) {
    if (octets.size() < 8) return octets;
    const auto sum = XXH3_64bits(octets.data(), octets.size() - 8);
    for (unsigned i = 0; i < 8; ++i) octets[octets.size() - 8 + i] = static_cast<char>(sum >> 8 * i);
    return octets;
}

constexpr base::Time kNow{std::chrono::days(20000)};

/// What was restored can be written and restored again, to the same.
template <class State>
void survives(const State& state) {
    const auto octets = state.snapshot(kNow);
    State other({.capacity = 256, .seed = 2});
    require(other.restore(octets).has_value(), "what was written can be read");
    require(other.snapshot(kNow).size() == octets.size(), "and is the same");
}

void buckets(const std::string& octets) {
    TokenBuckets state({.capacity = 256, .seed = 1});
    if (!state.restore(octets)) {
        require(state.size() == 0, "what is refused changes nothing");
        return;
    }
    require(state.octets() < 64 * 1024, "the capacity holds for what is read, too");
    const std::vector<std::string> values{"a"};
    const Limit limit{3, std::chrono::hours(1)};
    for (int i = 0; i < 4; ++i) {
        const auto taken = state.take("r", values, 1, limit, kNow);
        require(taken.left >= 0 && taken.left <= 3, "a bucket holds what the limit says");
        require(taken.room || (taken.wait > base::Duration(0) && taken.wait <= limit.period), "there is room within the period");
    }
    survives(state);
}

void logins(const std::string& octets) {
    LoginGuard guard({.capacity = 256, .seed = 1});
    if (!guard.restore(octets)) return;
    const LoginRules rules;
    const LoginAttempt attempt{.address = "192.0.2.1", .network = "192.0.2.1", .login = "anna@here.example"};
    for (int i = 0; i < 40; ++i) {
        const auto lockouts = guard.add_failure(attempt, rules, kNow);
        for (const auto* ban : {&lockouts.client, &lockouts.account})
            require(!*ban || ((*ban)->until > kNow && (*ban)->until <= kNow + rules.longest_lockout), "a lockout ends");
    }
    require(guard.judge(attempt, rules, kNow).answer != LoginGuard::Verdict::Answer::check, "nothing that is read makes it blind");
    for (const auto& ban : guard.list(kNow)) require(guard.lift(ban.subject, kNow), "what is listed can be lifted");
    guard.add_success(attempt, rules, kNow);
    survives(guard);
}

void greylist(const std::string& octets) {
    Greylist list({.capacity = 256, .seed = 1});
    if (!list.restore(octets)) return;
    const Triplet triplet{"192.0.2.0", "carl@there.example", "anna@here.example"};
    const GreylistRules rules;
    const auto first = list.judge(triplet, rules, kNow);
    require(first.left >= std::chrono::seconds(0) && first.left <= rules.delay, "nobody waits longer than the delay");
    static_cast<void>(list.judge(triplet, rules, kNow + rules.delay));  // what was read may be forgotten just before
    require(!list.judge(triplet, rules, kNow + 2 * rules.delay).defers(), "who tries again passes");
    survives(list);
}

void accounts(const std::string& octets) {
    AccountBaseline state({.capacity = 256, .seed = 1});
    if (!state.restore(octets)) return;
    AccountRules rules;
    rules.learning = std::chrono::seconds(0);
    std::vector<spool::Recipient> recipients(1);
    constexpr auto kLogin = "anna@here.example";
    for (unsigned i = 0; i <= rules.new_recipients; ++i) {
        recipients[0].mailbox.local = std::to_string(i);
        static_cast<void>(state.add({.login = kLogin, .recipients = recipients, .country = "DE"}, rules, kNow));
    }
    require(state.find(kLogin, kNow).has_value(), "what was counted is found");
    static_cast<void>(state.release(kLogin, kNow));
    require(!state.find(kLogin, kNow)->jump, "what is released is no jump");
    survives(state);
}

void alarms(const std::string& octets) {
    AlarmBook book;
    if (!book.restore(octets)) {
        require(book.list(base::Time(), std::nullopt).empty(), "what is refused changes nothing");
        return;
    }
    static_cast<void>(book.add({.kind = AlarmKind::relay, .subject = "192.0.2.1"}, kNow));
    AlarmBook other;
    require(other.restore(book.snapshot(kNow)).has_value(), "what was written can be read");
    require(other.counts() == book.counts(), "and is the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto octets = sealed(std::string(fuzz::as_text(data, size)));
    buckets(octets);
    logins(octets);
    greylist(octets);
    accounts(octets);
    alarms(octets);
    return 0;
}
