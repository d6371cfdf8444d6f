#pragma once

#include <string>

#include <boost/asio/ip/tcp.hpp>

namespace thurn::net {

/// What a connection begins with whose peer is to be told its ends: PROXY protocol, version 2, without TLVs. Ends that are no addresses of
/// one family, as those of a local socket, make a LOCAL header, which says nothing of them.
/// Source   HAProxy, The PROXY protocol, versions 1 & 2 §2.2 (proxy-protocol.txt).
[[nodiscard]] std::string render_proxy_header_v2(const boost::asio::ip::tcp::endpoint& source,
                                                 const boost::asio::ip::tcp::endpoint& destination);

}  // namespace thurn::net
