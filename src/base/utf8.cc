#include "base/utf8.h"

#include <cstddef>

namespace thurn::base {
namespace {

/// What the first octet of a sequence promises: how many follow, and between which bounds the second lies.
struct Lead {
    std::size_t following;
    unsigned char low;
    unsigned char high;
};

constexpr Lead lead_of(unsigned char octet) {
    if (octet < 0xc2 || octet > 0xf4) return {0, 1, 0};
    if (octet < 0xe0) return {1, 0x80, 0xbf};
    if (octet == 0xe0) return {2, 0xa0, 0xbf};  // shorter forms exist below
    if (octet == 0xed) return {2, 0x80, 0x9f};  // surrogates above
    if (octet < 0xf0) return {2, 0x80, 0xbf};
    if (octet == 0xf0) return {3, 0x90, 0xbf};  // shorter forms exist below
    if (octet == 0xf4) return {3, 0x80, 0x8f};  // over U+10FFFF above
    return {3, 0x80, 0xbf};
}

/// Length of the well-formed sequence at the front, or 0.
std::size_t sequence_length(std::string_view octets) {
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(octets[i]); };
    if (at(0) < 0x80) return 1;
    const Lead lead = lead_of(at(0));
    if (lead.following == 0 || octets.size() <= lead.following) return 0;
    if (at(1) < lead.low || at(1) > lead.high) return 0;
    for (std::size_t i = 2; i <= lead.following; ++i) {
        if (at(i) < 0x80 || at(i) > 0xbf) return 0;
    }
    return lead.following + 1;
}

}  // namespace

bool is_utf8(std::string_view octets) {
    while (!octets.empty()) {
        const std::size_t length = sequence_length(octets);
        if (length == 0) return false;
        octets.remove_prefix(length);
    }
    return true;
}

}  // namespace thurn::base
