#include "inbound/fact_search.h"

#include "net/answer_all.h"

#include <boost/asio/detached.hpp>

namespace thurn::inbound {

namespace asio = boost::asio;

namespace {

/// Kept alive by what is under way: a look-up that took too long ends when its answer comes, and nobody hears it.
struct Search {
    Search(asio::any_io_executor executor, std::vector<std::unique_ptr<policy::Lookup>> all)
        : lookups(std::move(all)), under_way(lookups.size()), all_there(std::move(executor)) {}
    std::vector<std::unique_ptr<policy::Lookup>> lookups;
    std::size_t under_way;
    asio::steady_timer all_there;
    bool given_up = false;
};

asio::awaitable<void> async_look_up(std::shared_ptr<Search> search, net::Resolver& resolver, policy::Lookup& lookup) {
    for (auto open = lookup.questions(); !open.empty() && !search->given_up; open = lookup.questions()) {
        const auto answers = co_await net::async_ask_all(resolver, open);
        for (std::size_t i = 0; i < open.size() && !search->given_up; ++i) lookup.answer(open[i], answers[i]);
    }
    if (--search->under_way == 0) search->all_there.cancel();
}

}  // namespace

asio::awaitable<std::vector<policy::FactValue>> async_find_out(net::Resolver* resolver,
                                                               std::vector<std::unique_ptr<policy::Lookup>> lookups,
                                                               std::chrono::seconds limit) {
    const auto executor = co_await asio::this_coro::executor;
    const auto search = std::make_shared<Search>(executor, std::move(lookups));
    const auto deadline = std::chrono::steady_clock::now() + limit;
    if (resolver)
        for (const auto& lookup : search->lookups) asio::co_spawn(executor, async_look_up(search, *resolver, *lookup), asio::detached);
    while (resolver && search->under_way > 0 && std::chrono::steady_clock::now() < deadline) {
        search->all_there.expires_at(deadline);
        co_await search->all_there.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    search->given_up = true;
    const dns::Answer none{.status = dns::Status::failed,
                           .records = {},
                           .canonical_name = {},
                           .detail = resolver ? "not answered in time" : "there is no resolver"};
    std::vector<policy::FactValue> values;
    for (const auto& lookup : search->lookups) {
        net::answer_with(*lookup, none);
        values.push_back(lookup->take());
    }
    co_return values;
}

}  // namespace thurn::inbound
