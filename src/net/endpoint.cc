#include "net/endpoint.h"

#include <charconv>

#include <fmt/format.h>

namespace thurn::net {

namespace {

namespace ip = boost::asio::ip;

struct Parts {
    std::string_view address;
    std::string_view port;  // empty: the default
};

std::unexpected<base::Error> bad(std::string_view text, std::string_view why) {
    return base::fail(base::ErrorKind::syntax, fmt::format("\"{}\" is no address with a port: {}", text, why));
}

base::Result<Parts> split_bracketed(std::string_view text) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return bad(text, "no ']'");
    const std::string_view rest = text.substr(end + 1);
    if (rest.empty()) return Parts{text.substr(1, end - 1), {}};
    if (rest.front() != ':' || rest.size() == 1) return bad(text, "expected ':' and a port behind ']'");
    return Parts{text.substr(1, end - 1), rest.substr(1)};
}

base::Result<Parts> split(std::string_view text) {
    if (text.starts_with('[')) return split_bracketed(text);
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) return Parts{text, {}};
    if (text.find(':', colon + 1) != std::string_view::npos) return Parts{text, {}};  // a bare IPv6 address
    if (colon + 1 == text.size()) return bad(text, "the port is missing");
    return Parts{text.substr(0, colon), text.substr(colon + 1)};
}

base::Result<ip::address> parse_address(std::string_view text, const Parts& parts) {
    const bool bracketed = text.starts_with('[');
    if (!bracketed && (parts.address.empty() ? !parts.port.empty() : parts.address == "*")) return ip::address(ip::address_v4::any());
    boost::system::error_code ec;
    const auto address = ip::make_address(parts.address, ec);
    if (ec || (bracketed && !address.is_v6())) return bad(text, "not an IPv4 or [IPv6] address");
    return address;
}

base::Result<std::uint16_t> parse_port(std::string_view text, std::string_view port) {
    std::uint16_t number = 0;
    const auto [end, ec] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (ec != std::errc() || end != port.data() + port.size()) return bad(text, "a port is a number up to 65535");
    return number;
}

}  // namespace

base::Result<ip::tcp::endpoint> parse_endpoint(std::string_view text, std::uint16_t default_port) {
    const auto parts = split(text);
    if (!parts) return std::unexpected(parts.error());
    auto address = parse_address(text, *parts);
    if (!address) return base::pass_on(address);
    if (parts->port.empty()) return ip::tcp::endpoint(*address, default_port);
    auto port = parse_port(text, parts->port);
    if (!port) return base::pass_on(port);
    return ip::tcp::endpoint(*address, *port);
}

std::string render_endpoint(const ip::tcp::endpoint& endpoint) {
    const std::string address = endpoint.address().to_string();
    return endpoint.address().is_v6() ? fmt::format("[{}]:{}", address, endpoint.port()) : fmt::format("{}:{}", address, endpoint.port());
}

}  // namespace thurn::net
