#pragma once

#include "base/clock.h"

#include <algorithm>
#include <cstddef>

namespace thurn::queue {

/// The end of a site's line, which goes on in the spool when memory has no more room for it: who comes last is told when to come back, so
/// that they return one by one, at the pace the site is seen to work at.
///
/// Pace     Measured anew every five seconds; at first a guess.
/// Limits   Nobody is sent away for more than an hour, nor for less than a second.
/// Threads  One at a time.
class Overflow {
public:
    explicit Overflow(base::Time now) : counted_from_(now), last_(now) {}

    void finished(std::size_t jobs) { count_ += jobs; }
    /// When the next one comes back, with `waiting` jobs before those that were sent away.
    [[nodiscard]] base::Time join(std::size_t waiting, base::Time now);
    /// All that were sent away should have come back.
    [[nodiscard]] bool is_over(base::Time now) const { return last_ <= now || last_ > now + kFarthest; }

private:
    static constexpr base::Duration kFarthest = std::chrono::hours(1);
    void measure(base::Time now);

    base::Time counted_from_;
    std::size_t count_ = 0;
    base::Duration each_ = std::chrono::milliseconds(1);  // time the site takes for one job
    base::Time last_;                                     // when the last one comes back
};

}  // namespace thurn::queue
