#include "net/proxy_header.h"

#include <cstdint>
#include <string>

#include <gtest/gtest.h>

namespace thurn::net {
namespace {

namespace ip = boost::asio::ip;
using base::ErrorKind;
using namespace std::string_literals;

ip::tcp::endpoint at(const char* address, std::uint16_t port) { return {ip::make_address(address), port}; }

const std::string kSignature = "\r\n\r\n\0\r\nQUIT\n"s;

std::string number(std::size_t value) { return {static_cast<char>(value >> 8U), static_cast<char>(value & 0xffU)}; }
std::string field(char type, const std::string& value) { return type + number(value.size()) + value; }
std::string binary(char command, char family, const std::string& block) {
    return kSignature + command + family + number(block.size()) + block;
}

const std::string kV4Ends = "\xc0\x00\x02\x01\xc6\x33\x64\x02\x12\x67\x00\x19"s;
const std::string kV6Ends = "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\x12\x67\x00\x19"s;

/// Computed another way than the parser's: bit by bit from the left, over reflected octets (RFC 3720 §12.1).
std::uint32_t checksum(const std::string& octets) {
    const auto reflect = [](std::uint32_t value, int bits) {
        std::uint32_t result = 0;
        for (int bit = 0; bit < bits; ++bit) result |= (value >> bit & 1U) << (bits - 1 - bit);
        return result;
    };
    std::uint32_t crc = 0xffffffffU;
    for (const char c : octets) {
        crc ^= reflect(static_cast<unsigned char>(c), 8) << 24U;
        for (int bit = 0; bit < 8; ++bit) crc = (crc << 1U) ^ ((crc >> 31U) != 0 ? 0x1edc6f41U : 0U);
    }
    return ~reflect(crc, 32);
}

std::string with_checksum(std::uint32_t spoilt_by = 0) {
    auto header = binary(0x21, 0x11, kV4Ends + field(0x04, "noop") + field(0x03, "\0\0\0\0"s));
    const auto sum = checksum(header) ^ spoilt_by;
    header.replace(header.size() - 4, 4, number(sum >> 16U) + number(sum & 0xffffU));
    return header;
}

struct Good {
    const char* name;
    std::string octets;
    std::optional<ProxyHeader::Ends> ends;
};
class GoodHeaders : public testing::TestWithParam<Good> {};

TEST_P(GoodHeaders, AreReadWhenWholeAndNotBefore) {
    const auto& [name, octets, ends] = GetParam();
    for (std::size_t size = 0; size < octets.size(); ++size) {
        const auto cut = parse_proxy_header(octets.substr(0, size));
        ASSERT_TRUE(cut) << "cut at " << size << ": " << cut.error().detail;
        EXPECT_EQ(*cut, std::nullopt) << "cut at " << size;
    }
    for (const char* behind : {"", "EHLO a\r\n", "\r\n", "\x16\x03\x01"}) {
        const auto parsed = parse_proxy_header(octets + behind);
        ASSERT_TRUE(parsed) << parsed.error().detail;
        EXPECT_EQ(*parsed, (ProxyHeader{.ends = ends, .size = octets.size()}));
    }
}

const ProxyHeader::Ends kV4{at("192.0.2.1", 4711), at("198.51.100.2", 25)};
const ProxyHeader::Ends kV6{at("2001:db8::1", 4711), at("2001:db8::2", 25)};

INSTANTIATE_TEST_SUITE_P(
    Proxy, GoodHeaders,
    testing::Values(
        Good{"Tcp4", "PROXY TCP4 192.0.2.1 198.51.100.2 4711 25\r\n", kV4},
        Good{"Tcp6", "PROXY TCP6 2001:db8::1 2001:db8::2 4711 25\r\n", kV6},
        Good{"LongestTcp6", "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
             ProxyHeader::Ends{at("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535), at("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535)}},
        Good{"Unknown", "PROXY UNKNOWN\r\n", std::nullopt},
        Good{"UnknownWithWords", "PROXY UNKNOWN ffff::1 and more 1 2\r\n", std::nullopt},
        Good{"BinaryInet", binary(0x21, 0x11, kV4Ends), kV4}, Good{"BinaryInet6", binary(0x21, 0x21, kV6Ends), kV6},
        Good{"BinaryFields", binary(0x21, 0x11, kV4Ends + field(0x02, "mx.example") + field('\xee', "")), kV4},
        Good{"BinaryChecksum", with_checksum(), kV4}, Good{"BinaryLocal", binary(0x20, 0x00, ""), std::nullopt},
        Good{"BinaryLocalWithAnything", binary(0x20, '\xff', "whatever"), std::nullopt},
        Good{"BinaryUnspecified", binary(0x21, 0x00, ""), std::nullopt},
        Good{"BinaryUnix", binary(0x21, 0x31, std::string(216, '/')), std::nullopt},
        Good{"BinaryLongest", binary(0x21, 0x11, kV4Ends + field(0x04, std::string(4096 - 16 - 12 - 3, 'x'))), kV4}),
    [](const auto& row) { return std::string(row.param.name); });

struct Bad {
    const char* name;
    std::string octets;
    ErrorKind kind;
};
class BadHeaders : public testing::TestWithParam<Bad> {};

TEST_P(BadHeaders, AreRefused) {
    const auto parsed = parse_proxy_header(GetParam().octets);
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().kind, GetParam().kind);
}

INSTANTIATE_TEST_SUITE_P(
    Proxy, BadHeaders,
    testing::Values(Bad{"Smtp", "EHLO client.example\r\n", ErrorKind::syntax}, Bad{"Tls", "\x16\x03\x01", ErrorKind::syntax},
                    Bad{"LowerCase", "proxy TCP4 192.0.2.1 198.51.100.2 4711 25\r\n", ErrorKind::syntax},
                    Bad{"NoFamily", "PROXY \r\n", ErrorKind::syntax},
                    Bad{"OtherFamily", "PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n", ErrorKind::syntax},
                    Bad{"WrongFamily", "PROXY TCP4 2001:db8::1 2001:db8::2 4711 25\r\n", ErrorKind::syntax},
                    Bad{"WrongFamily6", "PROXY TCP6 192.0.2.1 198.51.100.2 4711 25\r\n", ErrorKind::syntax},
                    Bad{"Scope", "PROXY TCP6 fe80::1%eth0 2001:db8::2 4711 25\r\n", ErrorKind::syntax},
                    Bad{"TwoSpaces", "PROXY TCP4  192.0.2.1 198.51.100.2 4711 25\r\n", ErrorKind::syntax},
                    Bad{"NoPorts", "PROXY TCP4 192.0.2.1 198.51.100.2\r\n", ErrorKind::syntax},
                    Bad{"OnePort", "PROXY TCP4 192.0.2.1 198.51.100.2 4711\r\n", ErrorKind::syntax},
                    Bad{"MoreWords", "PROXY TCP4 192.0.2.1 198.51.100.2 4711 25 26\r\n", ErrorKind::syntax},
                    Bad{"SpaceAtTheEnd", "PROXY TCP4 192.0.2.1 198.51.100.2 4711 25 \r\n", ErrorKind::syntax},
                    Bad{"LargePort", "PROXY TCP4 192.0.2.1 198.51.100.2 65536 25\r\n", ErrorKind::syntax},
                    Bad{"LeadingZero", "PROXY TCP4 192.0.2.1 198.51.100.2 04711 25\r\n", ErrorKind::syntax},
                    Bad{"NegativePort", "PROXY TCP4 192.0.2.1 198.51.100.2 -1 25\r\n", ErrorKind::syntax},
                    Bad{"Name", "PROXY TCP4 localhost 198.51.100.2 4711 25\r\n", ErrorKind::syntax},
                    Bad{"BareLf", "PROXY TCP4 192.0.2.1 198.51.100.2 4711 25\nEHLO a\r\n", ErrorKind::syntax},
                    Bad{"EndlessLine", "PROXY UNKNOWN " + std::string(93, 'x'), ErrorKind::too_long},
                    Bad{"OneOctetTooLong", "PROXY UNKNOWN " + std::string(92, 'x') + "\r\n", ErrorKind::too_long},
                    Bad{"Version3", binary(0x31, 0x11, kV4Ends), ErrorKind::syntax},
                    Bad{"Version3AtOnce", kSignature + "\x31", ErrorKind::syntax},
                    Bad{"OtherCommand", binary(0x22, 0x11, kV4Ends), ErrorKind::syntax},
                    Bad{"OtherFamilyInBinary", binary(0x21, 0x41, kV4Ends), ErrorKind::syntax},
                    Bad{"OtherTransport", binary(0x21, 0x13, kV4Ends), ErrorKind::syntax},
                    Bad{"Datagram", binary(0x21, 0x12, kV4Ends), ErrorKind::syntax},
                    Bad{"ShortInet", binary(0x21, 0x11, kV4Ends.substr(1)), ErrorKind::syntax},
                    Bad{"ShortInet6", binary(0x21, 0x21, kV4Ends), ErrorKind::syntax},
                    Bad{"ShortUnix", binary(0x21, 0x31, std::string(215, '/')), ErrorKind::syntax},
                    Bad{"CutField", binary(0x21, 0x11, kV4Ends + "\x02"s), ErrorKind::syntax},
                    Bad{"CutFieldValue", binary(0x21, 0x11, kV4Ends + "\x02\x00\x05mx"s), ErrorKind::syntax},
                    Bad{"ShortChecksum", binary(0x21, 0x11, kV4Ends + field(0x03, "abc")), ErrorKind::syntax},
                    Bad{"WrongChecksum", with_checksum(1), ErrorKind::corrupt},
                    Bad{"TooLong", binary(0x21, 0x11, kV4Ends + field(0x04, std::string(4096 - 16 - 12 - 2, 'x'))), ErrorKind::too_long},
                    Bad{"AnotherSignature", "\r\n\r\n\0\r\nQUIX\n!"s, ErrorKind::syntax}),
    [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace thurn::net
