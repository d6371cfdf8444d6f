// Both versions can be told from the first octet on: version 1 begins with "PROXY ", version 2 with CR. A header that is cut is not wrong yet,
// so each step asks first whether what it needs is there. Version 1 is read strictly: one space, no leading zeros, addresses of the family it
// names; a load balancer that writes otherwise is not one.
#include "net/proxy_header.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include <boost/asio/ip/address.hpp>

namespace thurn::net {

namespace {

namespace ip = boost::asio::ip;
using Parsed = base::Result<std::optional<ProxyHeader>>;
constexpr std::nullopt_t kNotWhole = std::nullopt;

std::unexpected<base::Error> bad(const char* what) { return base::fail(base::ErrorKind::syntax, what); }

// ---- Version 1

constexpr std::string_view kWord = "PROXY ";
constexpr std::size_t kLongestLine = 107;  // with CRLF

/// What stands before the next space, which is dropped.
std::string_view take_word(std::string_view& line) {
    const auto end = std::min(line.find(' '), line.size());
    const auto word = line.substr(0, end);
    line.remove_prefix(std::min(end + 1, line.size()));
    return word;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
    if (text.empty() || text.size() > 5 || (text.size() > 1 && text.front() == '0')) return std::nullopt;
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return port;
}

enum class Family { tcp4, tcp6 };

std::optional<ip::address> parse_address(std::string_view text, Family family) {
    boost::system::error_code error;
    if (family == Family::tcp4) {
        const auto address = ip::make_address_v4(text, error);
        return error ? std::nullopt : std::optional<ip::address>(address);
    }
    if (text.contains('%')) return std::nullopt;  // a scope is of that machine only
    const auto address = ip::make_address_v6(text, error);
    return error ? std::nullopt : std::optional<ip::address>(address);
}

base::Result<ProxyHeader::Ends> parse_line_ends(std::string_view line, Family family) {
    const auto source = parse_address(take_word(line), family);
    const auto destination = parse_address(take_word(line), family);
    if (!source || !destination) return bad("PROXY: not an address of its family");
    const auto source_port = parse_port(take_word(line));
    const bool cut = line.empty();
    const auto destination_port = parse_port(line);
    if (cut || !source_port || !destination_port) return bad("PROXY: not a port");
    return ProxyHeader::Ends{{*source, *source_port}, {*destination, *destination_port}};
}

Parsed parse_line(std::string_view octets) {
    const auto end = octets.substr(0, kLongestLine).find("\r\n");
    if (end == std::string_view::npos) {
        if (octets.size() >= kLongestLine) return base::fail(base::ErrorKind::too_long, "PROXY: the line has no end within 107 octets");
        return kNotWhole;
    }
    auto line = octets.substr(kWord.size(), end - kWord.size());
    const auto family = take_word(line);
    ProxyHeader header{.ends = {}, .size = end + 2};
    if (family == "UNKNOWN") return header;  // what follows says nothing
    if (family != "TCP4" && family != "TCP6") return bad("PROXY: neither TCP4, TCP6 nor UNKNOWN");
    auto ends = parse_line_ends(line, family == "TCP4" ? Family::tcp4 : Family::tcp6);
    if (!ends) return base::pass_on(ends);
    header.ends = *ends;
    return header;
}

// ---- Version 2

constexpr std::string_view kSignature{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::size_t kFixed = 16;  // signature, version and command, family, length

std::uint8_t octet_at(std::string_view octets, std::size_t at) { return static_cast<std::uint8_t>(octets[at]); }
std::uint16_t number_at(std::string_view octets, std::size_t at) {
    return static_cast<std::uint16_t>(octet_at(octets, at) << 8U | octet_at(octets, at + 1));
}

template <class Address>
Address address_at(std::string_view octets, std::size_t at) {
    typename Address::bytes_type bytes;
    std::copy_n(octets.begin() + static_cast<std::ptrdiff_t>(at), bytes.size(), reinterpret_cast<char*>(bytes.data()));
    return Address(bytes);
}

template <class Address>
ProxyHeader::Ends ends_in(std::string_view block) {
    constexpr std::size_t kSize = sizeof(typename Address::bytes_type);
    return {{address_at<Address>(block, 0), number_at(block, 2 * kSize)},
            {address_at<Address>(block, kSize), number_at(block, 2 * kSize + 2)}};
}

/// Reflected, polynomial 0x1EDC6F41, over `octets` with those of the checksum itself as zeros.
std::uint32_t crc32c(std::string_view octets, std::size_t checksum_at) {
    std::uint32_t crc = 0xffffffffU;
    for (std::size_t at = 0; at < octets.size(); ++at) {
        const bool own = at >= checksum_at && at < checksum_at + 4;
        crc ^= own ? 0U : octet_at(octets, at);
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0x82f63b78U : 0U);
    }
    return ~crc;
}

/// The additional fields that begin at `at`: of what they tell, only the checksum is ours to heed.
base::Result<void> check_fields(std::string_view header, std::size_t at) {
    constexpr std::uint8_t kCrc32c = 0x03;
    constexpr std::size_t kHead = 3;
    while (at < header.size()) {
        if (header.size() - at < kHead || header.size() - at - kHead < number_at(header, at + 1)) return bad("PROXY: a field is cut");
        const std::size_t size = number_at(header, at + 1);
        if (octet_at(header, at) == kCrc32c) {
            if (size != 4) return bad("PROXY: a checksum has four octets");
            const auto value = at + kHead;
            const auto told = static_cast<std::uint32_t>(number_at(header, value)) << 16U | number_at(header, value + 2);
            if (told != crc32c(header, value)) return base::fail(base::ErrorKind::corrupt, "PROXY: the checksum is wrong");
        }
        at += kHead + size;
    }
    return {};
}

/// How many octets the two ends take in each family (AF_UNSPEC, AF_INET, AF_INET6, AF_UNIX).
constexpr std::array<std::size_t, 4> kEndSizes{0, 12, 36, 216};

base::Result<ProxyHeader> read_block(std::string_view header) {
    constexpr unsigned kInet = 1;
    constexpr unsigned kInet6 = 2;
    constexpr unsigned kStream = 1;
    const unsigned family = octet_at(header, 13) >> 4U;
    const unsigned transport = octet_at(header, 13) & 0x0fU;
    if (family >= kEndSizes.size() || transport > 2) return bad("PROXY: no such family");
    if (header.size() - kFixed < kEndSizes[family]) return bad("PROXY: shorter than its addresses");
    if (auto good = check_fields(header, kFixed + kEndSizes[family]); !good) return base::pass_on(good);
    ProxyHeader result{.ends = {}, .size = header.size()};
    if (transport != kStream) {
        if (family == kInet || family == kInet6) return bad("PROXY: not a connection of TCP");
    } else if (family == kInet) {
        result.ends = ends_in<ip::address_v4>(header.substr(kFixed));
    } else if (family == kInet6) {
        result.ends = ends_in<ip::address_v6>(header.substr(kFixed));
    }
    return result;
}

Parsed parse_binary(std::string_view octets) {
    constexpr std::uint8_t kLocal = 0x20;
    constexpr std::uint8_t kProxy = 0x21;
    if (octets.size() > kSignature.size()) {
        const auto command = octet_at(octets, kSignature.size());
        if (command != kLocal && command != kProxy) return bad("PROXY: neither version 2 nor a command of it");
    }
    if (octets.size() < kFixed) return kNotWhole;
    const std::size_t size = kFixed + number_at(octets, 14);
    if (size > kLongestProxyHeader) return base::fail(base::ErrorKind::too_long, "PROXY: the header is too long");
    if (octets.size() < size) return kNotWhole;
    if (octet_at(octets, 12) == kLocal) return ProxyHeader{.ends = {}, .size = size};  // the rest is to be skipped, whatever it is
    auto header = read_block(octets.substr(0, size));
    if (!header) return base::pass_on(header);
    return *header;
}

bool begins_as(std::string_view octets, std::string_view expected) {
    return octets.substr(0, expected.size()) == expected.substr(0, octets.size());
}

}  // namespace

base::Result<std::optional<ProxyHeader>> parse_proxy_header(std::string_view octets) {
    if (begins_as(octets, kWord)) return octets.size() < kWord.size() ? Parsed(kNotWhole) : parse_line(octets);
    if (begins_as(octets, kSignature)) return octets.size() < kSignature.size() ? Parsed(kNotWhole) : parse_binary(octets);
    return bad("no PROXY header");
}

}  // namespace thurn::net
