#include "policy/recipient_rule.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>

#include <arpa/inet.h>  // text forms only: inet_pton, inet_ntop

namespace thurn::policy {
namespace {

using base::ErrorKind;
using base::Result;

constexpr unsigned kMappedBits = 96;  // ::ffff:0:0/96 holds IPv4 (RFC 4291 §2.5.5.2)
using Octets16 = std::array<unsigned char, 16>;

constexpr Octets16 mapped(std::array<unsigned char, 4> octets) {
    return {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, octets[0], octets[1], octets[2], octets[3]};
}

struct Parsed {
    Octets16 octets;
    bool is_ipv4_text;
};

/// Whatever form an address comes in, its 16 octets.
std::optional<Parsed> parse_address(std::string_view text) {
    const std::string terminated(text);
    if (terminated.find('\0') != std::string::npos) return std::nullopt;
    std::array<unsigned char, 4> ipv4{};
    if (::inet_pton(AF_INET, terminated.c_str(), ipv4.data()) == 1) return Parsed{mapped(ipv4), true};
    Octets16 ipv6{};
    if (::inet_pton(AF_INET6, terminated.c_str(), ipv6.data()) == 1) return Parsed{ipv6, false};
    return std::nullopt;
}

std::string render_address(const Octets16& octets, bool as_ipv4) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const void* from = as_ipv4 ? octets.data() + 12 : octets.data();
    ::inet_ntop(as_ipv4 ? AF_INET : AF_INET6, from, text.data(), text.size());
    return text.data();
}

bool is_mapped(const Octets16& octets) {
    constexpr Octets16 kMapped = mapped({0, 0, 0, 0});
    return std::equal(octets.begin(), octets.begin() + 12, kMapped.begin());
}

/// The octets with all bits after the first `bits` set to `filling`.
Octets16 filled(Octets16 octets, unsigned bits, bool filling) {
    for (unsigned bit = bits; bit < 128; ++bit) {
        const auto mask = static_cast<unsigned char>(0x80u >> (bit % 8));
        auto& octet = octets[bit / 8];
        octet = static_cast<unsigned char>(filling ? octet | mask : octet & ~mask);
    }
    return octets;
}

std::optional<unsigned> parse_bits(std::string_view text, unsigned most) {
    unsigned bits = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bits);
    const bool whole = error == std::errc{} && end == text.data() + text.size() && (text.size() == 1 || text.front() != '0');
    if (!whole || bits > most) return std::nullopt;
    return bits;
}

struct Range {
    Octets16 first;
    Octets16 last;
};

/// Ranges sorted, and joined where they touch or overlap.
std::vector<Range> joined(std::vector<Range> ranges) {
    const auto next = [](Octets16 octets) {
        for (auto octet = octets.rbegin(); octet != octets.rend() && ++*octet == 0;) ++octet;
        return octets;
    };
    std::ranges::sort(ranges, {}, &Range::first);
    std::vector<Range> result;
    for (const Range& range : ranges) {
        const bool touches = !result.empty() && (range.first <= result.back().last || range.first == next(result.back().last));
        if (touches)
            result.back().last = std::max(result.back().last, range.last);
        else
            result.push_back(range);
    }
    return result;
}

/// What the internet's hosts have (IANA's registries of special and of global unicast addresses): who relays for all of these relays for
/// the world, even where he left out addresses nobody has. Private and loopback ranges lie between the IPv4 ones.
const std::array kPublicIpv4 = {
    Range{mapped({1, 0, 0, 0}), mapped({9, 255, 255, 255})},
    Range{mapped({11, 0, 0, 0}), mapped({126, 255, 255, 255})},
    Range{mapped({128, 0, 0, 0}), mapped({223, 255, 255, 255})},
};
const std::array kPublicIpv6 = {
    Range{Octets16{0x20}, filled(Octets16{0x20}, 3, true)},  // 2000::/3
};

bool covers(const std::vector<Range>& ranges, const Range& wanted) {
    return std::ranges::any_of(ranges, [&](const Range& range) { return range.first <= wanted.first && wanted.last <= range.last; });
}

Octets16 octets_of(const std::string& prefix) {
    Octets16 octets{};
    std::copy_n(prefix.begin(), std::min(prefix.size(), octets.size()), octets.begin());
    return octets;
}

}  // namespace

Result<Network> parse_network(std::string_view text) {
    const auto slash = text.find('/');
    const auto parsed = parse_address(text.substr(0, slash));
    if (!parsed) return base::fail(ErrorKind::syntax, "not an address or network such as 192.0.2.0/24 or 2001:db8::/32");
    const unsigned most = parsed->is_ipv4_text ? 32 : 128;
    unsigned bits = most;
    if (slash != std::string_view::npos) {
        const auto given = parse_bits(text.substr(slash + 1), most);
        if (!given) return base::fail(ErrorKind::syntax, "the number after the / must be 0 to " + std::to_string(most));
        bits = *given;
    }
    const std::string suffix = "/" + std::to_string(bits);
    if (parsed->is_ipv4_text) bits += kMappedBits;
    const Octets16 prefix = filled(parsed->octets, bits, false);
    if (prefix != parsed->octets)
        return base::fail(ErrorKind::invalid, std::string(text) + " has bits set behind its prefix; did you mean " +
                                                  render_address(prefix, parsed->is_ipv4_text) + suffix + "?");
    Network network;
    network.text_ = std::string(text);
    network.prefix_.assign(prefix.begin(), prefix.end());
    network.bits_ = bits;
    return network;
}

bool Network::contains(std::string_view address) const {
    const auto parsed = parse_address(address.substr(0, address.find('%')));  // fe80::1%eth0: the zone is no part of the address
    if (!parsed || prefix_.size() != 16) return false;
    const Octets16 prefix = octets_of(prefix_);
    // An IPv4 client is inside IPv4 networks only, not inside ::/8, which holds its mapped form by accident.
    if (is_mapped(parsed->octets) && (bits_ < kMappedBits || !is_mapped(prefix))) return false;
    return filled(parsed->octets, bits_, false) == prefix;
}

bool Network::is_everyone() const { return covers_everyone({*this}); }

bool covers_everyone(const std::vector<Network>& networks) {
    std::vector<Range> ipv4;
    std::vector<Range> ipv6;
    for (const Network& network : networks) {
        const Octets16 first = octets_of(network.prefix_);
        auto& family = network.bits_ >= kMappedBits && is_mapped(first) ? ipv4 : ipv6;  // as contains() tells them apart
        family.push_back({first, filled(first, network.bits_, true)});
    }
    const auto holds_all = [](const auto& wanted, std::vector<Range> ranges) {
        const auto all = joined(std::move(ranges));
        return std::ranges::all_of(wanted, [&](const Range& range) { return covers(all, range); });
    };
    return holds_all(kPublicIpv4, std::move(ipv4)) || holds_all(kPublicIpv6, std::move(ipv6));
}

std::string client_network(std::string_view address) {
    const auto parsed = parse_address(address);
    if (!parsed) return std::string(address);
    const bool ipv4 = is_mapped(parsed->octets);
    return render_address(ipv4 ? parsed->octets : filled(parsed->octets, 64, false), ipv4);
}

std::string client_subnet(std::string_view address) {
    const auto parsed = parse_address(address);
    if (!parsed) return std::string(address);
    const bool ipv4 = is_mapped(parsed->octets);
    return render_address(filled(parsed->octets, ipv4 ? kMappedBits + 24 : 64, false), ipv4) + (ipv4 ? "/24" : "/64");
}

}  // namespace thurn::policy
