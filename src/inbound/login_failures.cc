// Two tables of fixed size, each cut into sets of four places. What a name hashes to is its set; within it, the place that counts least makes
// room for a newcomer. So a client that fails much is not driven out by many that fail once, and nothing ever has to be cleaned up.
#include "inbound/login_failures.h"

#include "base/ascii.h"

#include <algorithm>
#include <span>

namespace thurn::inbound {

namespace {

constexpr std::size_t kPlaces = 4;
constexpr std::size_t kSets = 4096;

std::uint32_t seconds_of(LoginFailures::Time time) {
    return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count());
}

template <class Entries>
auto set_of(Entries& entries, std::uint64_t key) {
    return std::span(entries).subspan(key % kSets * kPlaces, kPlaces);
}

/// What is left of a count by now.
template <class Entry>
float count_now(const Entry& entry, const LoginFailures::Rules& rules, std::uint32_t now) {
    const float passed = static_cast<float>(now - entry.at);
    const float gone = passed * static_cast<float>(rules.most) / static_cast<float>(std::max<std::int64_t>(rules.window.count(), 1));
    return std::max(entry.count - gone, 0.0F);
}

template <class Entries>
float find_count(const Entries& entries, std::uint64_t key, const LoginFailures::Rules& rules, std::uint32_t now) {
    for (const auto& entry : set_of(entries, key))
        if (entry.key == key) return count_now(entry, rules, now);
    return 0;
}

template <class Entries>
void add_one(Entries& entries, std::uint64_t key, const LoginFailures::Rules& rules, std::uint32_t now) {
    auto places = set_of(entries, key);
    auto place = std::ranges::find(places, key, [](const auto& entry) { return entry.key; });
    if (place == places.end())
        place = std::ranges::min_element(places, {}, [&](const auto& entry) { return count_now(entry, rules, now); });
    const float before = place->key == key ? count_now(*place, rules, now) : 0;
    *place = {.key = key, .count = before + 1, .at = now};
}

std::chrono::milliseconds delay_after(float failures, const LoginFailures::Rules& rules) {
    if (failures < 0.5F || rules.delay.count() == 0) return {};
    constexpr float kEnough = 20;  // doublings; the longest delay is reached far earlier
    const auto doublings = static_cast<unsigned>(std::clamp(failures - 0.5F, 0.0F, kEnough));
    return std::min(rules.delay * (1 << doublings), LoginFailures::Rules::longest_delay);
}

}  // namespace

LoginFailures::LoginFailures(std::uint64_t seed) : seed_(seed), tables_(Tables{}) {
    tables_.with([](Tables& tables) {
        tables.clients.resize(kSets * kPlaces);
        tables.logins.resize(kSets * kPlaces);
    });
}

LoginFailures::Verdict LoginFailures::judge(std::string_view client, std::string_view login, const Rules& rules, Time now) const {
    const auto second = seconds_of(now);
    const auto [of_client, of_login] = tables_.with([&](const Tables& tables) {
        return std::pair(find_count(tables.clients, key_of(client), rules, second),
                         login.empty() ? 0.0F : find_count(tables.logins, key_of(login), rules, second));
    });
    if (of_client > static_cast<float>(rules.most) - 1) return {.delay = {}, .locked_out = true};
    return {.delay = std::max(delay_after(of_client, rules), delay_after(of_login, rules)), .locked_out = false};
}

void LoginFailures::add(std::string_view client, std::string_view login, const Rules& rules, Time now) {
    const auto second = seconds_of(now);
    tables_.with([&](Tables& tables) {
        add_one(tables.clients, key_of(client), rules, second);
        if (!login.empty()) add_one(tables.logins, key_of(login), rules, second);
    });
}

/// FNV-1a, without case: logins are matched without. Never 0, which marks a free place.
std::uint64_t LoginFailures::key_of(std::string_view text) const {
    std::uint64_t hash = 0xcbf29ce484222325U ^ seed_;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(base::to_lower(c))) * 0x100000001b3U;
    hash = (hash ^ (hash >> 31U)) * 0x9e3779b97f4a7c15U;
    return std::max<std::uint64_t>(hash ^ (hash >> 29U), 1);
}

}  // namespace thurn::inbound
