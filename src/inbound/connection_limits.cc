#include "inbound/connection_limits.h"

#include "inbound/client_network.h"

namespace thurn::inbound {

ConnectionLimits::Verdict ConnectionLimits::enter(const std::string& address) {
    const auto client = client_network(address);
    return counts_.with([&](Counts& counts) {
        if (counts.open >= total_) return Verdict::too_many;
        const auto here = counts.by_client.find(client);
        if ((here == counts.by_client.end() ? 0 : here->second) >= per_client_) return Verdict::too_many_from_there;
        ++counts.by_client[client];
        ++counts.open;
        return Verdict::welcome;
    });
}

void ConnectionLimits::leave(const std::string& address) {
    const auto client = client_network(address);
    counts_.with([&](Counts& counts) {
        --counts.open;
        const auto found = counts.by_client.find(client);
        if (--found->second == 0) counts.by_client.erase(found);
    });
}

std::size_t ConnectionLimits::open() const {
    return counts_.with([](const Counts& counts) { return counts.open; });
}

}  // namespace thurn::inbound
