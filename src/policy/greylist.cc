#include "policy/greylist.h"

#include "base/ascii.h"
#include "dns/ip_address.h"

#include <algorithm>

namespace thurn::policy {

namespace {

constexpr SnapshotKind kKind{.name = "greylist", .version = 1};

using State = Greylist::Verdict::State;

std::string lower(std::string_view text) {
    std::string result;
    for (const char c : text) result.push_back(base::to_lower(c));
    return result;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// `prvs=1234abcdef=anna` as `anna`, `srs0=hash=tt=there.example=anna` as `srs#=there.example=anna`.
std::string_view without_tag(std::string_view local, std::string& prefix) {
    if (local.starts_with("prvs=")) {
        const auto tag = local.find('=', 5);
        return tag == std::string_view::npos ? local : local.substr(tag + 1);
    }
    if ((local.starts_with("srs0") || local.starts_with("srs1")) && local.size() > 5) {
        const auto hash = local.find('=', 5);
        const auto stamp = hash == std::string_view::npos || local[3] == '1' ? hash : local.find('=', hash + 1);
        if (stamp == std::string_view::npos) return local;
        prefix = "srs#=";
        return local.substr(stamp + 1);
    }
    return local;
}

/// A number in it is that of a message or of a recipient, and new each time: `bounce-7781@`, `news-2026-11-22@`.
std::string without_numbers(std::string_view text) {
    std::string result;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (!is_digit(text[at]))
            result.push_back(text[at]);
        else if (at == 0 || !is_digit(text[at - 1]))
            result.push_back('#');
    }
    return result;
}

std::uint32_t seconds(base::Time time) {
    return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count());
}
std::int64_t milliseconds(base::Time time) { return time.time_since_epoch().count(); }

}  // namespace

Triplet triplet_of(const Situation& now) {
    return {.network = greylist_network(now.client_address),
            .sender = now.sender ? mail::render_mailbox(*now.sender) : std::string(),
            .recipient = mail::render_mailbox(*now.recipient)};
}

std::string greylist_network(std::string_view text) {
    const auto parsed = dns::parse_ip(text);
    if (!parsed) return std::string(text);
    auto address = dns::unmapped(*parsed);
    if (auto* ipv4 = std::get_if<dns::Ipv4>(&address))
        ipv4->octets[3] = 0;
    else
        std::fill(std::get<dns::Ipv6>(address).octets.begin() + 8, std::get<dns::Ipv6>(address).octets.end(), std::uint8_t{0});
    return dns::render_ip(address);
}

std::string greylist_sender(std::string_view sender) {
    const auto text = lower(sender);
    const auto at = text.rfind('@');
    if (at == std::string::npos) return text;
    std::string prefix;
    auto local = without_tag(std::string_view(text).substr(0, at), prefix);
    if (const auto plus = local.find('+'); plus != std::string_view::npos && plus > 0) local = local.substr(0, plus);
    return prefix + without_numbers(local) + text.substr(at);
}

HashedKey Greylist::key_of(const Triplet& triplet) const {
    return KeyHasher(seed_).add(triplet.network).add(greylist_sender(triplet.sender)).add(lower(triplet.recipient)).finish();
}

HashedKey Greylist::key_of_network(const Triplet& triplet) const { return KeyHasher(seed_).add(triplet.network).finish(); }

bool Greylist::is_known(HashedKey network, const GreylistRules& rules, base::Time now) const {
    const auto found = networks_.find(network);
    return rules.known_after > 0 && found && now < found->kept_until() && found->passed >= std::int64_t{rules.known_after};
}

Greylist::Verdict Greylist::verdict_of(const Seen& seen, const GreylistRules& rules, base::Time now) {
    if (now >= seen.kept_until()) return {.state = State::fresh, .left = rules.delay};
    if (seen.first == 0) return {.state = State::passed};
    const auto waited = std::chrono::seconds(std::int64_t{seconds(now)} - std::int64_t{seen.first});
    if (waited >= rules.delay) return {.state = State::passed};
    return {.state = State::waiting, .left = std::min(rules.delay - waited, rules.delay)};  // the clock may have been set back
}

Greylist::Verdict Greylist::peek(const Triplet& triplet, const GreylistRules& rules, base::Time now) const {
    if (is_known(key_of_network(triplet), rules, now)) return {.state = State::known};
    return verdict_of(triplets_.find(key_of(triplet)).value_or(Seen{}), rules, now);
}

FactValue Greylist::Verdict::wait() const { return defers() ? std::max(1.0, static_cast<double>(left.count())) : 0.0; }

/// Counts the triplets of a network once each, when they pass; and what a known network sends keeps it known.
Greylist::Verdict Greylist::judge(const Triplet& triplet, const GreylistRules& rules, base::Time now) {
    changes_.fetch_add(1, std::memory_order_relaxed);
    const auto network = key_of_network(triplet);
    if (is_known(network, rules, now)) {
        networks_.change(network, now, [&](Network& place) { place.until = milliseconds(now + rules.keep); });
        return {.state = State::known};
    }
    bool passes_first = false;
    const auto verdict = triplets_.change(key_of(triplet), now, [&](Seen& seen) {
        const auto found = verdict_of(seen, rules, now);
        if (found.state == State::fresh) seen = {.first = seconds(now), .until = milliseconds(now + rules.retry_window)};
        if (found.state == State::waiting) seen.first = std::min(seen.first, seconds(now));  // the clock may have been set back
        if (found.state == State::passed) {
            passes_first = seen.first != 0;
            seen = {.first = 0, .until = milliseconds(now + rules.keep)};
        }
        return found;
    });
    if (passes_first) count_passed(network, rules, now);
    return verdict;
}

void Greylist::count_passed(HashedKey network, const GreylistRules& rules, base::Time now) {
    networks_.change(network, now, [&](Network& place) {
        if (now >= place.kept_until()) place.passed = 0;
        place = {.passed = std::clamp<std::int64_t>(place.passed, 0, 1'000'000) + 1, .until = milliseconds(now + rules.keep)};
    });
}

std::string Greylist::snapshot(base::Time now) const {
    SnapshotWriter out(kKind);
    out.number(seed_);
    triplets_.write(out, now);
    networks_.write(out, now);
    return std::move(out).finish();
}

base::Result<void> Greylist::restore(std::string_view octets) {
    auto in = SnapshotReader::open(octets, kKind);
    if (!in) return base::pass_on(in);
    const auto seed = in->number();
    const auto triplets = HashedTable<Seen>::read(*in);
    const auto networks = HashedTable<Network>::read(*in);
    if (!triplets || !networks || !in->done()) return damaged_snapshot();
    seed_ = seed;
    triplets_.fill(*triplets);
    networks_.fill(*networks);
    return {};
}

}  // namespace thurn::policy
