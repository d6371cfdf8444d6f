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

using policy::client_network;

[[nodiscard]] bool is_among(const std::vector<policy::Network>& networks, std::string_view address);

}  // namespace thurn::inbound
