#include "inbound/milter_options.h"

#include "net/host_name.h"
#include "net/local_listener.h"

#include <charconv>

#include <boost/asio/ip/address.hpp>
#include <fmt/format.h>

namespace thurn::inbound {

namespace {

constexpr std::string_view kUnix = "unix:";
constexpr std::string_view kInet = "inet:";

std::unexpected<base::Error> bad(std::string_view text, std::string_view what) {
    return base::fail(base::ErrorKind::syntax, fmt::format("\"{}\" {}", text, what));
}

bool is_address(const std::string& text) {
    boost::system::error_code none;
    boost::asio::ip::make_address(text, none);
    return !none;
}

base::Result<MilterSocket> parse_inet(std::string_view text) {
    const auto place = text.substr(kInet.size());
    const auto colon = place.rfind(':');
    if (colon == std::string_view::npos) return bad(text, "has no port; write \"inet:host:port\"");
    auto host = place.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    MilterSocket socket{.path = {}, .host = std::string(host)};
    const auto digits = place.substr(colon + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), socket.port);
    if (error != std::errc() || end != digits.data() + digits.size() || socket.port == 0) return bad(text, "has a port that is none");
    if (!is_address(socket.host) && !net::is_host_name(socket.host)) return bad(text, "names a host that can be none");
    return socket;
}

}  // namespace

base::Result<MilterSocket> parse_milter_socket(std::string_view text) {
    if (text.starts_with(kInet)) return parse_inet(text);
    if (!text.starts_with(kUnix)) return bad(text, "is no place of a filter; write \"unix:/path\" or \"inet:host:port\"");
    const auto path = text.substr(kUnix.size());
    if (!path.starts_with('/') || path.size() > net::kMostSocketPath)
        return bad(text, fmt::format("needs an absolute path of at most {} octets", net::kMostSocketPath));
    return MilterSocket{.path = std::string(path), .host = {}};
}

std::string render_milter_socket(const MilterSocket& socket) {
    if (!socket.path.empty()) return fmt::format("{}{}", kUnix, socket.path);
    const bool v6 = socket.host.find(':') != std::string::npos;
    return v6 ? fmt::format("{}[{}]:{}", kInet, socket.host, socket.port) : fmt::format("{}{}:{}", kInet, socket.host, socket.port);
}

}  // namespace thurn::inbound
