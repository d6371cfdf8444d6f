#include "net/host_name.h"

#include <algorithm>

namespace thurn::net {

namespace {

bool is_label_octet(char octet) {
    return (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z') || (octet >= '0' && octet <= '9') || octet == '-' ||
           octet == '_';
}

bool is_label(std::string_view text) { return !text.empty() && text.size() <= 63 && std::ranges::all_of(text, is_label_octet); }

}  // namespace

bool is_host_name(std::string_view text) {
    if (text.size() > 253) return false;
    while (true) {
        const std::size_t dot = text.find('.');
        if (!is_label(text.substr(0, dot))) return false;
        if (dot == std::string_view::npos) return true;
        text.remove_prefix(dot + 1);
    }
}

std::string to_lower(std::string_view text) {
    std::string lower(text);
    for (char& octet : lower) {
        if (octet >= 'A' && octet <= 'Z') octet = static_cast<char>(octet + ('a' - 'A'));
    }
    return lower;
}

}  // namespace thurn::net
