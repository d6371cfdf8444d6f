#pragma once

#include "base/result.h"

#include <cstddef>
#include <string>

namespace thurn::net {

/// What one attempt on a non-blocking connection came to.
struct Step {
    enum class Kind {
        done,        // `count` octets were moved
        want_read,   // try again when the descriptor can be read
        want_write,  // or written
        failed,      // `error` says why; the connection is only good to be closed
    };
    Kind kind;
    std::size_t count = 0;
    base::Error error{};

    [[nodiscard]] static Step done(std::size_t count) { return {Kind::done, count, {}}; }
    [[nodiscard]] static Step wait_for(Kind what) { return {what, 0, {}}; }
    [[nodiscard]] static Step fail(base::ErrorKind kind, std::string detail) { return {Kind::failed, 0, {kind, std::move(detail)}}; }
};

}  // namespace thurn::net
