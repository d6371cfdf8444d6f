#pragma once

#include <chrono>

namespace thurn::policy {

/// So much in so much time: `500/1h`, `100MiB/1d`. config/limit.h reads it.
///
/// Shape    Both are over 0.
struct Limit {
    enum class Of { things, octets };
    double amount = 0;
    std::chrono::seconds period{0};
    Of of = Of::things;
    friend bool operator==(const Limit&, const Limit&) = default;
};

}  // namespace thurn::policy
