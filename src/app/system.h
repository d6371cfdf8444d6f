#pragma once

#include "base/clock.h"
#include "base/random.h"

#include <cstdlib>

#include <sys/random.h>

namespace thurn::app {

/// The machine's clock.
class SystemClock final : public base::Clock {
public:
    [[nodiscard]] base::Time now() const override { return std::chrono::time_point_cast<base::Duration>(std::chrono::system_clock::now()); }
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
