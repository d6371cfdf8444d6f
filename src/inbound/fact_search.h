#pragma once

#include "net/resolver.h"
#include "policy/lookup.h"

#include <chrono>
#include <memory>
#include <vector>

#include <boost/asio/awaitable.hpp>

namespace thurn::inbound {

/// Finds out some facts by DNS, all at once; in the order of the look-ups.
/// Errors   What is not known within the limit, or without a resolver, is unavailable.
/// Threads  The caller's executor must be one thread's.
[[nodiscard]] boost::asio::awaitable<std::vector<policy::FactValue>> async_find_out(net::Resolver* resolver,
                                                                                    std::vector<std::unique_ptr<policy::Lookup>> lookups,
                                                                                    std::chrono::seconds limit);

}  // namespace thurn::inbound
