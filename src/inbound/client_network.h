#pragma once

#include "policy/recipient_rule.h"

#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace thurn::inbound {

/// An IPv4-mapped IPv6 address as the IPv4 address it is.
[[nodiscard]] std::string client_address(const boost::asio::ip::address& address);
/// Of a connection's other end; who came by a local socket has none, and is called kLocalClient. It is in no network.
[[nodiscard]] std::string client_address(const boost::asio::ip::tcp::endpoint& peer);
inline constexpr std::string_view kLocalClient = "local";

/// Whom an address stands for where clients are counted: an IPv4 address for itself, an IPv6 address for its /64, since whoever has one of
/// those has all of them (RFC 6177 §2). What is no address stands for itself.
[[nodiscard]] std::string client_network(const std::string& address);

[[nodiscard]] bool is_among(const std::vector<policy::Network>& networks, std::string_view address);

}  // namespace thurn::inbound
