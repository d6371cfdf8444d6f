#pragma once

#include "dns/name.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace thurn::test {

inline std::string be16(unsigned value) { return {static_cast<char>(value >> 8U), static_cast<char>(value & 0xffU)}; }
inline std::string be32(std::uint32_t value) { return be16(value >> 16U) + be16(value & 0xffffU); }
/// A name of well-formed presentation form, uncompressed.
inline std::string wire_name(std::string_view text) { return dns::parse_name(text).value().labels + '\0'; }
/// A pointer to an offset in the packet.
inline std::string pointer(unsigned offset) { return be16(0xc000U | offset); }
/// One string of TXT RDATA.
inline std::string character_string(std::string_view octets) { return static_cast<char>(octets.size()) + std::string(octets); }
inline std::string mx_rdata(unsigned preference, std::string_view exchange) { return be16(preference) + wire_name(exchange); }
/// `minimum` is how long "no such thing" may be remembered.
inline std::string soa_rdata(std::uint32_t minimum) {
    return wire_name("ns.example") + wire_name("admin.example") + be32(1) + be32(3600) + be32(600) + be32(86400) + be32(minimum);
}

/// Builds a DNS answer by hand: any octets where a name or RDATA belongs.
class PacketBuilder {
public:
    /// The question's name begins at offset 12.
    PacketBuilder(unsigned id, unsigned code, std::string_view question, unsigned type)
        : id_(id), flags_(0x8180U | code), question_(wire_name(question) + be16(type) + be16(1)) {}

    PacketBuilder& flags(unsigned more) { return flags_ |= more, *this; }
    PacketBuilder& answer(std::string_view owner, unsigned type, std::uint32_t ttl, std::string_view rdata) {
        return answer_raw(wire_name(owner), type, ttl, rdata);
    }
    PacketBuilder& answer_raw(std::string_view owner, unsigned type, std::uint32_t ttl, std::string_view rdata) {
        ++answers_;
        return add(answer_, owner, type, ttl, rdata);
    }
    PacketBuilder& authority(std::string_view owner, unsigned type, std::uint32_t ttl, std::string_view rdata) {
        ++authorities_;
        return add(authority_, wire_name(owner), type, ttl, rdata);
    }
    [[nodiscard]] std::string packet() const {
        return be16(id_) + be16(flags_) + be16(1) + be16(answers_) + be16(authorities_) + be16(0) + question_ + answer_ + authority_;
    }

private:
    PacketBuilder& add(std::string& section, std::string_view owner, unsigned type, std::uint32_t ttl, std::string_view rdata) {
        section.append(owner)
            .append(be16(type))
            .append(be16(1))
            .append(be32(ttl))
            .append(be16(static_cast<unsigned>(rdata.size())))
            .append(rdata);
        return *this;
    }

    unsigned id_;
    unsigned flags_;
    unsigned answers_ = 0;
    unsigned authorities_ = 0;
    std::string question_;
    std::string answer_;
    std::string authority_;
};

}  // namespace thurn::test
