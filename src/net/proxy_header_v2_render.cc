#include "net/proxy_header_v2_render.h"

#include <string_view>

namespace thurn::net {

namespace {

using boost::asio::ip::tcp;

constexpr std::string_view kSignature("\x0d\x0a\x0d\x0a\x00\x0d\x0aQUIT\x0a", 12);
constexpr unsigned kLocal = 0x20;     // version 2, LOCAL
constexpr unsigned kProxy = 0x21;     // version 2, PROXY
constexpr unsigned kUnspecified = 0;  // AF_UNSPEC
constexpr unsigned kTcp4 = 0x11;      // AF_INET, STREAM
constexpr unsigned kTcp6 = 0x21;      // AF_INET6, STREAM

void append(std::string& octets, unsigned octet) { octets += static_cast<char>(static_cast<unsigned char>(octet)); }

void append_number(std::string& octets, unsigned number) {
    append(octets, number >> 8U);
    append(octets, number & 0xffU);
}

std::string octets_of(const boost::asio::ip::address& address) {
    std::string octets;
    const auto add = [&octets](const auto& bytes) {
        for (const auto octet : bytes) append(octets, octet);
    };
    address.is_v4() ? add(address.to_v4().to_bytes()) : add(address.to_v6().to_bytes());
    return octets;
}

}  // namespace

std::string render_proxy_header_v2(const tcp::endpoint& source, const tcp::endpoint& destination) {
    std::string header(kSignature);
    const bool known = source.address().is_v4() == destination.address().is_v4() && source.port() != 0;
    append(header, known ? kProxy : kLocal);
    append(header, !known ? kUnspecified : source.address().is_v4() ? kTcp4 : kTcp6);
    std::string ends;
    if (known) {
        ends = octets_of(source.address()) + octets_of(destination.address());
        append_number(ends, source.port());
        append_number(ends, destination.port());
    }
    append_number(header, static_cast<unsigned>(ends.size()));
    return header + ends;
}

}  // namespace thurn::net
