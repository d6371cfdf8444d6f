#include "delivery/mailbox_path.h"

#include <array>

namespace thurn::delivery {
namespace {

constexpr std::string_view kDigits = "0123456789ABCDEF";

bool stays(char octet) {
    return (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z') || (octet >= '0' && octet <= '9') ||
           std::string_view("-_+=.").contains(octet);
}

void append_encoded(char octet, std::string& out) {
    const auto value = static_cast<unsigned char>(octet);
    out += '%';
    out += kDigits[value >> 4];
    out += kDigits[value & 15];
}

std::string value_of(std::string_view name, const mail::Mailbox& account) {
    if (name == "{domain}") return encode_path_name(account.domain.text());
    if (name == "{local}") return encode_path_name(account.local);
    // '@' never stays in an encoded name, so the address can be taken apart again.
    return encode_path_name(account.local) + '@' + encode_path_name(account.domain.text());
}

}  // namespace

std::string encode_path_name(std::string_view octets) {
    if (octets.empty()) return "%";
    std::string name;
    name.reserve(octets.size());
    for (const char octet : octets) {
        const bool hides = octet == '.' && name.empty();
        if (stays(octet) && !hides)
            name += octet;
        else
            append_encoded(octet, name);
    }
    return name;
}

std::string render_mailbox_path(std::string_view path_template, const mail::Mailbox& account) {
    static constexpr std::array<std::string_view, 3> kNames{"{domain}", "{local}", "{address}"};
    std::string path;
    while (!path_template.empty()) {
        std::size_t taken = 1;
        for (const auto name : kNames) {
            if (!path_template.starts_with(name)) continue;
            path += value_of(name, account);
            taken = 0;
            path_template.remove_prefix(name.size());
            break;
        }
        path.append(path_template.substr(0, taken));
        path_template.remove_prefix(taken);
    }
    return path;
}

}  // namespace thurn::delivery
