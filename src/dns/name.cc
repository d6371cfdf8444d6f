#include "dns/name.h"

#include <cstdint>

namespace thurn::dns {

namespace {

using base::ErrorKind;

constexpr std::size_t kLongestLabel = 63;
constexpr std::size_t kLongestName = 254;  // without the root's octet
constexpr int kMostPointers = 127;         // no name has more labels to point to
constexpr std::uint8_t kPointer = 0xc0;    // RFC 1035 §4.1.4

std::uint8_t octet_at(std::string_view text, std::size_t at) { return static_cast<std::uint8_t>(text[at]); }

char to_lower(char octet) { return octet >= 'A' && octet <= 'Z' ? static_cast<char>(octet + ('a' - 'A')) : octet; }

bool is_digit(char octet) { return octet >= '0' && octet <= '9'; }

bool stands_for_itself(char octet) {
    return (octet >= 'a' && octet <= 'z') || is_digit(octet) || octet == '-' || octet == '_' || octet == '*' || octet == '/';
}

base::Result<void> append_label(std::string& labels, std::string_view label) {
    if (label.empty()) return base::fail(ErrorKind::syntax, "DNS name with an empty label");
    if (label.size() > kLongestLabel) return base::fail(ErrorKind::too_long, "DNS label over 63 octets");
    if (labels.size() + 1 + label.size() > kLongestName) return base::fail(ErrorKind::too_long, "DNS name over 255 octets");
    labels.push_back(static_cast<char>(label.size()));
    for (const char octet : label) labels.push_back(to_lower(octet));
    return {};
}

/// One octet of a label in presentation form; `at` is put behind it.
base::Result<char> take_octet(std::string_view text, std::size_t& at) {
    if (text[at] != '\\') return text[at++];
    if (at + 1 == text.size()) return base::fail(ErrorKind::syntax, "DNS name ends with a backslash");
    if (!is_digit(text[at + 1])) return at += 2, text[at - 1];
    if (at + 4 > text.size() || !is_digit(text[at + 2]) || !is_digit(text[at + 3]))
        return base::fail(ErrorKind::syntax, "DNS name with a bad escape");
    const int value = (text[at + 1] - '0') * 100 + (text[at + 2] - '0') * 10 + (text[at + 3] - '0');
    if (value > 255) return base::fail(ErrorKind::syntax, "DNS name with an escape over 255");
    at += 4;
    return static_cast<char>(value);
}

base::Result<std::string> take_label(std::string_view text, std::size_t& at) {
    std::string label;
    while (at < text.size() && text[at] != '.') {
        auto octet = take_octet(text, at);
        if (!octet) return base::pass_on(octet);
        label.push_back(*octet);
    }
    return label;
}

void append_octet(std::string& text, char octet) {
    if (stands_for_itself(octet)) {
        text.push_back(octet);
        return;
    }
    const auto value = static_cast<std::uint8_t>(octet);
    text.push_back('\\');
    text.push_back(static_cast<char>('0' + value / 100));
    text.push_back(static_cast<char>('0' + value / 10 % 10));
    text.push_back(static_cast<char>('0' + value % 10));
}

}  // namespace

base::Result<WireName> parse_name(std::string_view text) {
    WireName name;
    if (text == ".") return name;
    std::size_t at = 0;
    while (at < text.size()) {
        auto label = take_label(text, at);
        if (!label) return base::pass_on(label);
        if (auto appended = append_label(name.labels, *label); !appended) return base::pass_on(appended);
        if (at < text.size()) ++at;  // the dot
    }
    return name;
}

std::string render_name(const WireName& name) {
    std::string text;
    const std::string_view labels = name.labels;
    for (std::size_t at = 0; at < labels.size();) {
        if (at > 0) text.push_back('.');
        const std::size_t size = octet_at(labels, at++);
        for (const char octet : labels.substr(at, size)) append_octet(text, octet);
        at += size;
    }
    return text;
}

base::Result<WireName> take_name(std::string_view packet, std::size_t& at) {
    WireName name;
    std::size_t cursor = at;
    std::size_t lowest = at;  // where the labels being read began; a pointer must go below it
    bool jumped = false;
    for (int pointers = 0; cursor < packet.size();) {
        const std::uint8_t length = octet_at(packet, cursor);
        if ((length & kPointer) == kPointer) {
            if (cursor + 2 > packet.size()) break;
            const std::size_t target = (static_cast<std::size_t>(length & 0x3fU) << 8U) | octet_at(packet, cursor + 1);
            if (target >= lowest || ++pointers > kMostPointers) return base::fail(ErrorKind::syntax, "DNS name with a compression loop");
            if (!jumped) at = cursor + 2;
            jumped = true;
            cursor = lowest = target;
            continue;
        }
        if ((length & kPointer) != 0) return base::fail(ErrorKind::syntax, "DNS name with a reserved label type");
        ++cursor;
        if (length == 0) {
            if (!jumped) at = cursor;
            return name;
        }
        if (packet.size() - cursor < length) break;
        if (!append_label(name.labels, packet.substr(cursor, length))) return base::fail(ErrorKind::syntax, "DNS name over 255 octets");
        cursor += length;
    }
    return base::fail(ErrorKind::syntax, "DNS name is cut short");
}

}  // namespace thurn::dns
