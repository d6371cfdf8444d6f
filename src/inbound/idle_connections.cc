#include "inbound/idle_connections.h"

#include <algorithm>
#include <array>
#include <list>
#include <utility>

#include <boost/asio/steady_timer.hpp>

namespace thurn::inbound {

namespace {

constexpr std::ptrdiff_t kMostToOnePlace = 16;
constexpr std::chrono::seconds kKept{60};

}  // namespace

struct IdleConnections::State : std::enable_shared_from_this<State> {
    struct Idle {
        std::string place;
        net::Stream stream;
        std::chrono::steady_clock::time_point until;
    };
    std::list<Idle> all;  // the oldest first
    std::optional<net::asio::steady_timer> closing;

    void close_old() {
        const auto now = std::chrono::steady_clock::now();
        while (!all.empty() && all.front().until <= now) all.pop_front();
        if (all.empty()) {
            closing.reset();
            return;
        }
        closing->expires_at(all.front().until);
        closing->async_wait([weak = weak_from_this()](boost::system::error_code error) {
            if (const auto self = weak.lock(); self && !error) self->close_old();
        });
    }
};

IdleConnections::IdleConnections() : state_(std::make_shared<State>()) {}
IdleConnections::~IdleConnections() = default;
IdleConnections::IdleConnections(IdleConnections&&) noexcept = default;

net::asio::awaitable<std::optional<net::Stream>> IdleConnections::async_take(std::string place) {
    auto& all = state_->all;
    while (true) {
        const auto found = std::ranges::find(all.rbegin(), all.rend(), place, &State::Idle::place);
        if (found == all.rend()) co_return std::nullopt;
        auto stream = std::optional<net::Stream>(std::move(found->stream));
        all.erase(std::prev(found.base()));
        if (stream->tls_active()) co_return stream;  // which cannot be peeked at, and answers nobody out of turn without the peer's key
        std::array<char, 1> octet{};
        const auto heard = co_await stream->async_peek(octet, std::chrono::steady_clock::now());
        if (!heard && heard.error().kind == base::ErrorKind::timed_out) co_return stream;
    }
}

void IdleConnections::give_back(std::string place, net::Stream stream) {
    auto& all = state_->all;
    if (std::ranges::count(all, place, &State::Idle::place) >= kMostToOnePlace) return;
    auto executor = stream.executor();
    all.emplace_back(std::move(place), std::move(stream), std::chrono::steady_clock::now() + kKept);
    if (state_->closing) return;
    state_->closing.emplace(executor);
    state_->close_old();
}

}  // namespace thurn::inbound
