#include "inbound/client_network.h"

#include <algorithm>

namespace thurn::inbound {

std::string client_address(const boost::asio::ip::address& address) {
    namespace ip = boost::asio::ip;
    if (address.is_v6() && address.to_v6().is_v4_mapped()) return ip::make_address_v4(ip::v4_mapped, address.to_v6()).to_string();
    return address.to_string();
}

std::string client_address(const boost::asio::ip::tcp::endpoint& peer) {
    return peer.port() == 0 ? std::string(kLocalClient) : client_address(peer.address());
}

bool is_among(const std::vector<policy::Network>& networks, std::string_view address) {
    return std::ranges::any_of(networks, [address](const auto& network) { return network.contains(address); });
}

}  // namespace thurn::inbound
