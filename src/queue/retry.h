#pragma once

#include "base/clock.h"
#include "base/random.h"

#include <chrono>
#include <optional>
#include <vector>

namespace thurn::queue {

struct RetryOptions {
    std::vector<std::chrono::seconds> steps{std::chrono::minutes(5),  std::chrono::minutes(10), std::chrono::minutes(20),
                                            std::chrono::minutes(40), std::chrono::hours(1),    std::chrono::hours(2)};  // the last repeats
    std::chrono::seconds lifetime = std::chrono::hours(24 * 5);
    unsigned jitter_percent = 10;  // of the step, either way
};

/// When a recipient that failed for the `attempts`th time (from 1) at `now` is tried again; nothing when its lifetime is over.
/// The last attempt falls on the end of the lifetime, not behind it.
///
/// Clock  A message from the future (the clock was set back) ages by its attempts. One that is overdue by more than an hour (we were down,
///        or the clock jumped) is not given up before it was tried once per step of the table.
[[nodiscard]] std::optional<base::Time> next_attempt(const RetryOptions& options, base::Time accepted, base::Time now, unsigned attempts,
                                                     base::Random& random);

}  // namespace thurn::queue
