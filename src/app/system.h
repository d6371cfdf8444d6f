#pragma once

#include "base/clock.h"
#include "base/random.h"

#include <cstdlib>
#include <ctime>

#include <sys/random.h>

namespace thurn::app {

/// The machine's clock.
class SystemClock final : public base::Clock {
public:
    [[nodiscard]] base::Time now() const override { return std::chrono::time_point_cast<base::Duration>(std::chrono::system_clock::now()); }
    /// By TZ or /etc/localtime, as the process found them when it first asked.
    [[nodiscard]] base::LocalTime local(base::Time time) const override {
        const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
        const std::time_t moment = std::chrono::system_clock::to_time_t(seconds);
        std::tm civil{};
        const auto offset = ::localtime_r(&moment, &civil) ? std::chrono::seconds(civil.tm_gmtoff) : std::chrono::seconds(0);
        return base::LocalTime(time.time_since_epoch() + offset);
    }
};

/// The kernel's random numbers.
class SystemRandom final : public base::Random {
public:
    [[nodiscard]] std::uint64_t next() override {
        std::uint64_t number = 0;
        if (::getrandom(&number, sizeof number, 0) != sizeof number) std::abort();  // cannot fail for 8 octets once the machine is up
        return number;
    }
};

}  // namespace thurn::app
