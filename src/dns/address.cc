#include "dns/dns.h"

#include <string>

namespace thurn::dns {

namespace {

constexpr std::string_view kHex = "0123456789abcdef";
constexpr std::size_t kGroups = 8;

using Groups = std::array<std::uint16_t, kGroups>;

struct Run {
    std::size_t begin = kGroups;
    std::size_t size = 0;
};

Groups groups_of(const Ipv6& address) {
    Groups groups{};
    for (std::size_t at = 0; at < kGroups; ++at)
        groups[at] = static_cast<std::uint16_t>((address.octets[2 * at] << 8U) | address.octets[2 * at + 1]);
    return groups;
}

/// RFC 5952 §4.2: the longest run of two and more zero groups, the first of equals.
Run longest_zeroes(const Groups& groups) {
    Run best;
    for (std::size_t at = 0; at < kGroups;) {
        std::size_t end = at;
        while (end < kGroups && groups[end] == 0) ++end;
        if (end - at >= 2 && end - at > best.size) best = {at, end - at};
        at = end + 1;
    }
    return best;
}

std::string render_group(std::uint16_t group) {
    std::string digits;
    for (int shift = 12; shift >= 0; shift -= 4) {
        const unsigned digit = (static_cast<unsigned>(group) >> static_cast<unsigned>(shift)) & 0xfU;
        if (!digits.empty() || digit != 0 || shift == 0) digits.push_back(kHex[digit]);
    }
    return digits;
}

}  // namespace

std::string render_ipv4(const Ipv4& address) {
    std::string text;
    for (const auto octet : address.octets) text.append(text.empty() ? "" : ".").append(std::to_string(octet));
    return text;
}

std::string render_ipv6(const Ipv6& address) {
    const Groups groups = groups_of(address);
    // RFC 5952 §5: an address known to hold an IPv4 one ends with that in its own form.
    if (groups[0] == 0 && groups[1] == 0 && groups[2] == 0 && groups[3] == 0 && groups[4] == 0 && groups[5] == 0xffff) {
        return "::ffff:" + render_ipv4({{address.octets[12], address.octets[13], address.octets[14], address.octets[15]}});
    }
    const Run zeroes = longest_zeroes(groups);
    std::string text;
    for (std::size_t at = 0; at < kGroups; ++at) {
        if (at == zeroes.begin) {
            text += "::";
            at += zeroes.size - 1;
            continue;
        }
        if (!text.empty() && !text.ends_with(':')) text.push_back(':');
        text += render_group(groups[at]);
    }
    return text;
}

std::string reverse_name(const Ipv4& address) {
    const auto& o = address.octets;
    return render_ipv4({{o[3], o[2], o[1], o[0]}}) + ".in-addr.arpa";
}

std::string reverse_name(const Ipv6& address) {
    std::string name;
    for (auto octet = address.octets.rbegin(); octet != address.octets.rend(); ++octet) {
        for (const unsigned nibble : {*octet & 0xfU, static_cast<unsigned>(*octet) >> 4U}) {
            name.push_back(kHex[nibble]);
            name.push_back('.');
        }
    }
    return name + "ip6.arpa";
}

}  // namespace thurn::dns
