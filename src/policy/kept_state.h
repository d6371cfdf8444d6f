#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace thurn::policy {

/// What is learnt while the server runs and shall be known after a restart: rates, greylist, failed logins. Storage keeps the octets.
///
/// Threads  snapshot() and changes() from any while the state is in use; restore() before anybody uses it.
class KeptState {
public:
    virtual ~KeptState() = default;
    /// Without what means nothing any more by `now`.
    [[nodiscard]] virtual std::string snapshot(base::Time now) const = 0;
    /// Takes octets of whatever origin in place of what it held.
    /// Errors   `corrupt`: they are no whole snapshot of this kind and version; nothing has changed then.
    [[nodiscard]] virtual base::Result<void> restore(std::string_view octets) = 0;
    /// Goes up with whatever makes the next snapshot another one.
    [[nodiscard]] virtual std::uint64_t changes() const = 0;
};

}  // namespace thurn::policy
