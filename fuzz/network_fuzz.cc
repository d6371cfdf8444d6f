// A network holds its own first address, agrees with its neighbours, and nothing but /0 of its family holds everyone.
#include "policy/recipient_rule.h"
#include "require.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace thurn;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    std::vector<policy::Network> networks;
    for (std::size_t at = 0; at <= text.size() && networks.size() < 64;) {
        const auto end = std::min(text.find('\n', at), text.size());
        const auto line = text.substr(at, end - at);
        at = end + 1;
        auto network = policy::parse_network(line);
        static_cast<void>(policy::Network{}.contains(line));
        if (!network) continue;
        const std::string_view address = line.substr(0, line.find('/'));
        const bool wide_ipv6 = address.find(':') != std::string_view::npos;  // ::/0 does not hold ::ffff:0:0, see contains()
        thurn::fuzz::require(wide_ipv6 || network->contains(address), "wide_ipv6 || network->contains(address)");
        thurn::fuzz::require(network->text() == line, "network->text() == line");
        networks.push_back(*std::move(network));
    }
    const bool everyone = policy::covers_everyone(networks);
    for (const auto& network : networks) thurn::fuzz::require(everyone || !network.is_everyone(), "everyone || !network.is_everyone()");
    if (everyone) {
        bool ipv4 = true;
        for (const char* address : {"1.0.0.1", "9.9.9.9", "100.1.2.3", "203.0.113.7", "223.255.255.254"}) {
            bool inside = false;
            for (const auto& network : networks) inside = inside || network.contains(address);
            ipv4 = ipv4 && inside;
        }
        bool ipv6 = true;
        for (const char* address : {"2000::1", "2a00:1450::1", "3fff:ffff::1"}) {
            bool inside = false;
            for (const auto& network : networks) inside = inside || network.contains(address);
            ipv6 = ipv6 && inside;
        }
        thurn::fuzz::require(ipv4 || ipv6, "ipv4 || ipv6");
    }
    return 0;
}
