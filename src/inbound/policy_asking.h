#pragma once

#include "base/result.h"
#include "inbound/idle_connections.h"
#include "inbound/policy_server.h"
#include "net/resolver.h"
#include "policy/advice.h"
#include "policy/question.h"

namespace thurn::inbound {

/// Asks a policy server, over a connection that waits from an earlier question if there is one; whatever the server does, it ends within the
/// server's time limit. A kept connection that turns out dead is replaced once.
/// Errors   `timed_out`, `peer_gone`, `refused`: it is not there. `syntax`, `invalid`, `too_long`: it talks nonsense.
/// Threads  The loop of `idle`.
[[nodiscard]] net::asio::awaitable<base::Result<policy::Advice>> async_ask_policy_server(const PolicyServerOptions& server,
                                                                                         const policy::Question& question,
                                                                                         net::Resolver* resolver, IdleConnections& idle);

}  // namespace thurn::inbound
