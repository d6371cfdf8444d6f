#pragma once

#include <chrono>
#include <cstdint>

namespace thurn::archive {

struct SandboxLimits {
    std::uint64_t memory;            // octets, beside what the process has by now
    std::chrono::seconds processor;  // time
};

/// Locks the process in, for good: from here on it can compute, read and write what is open, and end. It cannot open, connect, start, or ask the
/// system anything else; whatever of that it tries fails, or kills it where no library does so in good faith.
///
/// False: the system would not have it; the process must not go on then.
[[nodiscard]] bool enter_sandbox(const SandboxLimits& limits);

}  // namespace thurn::archive
