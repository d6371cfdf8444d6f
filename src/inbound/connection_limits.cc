#include "inbound/connection_limits.h"

namespace thurn::inbound {

ConnectionLimits::Verdict ConnectionLimits::enter(const std::string& address) {
    return counts_.with([&](Counts& counts) {
        if (counts.open >= total_) return Verdict::too_many;
        const auto here = counts.by_address.find(address);
        if ((here == counts.by_address.end() ? 0 : here->second) >= per_address_) return Verdict::too_many_from_there;
        ++counts.by_address[address];
        ++counts.open;
        return Verdict::welcome;
    });
}

void ConnectionLimits::leave(const std::string& address) {
    counts_.with([&](Counts& counts) {
        --counts.open;
        const auto found = counts.by_address.find(address);
        if (--found->second == 0) counts.by_address.erase(found);
    });
}

std::size_t ConnectionLimits::open() const {
    return counts_.with([](const Counts& counts) { return counts.open; });
}

}  // namespace thurn::inbound
