#pragma once

#include <cstdint>

namespace thurn::base {

/// A source of numbers nobody can guess (or, in tests, everybody can).
///
/// Threads  May be called from many.
class Random {
public:
    virtual ~Random() = default;
    [[nodiscard]] virtual std::uint64_t next() = 0;
    /// A number in [0, bound). Precondition: bound > 0. The bias below 2^-32 for small bounds is of no matter here.
    [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return next() % bound; }
};

}  // namespace thurn::base
