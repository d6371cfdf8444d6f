// A header is whole or not whatever follows it; what is cut of a good one is not wrong; what was said in text can be said in binary.
#include "net/proxy_header.h"
#include "require.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

namespace {

using thurn::net::parse_proxy_header;

template <class Address>
std::string octets_of(const Address& address) {
    const auto bytes = address.to_bytes();
    return {bytes.begin(), bytes.end()};
}

std::string octets_of(const boost::asio::ip::address& address) {
    return address.is_v4() ? octets_of(address.to_v4()) : octets_of(address.to_v6());
}

std::string number(std::size_t value) { return {static_cast<char>(value >> 8U), static_cast<char>(value & 0xffU)}; }

std::string as_binary(const thurn::net::ProxyHeader::Ends& ends) {
    const bool v4 = ends.source.address().is_v4();
    const auto block = octets_of(ends.source.address()) + octets_of(ends.destination.address()) + number(ends.source.port()) +
                       number(ends.destination.port());
    return std::string("\r\n\r\n\0\r\nQUIT\n\x21", 13) + (v4 ? '\x11' : '\x21') + number(block.size()) + block;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = thurn::fuzz::as_text(data, size);
    const auto parsed = parse_proxy_header(text);
    const auto more = parse_proxy_header(std::string(text) + "EHLO a\r\n");
    if (!parsed) {
        thurn::fuzz::require(!more, "what is wrong stays wrong");
        return 0;
    }
    if (!*parsed) {
        thurn::fuzz::require(size < thurn::net::kLongestProxyHeader, "what is not whole has a limit");
        return 0;
    }
    const auto& header = **parsed;
    thurn::fuzz::require(more && *more == *parsed, "what follows does not matter");
    thurn::fuzz::require(header.size <= std::min(size, thurn::net::kLongestProxyHeader), "the header is within the input");
    for (const std::size_t cut : {std::size_t{0}, header.size / 2, header.size - 1}) {
        const auto part = parse_proxy_header(text.substr(0, cut));
        thurn::fuzz::require(part && !*part, "a part of it is not wrong yet");
    }
    if (!header.ends) return 0;
    const auto again = parse_proxy_header(as_binary(*header.ends));
    thurn::fuzz::require(again && *again && (*again)->ends == header.ends, "round trip");
    return 0;
}
