#include "policy/bans.h"

#include "base/ascii.h"
#include "base/utf8.h"
#include "directory/resolve.h"
#include "dns/ip_address.h"
#include "policy/recipient_rule.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace thurn::policy {

namespace {

using base::ErrorKind;
using base::Result;

constexpr unsigned kMappedBits = 96;  // IPv4 addresses as the last 32 bits of IPv6 ones (RFC 4291 §2.5.5.2)

constexpr std::size_t kLongestLogin = 320;  // of an address: 64, an @, 255

using Octets16 = std::array<std::uint8_t, 16>;

std::optional<Octets16> octets_of(std::string_view text) {
    const auto address = dns::parse_ip(text);
    if (!address) return std::nullopt;
    const auto plain = dns::unmapped(*address);
    if (const auto* ipv6 = std::get_if<dns::Ipv6>(&plain)) return ipv6->octets;
    Octets16 octets{};
    octets[10] = octets[11] = 0xff;
    std::ranges::copy(std::get<dns::Ipv4>(plain).octets, octets.begin() + 12);
    return octets;
}

/// Whether a login can be told to people and programs. No account is called otherwise.
bool is_tellable(std::string_view login) {
    return login.size() <= kLongestLogin && base::is_utf8(login) &&
           std::ranges::none_of(login, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool looks_like_network(std::string_view text) {
    return text.find_first_of(".:/") != std::string_view::npos &&
           text.find_first_not_of("0123456789abcdefABCDEF.:/") == std::string_view::npos;
}

/// What a network is found by: its bits, and its octets as far as they count.
std::string network_key(Octets16 octets, unsigned bits) {
    for (unsigned bit = bits; bit < 128; ++bit) octets[bit / 8] &= static_cast<std::uint8_t>(~(0x80U >> (bit % 8)));
    std::string key(1, static_cast<char>(bits));
    key.append(octets.begin(), octets.end());
    return key;
}

std::string lower(std::string_view text) {
    std::string result;
    for (const char c : text) result.push_back(base::to_lower(c));
    return result;
}

std::string account_key(std::string_view login) { return "@" + lower(login); }

struct Place {
    std::string key;
    std::optional<unsigned> bits;  // of a network
};

Place place_of(const BanSubject& subject) {
    if (subject.of == BanSubject::Of::account) return {.key = account_key(subject.text), .bits = std::nullopt};
    const auto slash = subject.text.find('/');
    const auto address = subject.text.substr(0, slash);
    const bool ipv4 = address.find(':') == std::string::npos;
    unsigned bits = ipv4 ? 32 : 128;
    if (slash != std::string::npos) std::from_chars(subject.text.data() + slash + 1, subject.text.data() + subject.text.size(), bits);
    if (ipv4) bits += kMappedBits;
    return {.key = network_key(octets_of(address).value_or(Octets16{}), bits), .bits = bits};
}

/// One form for one network: `2001:DB8:0::/32` as `2001:db8::/32`, `192.0.2.1/32` as `192.0.2.1`.
Result<BanSubject> network_subject(std::string_view text) {
    if (auto network = parse_network(text); !network) return base::pass_on(network);
    const auto slash = text.find('/');
    const auto given = *dns::parse_ip(text.substr(0, slash));
    const auto address = dns::unmapped(given);
    unsigned bits = std::holds_alternative<dns::Ipv4>(given) ? 32 : 128;
    if (slash != std::string_view::npos) std::from_chars(text.data() + slash + 1, text.data() + text.size(), bits);
    if (address.index() != given.index()) bits = bits > kMappedBits ? bits - kMappedBits : 0;
    if (bits == 0) return base::fail(ErrorKind::invalid, fmt::format("\"{}\" is everybody", text));
    const bool one = bits == (std::holds_alternative<dns::Ipv4>(address) ? 32 : 128);
    const auto shown = dns::render_ip(address);
    return BanSubject{BanSubject::Of::network, one ? shown : fmt::format("{}/{}", shown, bits)};
}

base::Time end_of(const Ban& ban) { return ban.by == Ban::By::hand ? base::Time::max() : ban.until.value_or(base::Time::max()); }

std::uint64_t number_of(base::Time time) { return static_cast<std::uint64_t>(time.time_since_epoch().count()); }
base::Time time_of(std::uint64_t number) { return base::Time(base::Duration(static_cast<std::int64_t>(number))); }

}  // namespace

Result<BanSubject> parse_ban_subject(std::string_view text) {
    if (!looks_like_network(text) || text.find('@') != std::string_view::npos) {
        if (text.empty() || !is_tellable(text)) return base::fail(ErrorKind::invalid, "no login: empty, too long, or not plain text");
        return BanSubject{BanSubject::Of::account, directory::fold_address(text)};
    }
    auto network = network_subject(text);
    if (!network && network.error().kind == ErrorKind::syntax)
        return base::fail(ErrorKind::syntax, fmt::format("\"{}\" is no address such as 192.0.2.1, no network such as 192.0.2.0/24 or "
                                                         "2001:db8::/64 and no login such as anna@example.com",
                                                         text));
    return network;
}

Result<void> Bans::put(const Ban& ban, base::Time now) {
    return held_.with([&](Held& held) {
        auto done = put(held, ban, now);
        note_size(held);
        return done;
    });
}

Result<void> Bans::put(Held& held, const Ban& ban, base::Time now) {
    if (ban.reason.size() > kLongestReason)
        return base::fail(ErrorKind::too_long, fmt::format("a reason has at most {} octets", kLongestReason));
    const auto found = held.all.find(place_of(ban.subject).key);
    if (found != held.all.end()) {
        const auto& other = found->second;
        if (other.by == Ban::By::hand && ban.by == Ban::By::failures && other.holds(now)) return {};
        held.remove(std::string(found->first));
    }
    if (held.all.size() >= kMost || (ban.by == Ban::By::hand && held.by_hand >= kMostByHand)) make_room(held, now);
    if (ban.by == Ban::By::hand && held.by_hand >= kMostByHand)
        return base::fail(ErrorKind::full, fmt::format("there are {} bans by hand; ban networks, or lift some", kMostByHand));
    held.add(ban);
    return {};
}

void Bans::Held::add(const Ban& ban) {
    const auto place = place_of(ban.subject);
    if (place.bits) ++of_length[*place.bits];
    if (ban.by == Ban::By::hand) ++by_hand;
    all.emplace(place.key, ban);
}

bool Bans::Held::remove(const std::string& key) {
    const auto found = all.find(key);
    if (found == all.end()) return false;
    if (const auto bits = place_of(found->second.subject).bits) --of_length[*bits];
    if (found->second.by == Ban::By::hand) --by_hand;
    all.erase(found);
    return true;
}

/// What is over goes; if that is not enough, an eighth of the rest does.
void Bans::make_room(Held& held, base::Time now) {
    std::vector<Ban> kept;
    for (auto& [key, ban] : held.all)
        if (ban.holds(now)) kept.push_back(std::move(ban));
    constexpr auto kEnough = kMost - kMost / 8;
    if (kept.size() > kEnough) {
        std::ranges::nth_element(kept, kept.begin() + static_cast<std::ptrdiff_t>(kEnough), std::ranges::greater{}, end_of);
        kept.resize(kEnough);
    }
    held = {};
    for (const auto& ban : kept) held.add(ban);
}

bool Bans::lift(const BanSubject& subject) {
    return held_.with([&](Held& held) {
        const bool lifted = held.remove(place_of(subject).key);
        note_size(held);
        return lifted;
    });
}

std::optional<Ban> Bans::find_network(std::string_view address, base::Time now) const {
    if (size_.load(std::memory_order_relaxed) == 0) return std::nullopt;
    const auto octets = octets_of(address);
    if (!octets) return std::nullopt;
    return held_.with([&](const Held& held) -> std::optional<Ban> {
        std::optional<Ban> found;
        for (unsigned bits = 128; bits > 0; --bits) {
            if (held.of_length[bits] == 0) continue;
            const auto entry = held.all.find(network_key(*octets, bits));
            if (entry == held.all.end() || !entry->second.holds(now)) continue;
            if (!found || entry->second.by == Ban::By::hand) found = entry->second;
            if (found->by == Ban::By::hand) break;
        }
        return found;
    });
}

std::optional<Ban> Bans::find_account(std::string_view login, base::Time now) const {
    if (size_.load(std::memory_order_relaxed) == 0) return std::nullopt;
    return held_.with([&](const Held& held) -> std::optional<Ban> {
        const auto found = held.all.find(account_key(login));
        if (found == held.all.end() || !found->second.holds(now)) return std::nullopt;
        return found->second;
    });
}

std::vector<Ban> Bans::list(base::Time now) const {
    auto bans = held_.with([&](const Held& held) {
        std::vector<Ban> all;
        for (const auto& [key, ban] : held.all)
            if (ban.holds(now)) all.push_back(ban);
        return all;
    });
    std::ranges::sort(bans,
                      [](const Ban& a, const Ban& b) { return a.since != b.since ? a.since > b.since : a.subject.text < b.subject.text; });
    return bans;
}

void Bans::write(SnapshotWriter& out, base::Time now) const {
    const auto bans = list(now);
    out.number(bans.size());
    for (const auto& ban : bans) {
        out.text(ban.subject.text);
        out.number(ban.by == Ban::By::hand ? 0 : 1);
        out.text(ban.reason);
        out.number(number_of(ban.since));
        out.number(ban.until ? number_of(*ban.until) : 0);
        out.number(ban.failures);
    }
}

Result<std::vector<Ban>> Bans::read(SnapshotReader& in) {
    const auto count = in.number();
    if (count > kMost) return damaged_snapshot();
    std::vector<Ban> bans;
    for (std::uint64_t i = 0; i < count; ++i) {
        auto subject = parse_ban_subject(in.text());
        if (!subject) return damaged_snapshot();
        Ban ban{.subject = *std::move(subject),
                .by = in.number() == 0 ? Ban::By::hand : Ban::By::failures,
                .reason = std::string(in.text()),
                .since = time_of(in.number()),
                .until = std::nullopt,
                .failures = 0};
        if (const auto until = in.number(); until != 0) ban.until = time_of(until);
        ban.failures = static_cast<std::uint32_t>(in.number());
        bans.push_back(std::move(ban));
    }
    return bans;
}

void Bans::fill(const std::vector<Ban>& bans, base::Time now) {
    held_.with([&](Held& held) {
        held = {};
        for (const auto& ban : bans) static_cast<void>(put(held, ban, now));
        note_size(held);
    });
}

}  // namespace thurn::policy
