#pragma once

#include "base/clock.h"
#include "mailauth/dkim_crypto.h"

#include <memory>
#include <string>

namespace thurn::mailauth {

/// A key that a domain signs with, and when. Several may sign at one time: a message gets a signature of each.
///
/// Shape    `domain` and `selector` in A-labels, lower case, as they are in d= and s= (RFC 6376 §3.5). `key` is never empty.
/// Owner    Shared, as a message that is being signed goes on with its key when the keys are read anew and the key has gone.
/// Threads  A plain value; the key signs for many at once.
struct SigningKey {
    std::string domain;
    std::string selector;
    std::shared_ptr<const PrivateKey> key;
    base::Time from = base::Time::min();   // signs from then on
    base::Time until = base::Time::max();  // and no more at this moment
    [[nodiscard]] bool signs_at(base::Time now) const { return from <= now && now < until; }
};

}  // namespace thurn::mailauth
