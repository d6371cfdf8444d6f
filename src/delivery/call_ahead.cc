#include "delivery/call_ahead.h"

#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace thurn::delivery {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kMostRemembered = 100'000;
constexpr std::size_t kMostAtOnce = 100;
constexpr std::chrono::hours kKeepThere{24};
constexpr std::chrono::hours kKeepUnknown{1};

struct Known {
    bool exists;
    std::chrono::steady_clock::time_point until;
};

struct Memory {
    std::unordered_map<std::string, Known> known;
    std::size_t under_way = 0;
};

std::optional<bool> recall(const Memory& memory, const std::string& address) {
    const auto found = memory.known.find(address);
    if (found == memory.known.end() || found->second.until < std::chrono::steady_clock::now()) return std::nullopt;
    return found->second.exists;
}

void remember(Memory& memory, const std::string& address, bool exists) {
    if (memory.known.size() >= kMostRemembered) memory.known.clear();
    memory.known[address] = {exists, std::chrono::steady_clock::now() + (exists ? kKeepThere : kKeepUnknown)};
}

}  // namespace

struct CallAhead::State {
    State(asio::any_io_executor where, Ask question) : home(std::move(where)), ask(std::move(question)) {}
    asio::any_io_executor home;
    Ask ask;
    base::Guarded<Memory> memory;
};

/// Lives as long as who asks it or who answers it.
struct CallAhead::Question {
    mail::Mailbox recipient;
    std::string address;
    asio::steady_timer answered;  // the asker's; only its executor touches it
    std::optional<base::Result<bool>> answer{};
};

CallAhead::CallAhead(asio::any_io_executor home, Ask ask) : state_(std::make_shared<State>(std::move(home), std::move(ask))) {}

asio::awaitable<base::Result<bool>> CallAhead::async_exists(mail::Mailbox recipient, std::chrono::seconds limit) const {
    const auto address = mail::render_mailbox(recipient);
    const auto known = state_->memory.with([&](Memory& memory) {
        const auto found = recall(memory, address);
        if (!found && memory.under_way < kMostAtOnce)
            ++memory.under_way;
        else if (!found)
            return base::Result<std::optional<bool>>(base::fail(base::ErrorKind::full, "too many recipients are asked about"));
        return base::Result<std::optional<bool>>(found);
    });
    if (!known) co_return std::unexpected(known.error());
    if (*known) co_return **known;
    const auto executor = co_await asio::this_coro::executor;
    const auto question = std::make_shared<Question>(Question{std::move(recipient), address, asio::steady_timer(executor, limit)});
    asio::co_spawn(state_->home, async_find_out(state_, question), asio::detached);
    co_await question->answered.async_wait(asio::as_tuple(asio::use_awaitable));
    if (!question->answer) co_return base::fail(base::ErrorKind::timed_out, "the next hop did not answer in time");
    co_return *question->answer;
}

asio::awaitable<void> CallAhead::async_find_out(std::shared_ptr<State> state, std::shared_ptr<Question> question) {
    base::Result<bool> answer = base::fail(base::ErrorKind::invalid, "asking went wrong");
    try {
        answer = co_await state->ask(question->recipient);
    } catch (const std::exception& trouble) {
        answer = base::fail(base::ErrorKind::invalid, trouble.what());
    }
    state->memory.with([&](Memory& memory) {
        --memory.under_way;
        if (answer) remember(memory, question->address, *answer);
    });
    const auto executor = question->answered.get_executor();
    asio::post(executor, [question = std::move(question), answer = std::move(answer)]() mutable {
        question->answer = std::move(answer);
        question->answered.cancel();
    });
}

}  // namespace thurn::delivery
