#include "delivery/call_ahead.h"

#include <unordered_map>
#include <utility>
#include <vector>

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
constexpr std::size_t kMostOfADomain = 20;
constexpr std::chrono::hours kKeepThere{24};
constexpr std::chrono::hours kKeepUnknown{1};

struct Known {
    bool exists;
    std::chrono::steady_clock::time_point until;
};

/// Waits for the answer; only its executor touches it once it waits.
struct Asker {
    asio::steady_timer answered;
    std::optional<base::Result<bool>> answer{};
};
using Askers = std::vector<std::shared_ptr<Asker>>;

/// What is known, and who waits for what. Invariant: an address is among `under_way` while its question is asked.
struct Memory {
    std::unordered_map<std::string, Known> known{};
    std::unordered_map<std::string, Askers> under_way{};
    std::unordered_map<std::string, std::size_t> of_domain{};  // how many are under way
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

void forget_asker(Memory& memory, const std::string& address, const std::shared_ptr<Asker>& asker) {
    const auto found = memory.under_way.find(address);
    if (found != memory.under_way.end()) std::erase(found->second, asker);
}

/// Who waits for the answer; they wait no more.
Askers end_question(Memory& memory, const mail::Mailbox& recipient, const std::string& address) {
    const auto of_domain = memory.of_domain.find(recipient.domain.text());
    if (--of_domain->second == 0) memory.of_domain.erase(of_domain);
    return std::move(memory.under_way.extract(address).mapped());
}

void tell(std::shared_ptr<Asker> asker, const base::Result<bool>& answer) {
    const auto executor = asker->answered.get_executor();
    asio::post(executor, [asker = std::move(asker), answer] {
        asker->answer = answer;
        asker->answered.cancel();
    });
}

/// Whose turn it is to do what.
enum class Part { ask, wait };

/// Errors   `full`: nobody may ask about it now.
base::Result<Part> join(Memory& memory, const mail::Mailbox& recipient, const std::string& address, const std::shared_ptr<Asker>& asker) {
    if (const auto found = memory.under_way.find(address); found != memory.under_way.end()) {
        found->second.push_back(asker);
        return Part::wait;
    }
    const auto& domain = recipient.domain.text();
    const auto of_domain = memory.of_domain.find(domain);
    if (memory.under_way.size() >= kMostAtOnce) return base::fail(base::ErrorKind::full, "too many recipients are asked about");
    if (of_domain != memory.of_domain.end() && of_domain->second >= kMostOfADomain)
        return base::fail(base::ErrorKind::full, "too many recipients of " + domain + " are asked about");
    memory.under_way[address] = {asker};
    ++memory.of_domain[domain];
    return Part::ask;
}

}  // namespace

struct CallAhead::State {
    State(asio::any_io_executor where, Ask question) : home(std::move(where)), ask(std::move(question)) {}
    asio::any_io_executor home;
    Ask ask;
    base::Guarded<Memory> memory;
};

CallAhead::CallAhead(asio::any_io_executor home, Ask ask) : state_(std::make_shared<State>(std::move(home), std::move(ask))) {}

asio::awaitable<base::Result<bool>> CallAhead::async_exists(mail::Mailbox recipient, std::chrono::seconds limit) const {
    const auto state = state_;
    const auto address = mail::render_mailbox(recipient);
    const auto asker = std::make_shared<Asker>(Asker{asio::steady_timer(co_await asio::this_coro::executor, limit)});
    std::optional<bool> known;
    const auto part = state->memory.with([&](Memory& memory) {
        known = recall(memory, address);
        return known ? base::Result<Part>(Part::wait) : join(memory, recipient, address, asker);
    });
    if (!part) co_return std::unexpected(part.error());
    if (known) co_return *known;
    if (*part == Part::ask) asio::co_spawn(state->home, async_find_out(state, std::move(recipient)), asio::detached);
    co_await asker->answered.async_wait(asio::as_tuple(asio::use_awaitable));
    if (asker->answer) co_return *asker->answer;
    state->memory.with([&](Memory& memory) { forget_asker(memory, address, asker); });
    co_return base::fail(base::ErrorKind::timed_out, "the next hop did not answer in time");
}

asio::awaitable<void> CallAhead::async_find_out(std::shared_ptr<State> state, mail::Mailbox recipient) {
    base::Result<bool> answer = base::fail(base::ErrorKind::invalid, "asking went wrong");
    try {
        answer = co_await state->ask(recipient);
    } catch (const std::exception& trouble) {
        answer = base::fail(base::ErrorKind::invalid, trouble.what());
    }
    const auto address = mail::render_mailbox(recipient);
    auto askers = state->memory.with([&](Memory& memory) {
        if (answer) remember(memory, address, *answer);
        return end_question(memory, recipient, address);
    });
    for (auto& asker : askers) tell(std::move(asker), answer);
}

}  // namespace thurn::delivery
