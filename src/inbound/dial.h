#pragma once

#include "base/result.h"
#include "inbound/milter_options.h"
#include "net/resolver.h"
#include "net/stream.h"

namespace thurn::inbound {

/// Connects to a content filter or a scanner; to the first of its host's addresses that answers.
/// `resolver`: for hosts given by name; may be null where none is.
[[nodiscard]] net::asio::awaitable<base::Result<net::Stream>> async_dial(MilterSocket socket, net::Resolver* resolver,
                                                                         net::Deadline deadline);

}  // namespace thurn::inbound
