#include "inbound/service.h"

#include "inbound/conversation.h"

#include <algorithm>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

namespace thurn::inbound {

namespace {

constexpr std::size_t kReadBuffer = 128 * 1024;
constexpr std::chrono::seconds kBetweenQueueRuns{60};  // of one domain: each looks through the whole queue

/// Holds the conversation for as long as its coroutine runs.
net::asio::awaitable<void> run(std::shared_ptr<Conversation> conversation) { co_await conversation->async_run(); }

}  // namespace

Service::Service(Dependencies dependencies, std::size_t loops, std::size_t connections, std::size_t connections_per_address)
    : with_(std::move(dependencies)),
      limits_(connections, connections_per_address),
      read_buffers_(loops, std::vector<char>(kReadBuffer)),
      idle_(loops) {}

Service::~Service() = default;

void Service::configure(std::shared_ptr<const Options> options) {
    options_.with([&](auto& current) { current = std::move(options); });
}

void Service::serve(net::asio::generic::stream_protocol::socket socket, const ListenerProfile& profile, std::size_t loop) {
    if (stopping_) return;
    auto options = options_.with([](auto& current) { return current; });
    auto executor = socket.get_executor();
    const auto number = sessions_.fetch_add(1, std::memory_order_relaxed);
    // Shared: its coroutine owns it, and the service reaches it from other threads to stop it.
    auto conversation = std::make_shared<Conversation>(*this, net::Stream(std::move(socket)), profile, std::move(options),
                                                       read_buffers_[loop], idle_[loop], number);
    conversations_.with([&](auto& all) {
        if (all.size() == all.capacity()) std::erase_if(all, [](const auto& one) { return one.expired(); });
        all.push_back(conversation);
    });
    if (stopping_) return;  // shut_down() may have looked through them just before
    net::asio::co_spawn(executor, run(std::move(conversation)), net::asio::detached);
}

void Service::shut_down() {
    stopping_ = true;
    each_conversation(&Conversation::stop);
}

void Service::abort() { each_conversation(&Conversation::abort); }

bool Service::queue_run_due(const std::string& domain) {
    const auto now = std::chrono::steady_clock::now();
    return queue_runs_.with([&](auto& runs) {
        const auto [last, first] = runs.try_emplace(domain, now);
        if (!first && now - last->second < kBetweenQueueRuns) return false;
        last->second = now;
        return true;
    });
}

void Service::each_conversation(void (Conversation::*action)()) {
    const auto all = conversations_.with([](auto& conversations) { return conversations; });
    for (const auto& weak : all)
        if (auto conversation = weak.lock()) {
            auto executor = conversation->executor();
            net::asio::post(executor, [conversation = std::move(conversation), action] { ((*conversation).*action)(); });
        }
}

}  // namespace thurn::inbound
