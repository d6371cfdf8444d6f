#pragma once

#include "net/resolver.h"
#include "net/stream.h"
#include "policy/lookup.h"

#include <memory>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

namespace thurn::inbound {

/// Finds out some facts by DNS, all at once, each by the answers that come in time.
///
/// Loop     It begins when it is made; what else has to wait may be waited for meanwhile. Then async_finish().
/// Limits   A look-up hears each answer as it comes. What was not answered by the deadline, or without a resolver, counts as failed: a fact
///          is unavailable only if what did come leaves it open.
/// Threads  The executor's, which must be one thread's. Answers that come after its end are heard by nobody.
class FactSearch {
public:
    FactSearch(boost::asio::any_io_executor executor, net::Resolver* resolver, std::vector<std::unique_ptr<policy::Lookup>> lookups);
    ~FactSearch();
    FactSearch(const FactSearch&) = delete;
    FactSearch& operator=(const FactSearch&) = delete;
    /// The facts in the order of the look-ups. Once.
    [[nodiscard]] boost::asio::awaitable<std::vector<policy::FactValue>> async_finish(net::Deadline deadline);

private:
    struct State;
    std::shared_ptr<State> state_;  // with the questions under way
};

/// One fact.
[[nodiscard]] boost::asio::awaitable<policy::FactValue> async_find_out(net::Resolver* resolver, std::unique_ptr<policy::Lookup> lookup,
                                                                       net::Deadline deadline);

}  // namespace thurn::inbound
