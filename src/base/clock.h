#pragma once

#include <chrono>

namespace thurn::base {

/// A moment of civil time, to the millisecond. Stored times, due times and ids are made of it.
using Time = std::chrono::sys_time<std::chrono::milliseconds>;
using Duration = std::chrono::milliseconds;

/// Tells the time; enters through constructors so that tests can hold the hands.
///
/// Threads  May be called from many.
class Clock {
public:
    virtual ~Clock() = default;
    [[nodiscard]] virtual Time now() const = 0;
};

}  // namespace thurn::base
