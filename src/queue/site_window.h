#pragma once

#include "queue/scheduler.h"

#include <cstddef>
#include <optional>

namespace thurn::queue {

/// How many connections one site may have, learnt from how they went.
///
/// Growth   By one on each success while all slots are in use, up to `connections_per_site`; after a first failure by one per round of
///          successes, as TCP does behind its threshold.
/// Failure  Halves the number, once for all connections that were open at that moment: they tell the same news.
/// Death    When as many connections failed in a row as were open at the first of them, the site rests: `site_rest`, doubling up to
///          `site_rest_limit`. Behind the rest it gets one connection, the probe; its success restores the site.
/// Fixed    For local sites: always `local_concurrency`, and nothing is learnt.
class SiteWindow {
public:
    enum class Kind { adaptive, fixed };
    /// Precondition: `options` outlives it.
    SiteWindow(const SchedulerOptions& options, Kind kind);

    [[nodiscard]] bool has_slot() const { return !resting() && in_use_ < allowed(); }
    [[nodiscard]] bool is_crowded() const { return in_use_ > allowed(); }
    [[nodiscard]] bool resting() const { return phase_ == Phase::resting; }
    [[nodiscard]] bool probing() const { return phase_ == Phase::probing; }
    [[nodiscard]] std::size_t in_use() const { return in_use_; }
    [[nodiscard]] std::size_t allowed() const { return probing() ? 1 : allowed_; }
    [[nodiscard]] std::optional<base::Time> resting_until() const;

    void opened() { ++in_use_; }
    void closed(SiteOutcome outcome, base::Time now);  // Precondition: in_use() > 0
    /// An open connection asks for more work: it was good for what it had.
    void came_back();
    void end_rest();
    /// Forgets all failures.
    void restore();

private:
    enum class Phase : std::uint8_t { open, resting, probing };

    void succeeded();
    void failed(base::Time now);
    void rest(base::Time now);

    const SchedulerOptions* options_;
    base::Time until_{};
    std::size_t allowed_;
    std::size_t in_use_ = 0;
    std::size_t successes_ = 0;  // since the last growth
    std::size_t old_news_ = 0;   // open connections that are older than the last halving
    std::size_t failures_ = 0;   // without a success between
    std::size_t failures_to_death_ = 0;
    unsigned rests_ = 0;  // without a success between
    Kind kind_;
    Phase phase_ = Phase::open;
    bool has_failed_ = false;
};

}  // namespace thurn::queue
