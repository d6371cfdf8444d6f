#pragma once

#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/asio/ip/tcp.hpp>

namespace thurn::net {

/// Reads `192.0.2.1:25`, `192.0.2.1`, `[2001:db8::1]:25`, `[::]`, `2001:db8::1`, `:25` and `*:25` (both IPv4 wildcard). Addresses only, no
/// names.
/// Errors  `syntax`: says what is wrong with which text.
[[nodiscard]] base::Result<boost::asio::ip::tcp::endpoint> parse_endpoint(std::string_view text, std::uint16_t default_port);
/// As parse_endpoint() reads it, always with a port.
[[nodiscard]] std::string render_endpoint(const boost::asio::ip::tcp::endpoint& endpoint);

}  // namespace thurn::net
