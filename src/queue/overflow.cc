#include "queue/overflow.h"

namespace thurn::queue {

namespace {

constexpr base::Duration kMeasureFor = std::chrono::seconds(5);
constexpr base::Duration kNearest = std::chrono::seconds(1);

}  // namespace

void Overflow::measure(base::Time now) {
    const auto elapsed = now - counted_from_;
    if (elapsed >= base::Duration::zero() && elapsed < kMeasureFor) return;
    if (elapsed > base::Duration::zero())
        each_ = std::min(elapsed / static_cast<std::int64_t>(std::max<std::size_t>(count_, 1)), kFarthest);
    counted_from_ = now;
    count_ = 0;
}

// The first comes back when half of those in line are gone, so that the line never runs dry.
base::Time Overflow::join(std::size_t waiting, base::Time now) {
    measure(now);
    if (is_over(now)) last_ = now + each_ * static_cast<std::int64_t>(std::min<std::size_t>(waiting / 2, 1'000'000));
    last_ = std::clamp(last_ + each_, now + kNearest, now + kFarthest);
    return last_;
}

}  // namespace thurn::queue
