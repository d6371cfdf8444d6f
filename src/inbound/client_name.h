#pragma once

#include "net/resolver.h"

#include <string>

#include <boost/asio/awaitable.hpp>

namespace thurn::inbound {

/// Forward-confirmed reverse DNS: a name counts only if it leads back to the address. Empty when there is none.
///
/// Threads  The caller's loop; the resolver outlives the call.
[[nodiscard]] boost::asio::awaitable<std::string> async_confirmed_name(net::Resolver& resolver, std::string address);

}  // namespace thurn::inbound
