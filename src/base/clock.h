#pragma once

#include <chrono>

namespace thurn::base {

/// A moment of civil time, to the millisecond. Stored times, due times and ids are made of it.
using Time = std::chrono::sys_time<std::chrono::milliseconds>;
using Duration = std::chrono::milliseconds;
/// A moment as the machine's time zone has it. Nothing is stored by it: an hour a year comes twice.
using LocalTime = std::chrono::local_time<Duration>;

/// Tells the time; enters through constructors so that tests can hold the hands.
///
/// Threads  May be called from many.
class Clock {
public:
    virtual ~Clock() = default;
    [[nodiscard]] virtual Time now() const = 0;
    /// What a clock on the wall shows at that moment, where this machine stands.
    [[nodiscard]] virtual LocalTime local(Time time) const = 0;
};

}  // namespace thurn::base
