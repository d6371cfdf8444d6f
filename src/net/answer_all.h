#pragma once

#include "net/resolver.h"

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace thurn::net {

/// All questions at once; the answers in their order.
/// Threads  As Resolver::async_ask(); the caller's executor must be one thread's.
[[nodiscard]] inline boost::asio::awaitable<std::vector<dns::Answer>> async_ask_all(Resolver& resolver,
                                                                                    std::vector<dns::Question> questions) {
    namespace asio = boost::asio;
    const auto executor = co_await asio::this_coro::executor;
    std::vector<dns::Answer> answers(questions.size());
    if (questions.size() == 1) answers.front() = co_await resolver.async_ask(std::move(questions.front()));
    if (questions.size() <= 1) co_return answers;
    asio::steady_timer all_there(executor, asio::steady_timer::time_point::max());
    std::size_t open = questions.size();
    for (std::size_t i = 0; i < questions.size(); ++i)
        asio::co_spawn(executor, resolver.async_ask(std::move(questions[i])),
                       [&answers, &all_there, &open, i](const std::exception_ptr& trouble, dns::Answer answer) {
                           if (!trouble) answers[i] = std::move(answer);
                           if (--open == 0) all_there.cancel();
                       });
    while (open > 0) co_await all_there.async_wait(asio::as_tuple(asio::use_awaitable));
    co_return answers;
}

/// Answers all that a core wants to know, until it wants no more: anything with questions() and answer().
template <class Core>
[[nodiscard]] boost::asio::awaitable<void> async_answer_all(Resolver& resolver, Core& core) {
    for (auto open = core.questions(); !open.empty(); open = core.questions()) {
        const auto answers = co_await async_ask_all(resolver, open);
        for (std::size_t i = 0; i < open.size(); ++i) core.answer(open[i], answers[i]);
    }
}

/// Ends a core that nobody has time to wait for any more.
template <class Core>
void answer_with(Core& core, const dns::Answer& answer) {
    for (auto open = core.questions(); !open.empty(); open = core.questions())
        for (const auto& question : open) core.answer(question, answer);
}

}  // namespace thurn::net
