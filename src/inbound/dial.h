#pragma once

#include "base/result.h"
#include "inbound/milter_options.h"
#include "net/resolver.h"
#include "net/stream.h"

namespace thurn::inbound {

/// Connects to a content filter or a scanner; to the first of its host's addresses that answers.
/// `resolver`: for hosts given by name; may be null where none is.
/// Errors   `timed_out`: not done by the deadline, looking the name up included. `not_found`: the name has no address. `refused` and others: as
///          net::async_connect() has them, of the last address.
[[nodiscard]] net::asio::awaitable<base::Result<net::Stream>> async_dial(MilterSocket socket, net::Resolver* resolver,
                                                                         net::Deadline deadline);

}  // namespace thurn::inbound
