#pragma once

#include <mutex>
#include <utility>

namespace thurn::base {

/// A value that can only be touched while its mutex is held.
///
/// Use      `guarded.with([](Value& value) { … });` Never call back into foreign code inside.
/// Threads  Any.
template <class Value>
class Guarded {
public:
    template <class... Args>
    explicit Guarded(Args&&... args) : value_(std::forward<Args>(args)...) {}

    template <class Function>
    decltype(auto) with(Function&& function) {
        const std::lock_guard lock(mutex_);
        return std::forward<Function>(function)(value_);
    }
    template <class Function>
    decltype(auto) with(Function&& function) const {
        const std::lock_guard lock(mutex_);
        return std::forward<Function>(function)(value_);
    }

private:
    mutable std::mutex mutex_;
    Value value_;
};

}  // namespace thurn::base
