#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace thurn::support {

/// A file in the format of MaxMind DB 2.0: IPv4 networks of 24 bits, such as `192.0.2`, and their countries.
inline std::string country_database(const std::map<std::string, std::string>& countries) {
    const auto text = [](const std::string& value) { return static_cast<char>(0x40 | value.size()) + value; };
    const auto map = [](std::size_t size) { return std::string(1, static_cast<char>(0xe0 | size)); };
    const auto number = [](char type, std::uint8_t value) {
        return std::string{static_cast<char>(type << 5 | 1), static_cast<char>(value)};
    };
    constexpr std::uint32_t kNone = 0xffffffff;
    struct Node {
        std::uint32_t to[2] = {kNone, kNone};  // with kData, where in the data
    };
    constexpr std::uint32_t kData = 0x80000000;
    std::vector<Node> nodes(1);
    std::string data;
    for (const auto& [network, country] : countries) {
        std::uint32_t address = 0, part = 0;
        for (const char c : network + ".")
            if (c == '.') {
                address = address << 8U | part;
                part = 0;
            } else {
                part = part * 10 + static_cast<std::uint32_t>(c - '0');
            }
        std::size_t at = 0;
        for (int bit = 23; bit > 0; --bit) {
            auto next = nodes[at].to[address >> bit & 1U];
            if (next == kNone) {
                next = static_cast<std::uint32_t>(nodes.size());
                nodes[at].to[address >> bit & 1U] = next;
                nodes.emplace_back();
            }
            at = next;
        }
        nodes[at].to[address & 1U] = kData | static_cast<std::uint32_t>(data.size());
        data += map(1) + text("country") + map(1) + text("iso_code") + text(country);
    }
    const auto count = static_cast<std::uint32_t>(nodes.size());
    std::string octets;
    for (const auto& node : nodes)
        for (const auto to : node.to) {
            const auto record = to == kNone ? count : (to & kData) != 0 ? count + 16 + (to & ~kData) : to;
            for (int shift = 16; shift >= 0; shift -= 8) octets.push_back(static_cast<char>(record >> shift));
        }
    octets += std::string(16, '\0') + data + "\xab\xcd\xefMaxMind.com" + map(9);
    octets += text("node_count") + std::string{static_cast<char>(6 << 5 | 2), static_cast<char>(count >> 8), static_cast<char>(count)};
    octets += text("record_size") + number(5, 24) + text("ip_version") + number(5, 4) + text("database_type") + text("Test");
    octets += text("binary_format_major_version") + number(5, 2) + text("binary_format_minor_version") + number(5, 0);
    octets += text("languages") + std::string("\x01\x04", 2) + text("en") + text("description") + map(0);
    octets += text("build_epoch") + std::string("\x01\x02\x01", 3);
    return octets;
}

}  // namespace thurn::support
