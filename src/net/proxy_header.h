#pragma once

#include "base/result.h"

#include <cstddef>
#include <optional>
#include <string_view>

#include <boost/asio/ip/tcp.hpp>

namespace thurn::net {

/// What a load balancer says about a connection it passes on, before the connection's own octets: PROXY protocol, version 1 (a line of text)
/// and version 2 (binary).
///
/// Shape    Without `ends` the connection is the load balancer's own: a health check (LOCAL), or one it knows no address of (UNKNOWN,
///          AF_UNSPEC, AF_UNIX).
/// Source   HAProxy, The PROXY protocol, versions 1 & 2 (proxy-protocol.txt).
struct ProxyHeader {
    struct Ends {
        boost::asio::ip::tcp::endpoint source;
        boost::asio::ip::tcp::endpoint destination;
        friend bool operator==(const Ends&, const Ends&) = default;
    };
    std::optional<Ends> ends;
    std::size_t size = 0;  // of the header; what follows is the connection's
    friend bool operator==(const ProxyHeader&, const ProxyHeader&) = default;
};

inline constexpr std::size_t kLongestProxyHeader = 4096;

/// Reads the header that `octets` begin with. Nothing while it is not whole: then all of `octets` are part of it.
/// Errors   `syntax`: no such header. `too_long`: more than a line of 107 octets, or kLongestProxyHeader. `corrupt`: its CRC32c is wrong.
[[nodiscard]] base::Result<std::optional<ProxyHeader>> parse_proxy_header(std::string_view octets);

}  // namespace thurn::net
