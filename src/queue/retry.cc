#include "queue/retry.h"

#include <algorithm>

namespace thurn::queue {
namespace {

using std::chrono::seconds;

constexpr seconds kShortestStep{1};                         // a step of nothing would be a busy loop
constexpr base::Duration kOverdue = std::chrono::hours(1);  // no attempt takes that long, so the clock jumped or we were down
constexpr seconds kLongestLifetime = std::chrono::hours(24 * 36525);

seconds step_behind(const RetryOptions& options, unsigned attempts) {
    if (options.steps.empty()) return std::max(kShortestStep, options.lifetime);
    const std::size_t index = std::min<std::size_t>(attempts == 0 ? 0 : attempts - 1, options.steps.size() - 1);
    return std::clamp(options.steps[index], kShortestStep, kLongestLifetime);
}

/// How long the table takes for that many attempts: the age of a message whose clock cannot be trusted.
seconds age_by_attempts(const RetryOptions& options, unsigned attempts) {
    const unsigned done = attempts == 0 ? 0 : attempts - 1;
    const unsigned listed = std::min<unsigned>(done, static_cast<unsigned>(options.steps.size()));
    seconds age{0};
    for (unsigned attempt = 1; attempt <= listed && age < kLongestLifetime; ++attempt) age += step_behind(options, attempt);
    const auto most = kLongestLifetime / step_behind(options, attempts);
    return age + step_behind(options, attempts) * std::min<std::int64_t>(done - listed, most);
}

base::Duration with_jitter(base::Duration step, unsigned percent, base::Random& random) {
    const std::int64_t span = step.count() * std::min(percent, 100U) / 100;
    return step + base::Duration(static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(2 * span + 1))) - span);
}

bool given_up(const RetryOptions& options, base::Duration left, unsigned attempts) {
    if (left > base::Duration::zero()) return false;
    return -left <= kOverdue || attempts >= options.steps.size();
}

}  // namespace

std::optional<base::Time> next_attempt(const RetryOptions& options, base::Time accepted, base::Time now, unsigned attempts,
                                       base::Random& random) {
    const base::Duration age = now >= accepted ? now - accepted : age_by_attempts(options, attempts);
    const base::Duration left = std::min(options.lifetime, kLongestLifetime) - age;
    if (given_up(options, left, attempts)) return std::nullopt;
    const base::Duration wait =
        std::max<base::Duration>(with_jitter(step_behind(options, attempts), options.jitter_percent, random), kShortestStep);
    return now + (left > base::Duration::zero() ? std::min(wait, left) : wait);
}

}  // namespace thurn::queue
