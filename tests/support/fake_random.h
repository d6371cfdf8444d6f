#pragma once

#include "base/random.h"

#include <cstdint>
#include <mutex>

namespace thurn::support {

/// Numbers that look random and are the same in each run (xorshift64*).
///
/// Threads  Any; only one thread gets the same order each time.
class FakeRandom final : public base::Random {
public:
    explicit FakeRandom(std::uint64_t seed = 1) : state_(seed == 0 ? kForZero : seed) {}
    [[nodiscard]] std::uint64_t next() override {
        const std::lock_guard lock(mutex_);
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return state_ * 0x2545f4914f6cdd1dU;
    }

private:
    static constexpr std::uint64_t kForZero = 0x9e3779b97f4a7c15U;  // from zero the sequence would never leave zero

    std::mutex mutex_;
    std::uint64_t state_;
};

}  // namespace thurn::support
