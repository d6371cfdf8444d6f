#pragma once

#include <atomic>
#include <memory>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace thurn::net {

namespace asio = boost::asio;

/// The event loops of the process: N threads, each with an io_context of its own.
///
/// Threads  loop(k) and next() from any. start() and stop() from one, which is none of the loops'.
class Loops {
public:
    explicit Loops(std::size_t count);
    /// Whatever holds a socket or timer of a loop must be gone by then.
    ~Loops();
    [[nodiscard]] std::size_t count() const { return contexts_.size(); }
    [[nodiscard]] asio::io_context& loop(std::size_t index) { return *contexts_[index]; }
    /// Round robin.
    [[nodiscard]] asio::io_context& next() { return *contexts_[turn_.fetch_add(1, std::memory_order_relaxed) % contexts_.size()]; }
    void start();
    /// Stops the loops, waits for their threads. Handlers that have not run, and coroutines that wait in a loop, are destroyed here, on the
    /// caller's thread: what they refer to must still exist. The loops do not start again.
    void stop();

private:
    class Context;
    std::vector<std::unique_ptr<asio::io_context>> contexts_;
    std::vector<std::unique_ptr<asio::executor_work_guard<asio::io_context::executor_type>>> guards_;
    std::vector<std::thread> threads_;
    std::atomic<std::size_t> turn_{0};
};

/// Threads for work that blocks: disk reads, password hashes, SQL.
///
/// Threads  Any.
class BlockingPool {
public:
    explicit BlockingPool(std::size_t threads) : pool_(threads) {}
    ~BlockingPool() { stop(); }
    /// Waits for all work given so far.
    void stop() { pool_.join(); }

    /// Runs `work` on the pool; resumes on the caller's executor with what it returned.
    template <class Work>
    [[nodiscard]] asio::awaitable<std::invoke_result_t<Work>> async_run(Work work) {
        static_assert(!std::is_reference_v<std::invoke_result_t<Work>>);
        co_return co_await asio::co_spawn(pool_, run(std::move(work)), asio::use_awaitable);
    }

private:
    template <class Work>
    static asio::awaitable<std::invoke_result_t<Work>> run(Work work) {
        co_return work();
    }
    asio::thread_pool pool_;
};

}  // namespace thurn::net
