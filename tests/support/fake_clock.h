#pragma once

#include "base/clock.h"

#include <atomic>

namespace thurn::support {

/// A clock whose hands a test holds. It stands until told.
///
/// Threads  Any.
class FakeClock final : public base::Clock {
public:
    /// Sun, 22 Nov 2026 01:37:22 +0000
    static constexpr base::Time kStart{std::chrono::milliseconds(1'795'311'442'000)};

    explicit FakeClock(base::Time start = kStart) : now_(start) {}
    [[nodiscard]] base::Time now() const override { return now_.load(); }
    [[nodiscard]] base::LocalTime local(base::Time time) const override {
        return base::LocalTime((time + east_.load()).time_since_epoch());
    }
    void set(base::Time time) { now_.store(time); }
    /// How far its time zone is ahead of UTC.
    void stand_east(base::Duration east) { east_.store(east); }
    /// Also back, with a negative step.
    void advance(base::Duration step) { now_.store(now_.load() + step); }

private:
    std::atomic<base::Time> now_;
    std::atomic<base::Duration> east_{};
};

}  // namespace thurn::support
