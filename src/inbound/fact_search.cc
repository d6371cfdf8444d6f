#include "inbound/fact_search.h"

#include "net/answer_all.h"

#include <algorithm>
#include <utility>

namespace thurn::inbound {

namespace asio = boost::asio;

struct FactSearch::State {
    struct One {
        std::unique_ptr<policy::Lookup> lookup;
        std::vector<dns::Question> under_way{};
        bool done = false;
    };
    State(asio::any_io_executor where, net::Resolver* asked) : executor(where), resolver(asked), all_there(std::move(where)) {}
    asio::any_io_executor executor;
    net::Resolver* resolver;
    std::vector<One> all;
    std::size_t open = 0;
    asio::steady_timer all_there;
    bool given_up = false;

    static void ask(const std::shared_ptr<State>& state, std::size_t at);
    static void hear(const std::shared_ptr<State>& state, std::size_t at, const dns::Question& question, const dns::Answer& answer);
};

/// Asks what the look-up wants to know by now, and nobody was asked yet.
void FactSearch::State::ask(const std::shared_ptr<State>& state, std::size_t at) {
    auto& one = state->all[at];
    const auto wanted = one.lookup->questions();
    if (wanted.empty() && !std::exchange(one.done, true) && --state->open == 0) state->all_there.cancel();
    for (const auto& question : wanted) {
        if (std::ranges::find(one.under_way, question) != one.under_way.end()) continue;
        one.under_way.push_back(question);
        asio::co_spawn(state->executor, state->resolver->async_ask(question),
                       [state, at, question](const std::exception_ptr& trouble, dns::Answer answer) {
                           hear(state, at, question, trouble ? dns::Answer() : std::move(answer));
                       });
    }
}

void FactSearch::State::hear(const std::shared_ptr<State>& state, std::size_t at, const dns::Question& question,
                             const dns::Answer& answer) {
    auto& one = state->all[at];
    std::erase(one.under_way, question);
    if (state->given_up || one.done) return;
    one.lookup->answer(question, answer);
    ask(state, at);
}

FactSearch::FactSearch(asio::any_io_executor executor, net::Resolver* resolver, std::vector<std::unique_ptr<policy::Lookup>> lookups)
    : state_(std::make_shared<State>(std::move(executor), resolver)) {
    state_->open = lookups.size();
    for (auto& lookup : lookups) state_->all.push_back({std::move(lookup)});
    for (std::size_t at = 0; resolver && at < state_->all.size(); ++at) State::ask(state_, at);
}

FactSearch::~FactSearch() { state_->given_up = true; }

asio::awaitable<std::vector<policy::FactValue>> FactSearch::async_finish(net::Deadline deadline) {
    auto& state = *state_;
    while (state.resolver && state.open > 0 && std::chrono::steady_clock::now() < deadline) {
        state.all_there.expires_at(deadline);
        co_await state.all_there.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    state.given_up = true;
    const dns::Answer none{.status = dns::Status::failed,
                           .records = {},
                           .canonical_name = {},
                           .detail = state.resolver ? "not answered in time" : "there is no resolver"};
    std::vector<policy::FactValue> values;
    for (const auto& one : state.all) {
        net::answer_with(*one.lookup, none);
        values.push_back(one.lookup->take());
    }
    co_return values;
}

asio::awaitable<policy::FactValue> async_find_out(net::Resolver* resolver, std::unique_ptr<policy::Lookup> lookup, net::Deadline deadline) {
    std::vector<std::unique_ptr<policy::Lookup>> lookups;
    lookups.push_back(std::move(lookup));
    FactSearch search(co_await asio::this_coro::executor, resolver, std::move(lookups));
    auto values = co_await search.async_finish(deadline);
    co_return std::move(values.front());
}

}  // namespace thurn::inbound
