#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace thurn::bench {

/// How a load tool tells its figures: for people, or as one JSON object on one line.
enum class Format { text, json };

/// Many durations, and what stands out of them.
class Latencies {
public:
    void add(std::chrono::nanoseconds took) { all_.push_back(took); }
    [[nodiscard]] std::size_t count() const { return all_.size(); }
    /// Milliseconds; 0 when there are none. `share` 0.5 is the median, 1 the longest.
    [[nodiscard]] double milliseconds_at(double share);

private:
    std::vector<std::chrono::nanoseconds> all_;
};

[[nodiscard]] inline double seconds_of(std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); }

}  // namespace thurn::bench
