#pragma once

#include "base/result.h"
#include "smtp/reply.h"

namespace thurn::inbound {

/// What a failure of our own is worth to the client: always another try.
[[nodiscard]] smtp::Reply try_again(const base::Error& error);

}  // namespace thurn::inbound
