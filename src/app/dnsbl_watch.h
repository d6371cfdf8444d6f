#pragma once

#include "base/log.h"
#include "net/resolver.h"
#include "policy/rulebook.h"

#include <memory>

#include <boost/asio/awaitable.hpp>

namespace thurn::app {

/// Asks each list for what it must list and must not, all at once, and logs those that went out of order or came back. Nobody is judged by a
/// list before its first test.
[[nodiscard]] boost::asio::awaitable<void> async_test_lists(net::Resolver& resolver, std::shared_ptr<const policy::Rulebook> book,
                                                            base::Log& log);

}  // namespace thurn::app
