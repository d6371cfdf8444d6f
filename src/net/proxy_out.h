#pragma once

#include "net/proxy_client.h"
#include "net/stream.h"

#include <optional>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

namespace thurn::net {

/// A proxy that connections leave through.
struct ProxyOut {
    enum class Kind { socks5, http } kind = Kind::socks5;
    std::string name;                                     // `socks5://proxy.example:1080`, for people
    std::vector<asio::ip::tcp::endpoint> addresses = {};  // tried in order; never empty
    std::optional<ProxyLogin> login = std::nullopt;
};

/// A stream to the target. `early`: what the target said behind the proxy's last word.
struct Tunnel {
    Stream stream;
    std::string early = {};
};

/// Connects to `target` through the proxy. `sources`: local addresses to reach the proxy from, at most one of each family.
/// Errors   As async_connect() and ProxyClient; `detail` names the target and the proxy.
[[nodiscard]] asio::awaitable<base::Result<Tunnel>> async_connect_through(ProxyOut proxy, asio::ip::tcp::endpoint target,
                                                                          std::vector<asio::ip::address> sources, Deadline deadline);

/// The one of the endpoint's family.
[[nodiscard]] std::optional<asio::ip::address> source_for(const std::vector<asio::ip::address>& sources,
                                                          const asio::ip::tcp::endpoint& endpoint);

}  // namespace thurn::net
