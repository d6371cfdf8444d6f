#include "bench/report.h"

#include <algorithm>

namespace thurn::bench {

double Latencies::milliseconds_at(double share) {
    if (all_.empty()) return 0;
    const auto last = static_cast<double>(all_.size() - 1);
    const auto place = all_.begin() + static_cast<std::ptrdiff_t>(share * last + 0.5);
    std::nth_element(all_.begin(), place, all_.end());
    return std::chrono::duration<double, std::milli>(*place).count();
}

}  // namespace thurn::bench
