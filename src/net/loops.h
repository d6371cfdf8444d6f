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
    /// Ends the loops' threads. What waits in a loop stays there, and other threads may still post to it. The loops do not start again.
    void halt();
    /// halt(), and destroys on the caller's thread the handlers that have not run and the coroutines that wait in a loop: what they refer
    /// to must still exist, and no other thread may post any more.
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
/// Order    Stopped after the loops that call it are halted, and before they are stopped: its threads still touch a loop for a moment after
///          the caller has resumed there.
class BlockingPool {
public:
    explicit BlockingPool(std::size_t threads) : threads_(threads) {}
    ~BlockingPool() { stop(); }
    /// Does what is under way, destroys what has not begun. No more may be given.
    void stop() { threads_.end(); }

    /// Runs `work` on the pool; resumes on the caller's executor with what it returned.
    template <class Work>
    [[nodiscard]] asio::awaitable<std::invoke_result_t<Work>> async_run(Work work) {
        static_assert(!std::is_reference_v<std::invoke_result_t<Work>>);
        co_return co_await asio::co_spawn(threads_.get_executor(), run(std::move(work)), asio::use_awaitable);
    }

private:
    /// A thread_pool whose waiting handlers can be destroyed before it is.
    class Threads : public asio::thread_pool {
    public:
        using asio::thread_pool::thread_pool;
        void end() {
            stop();
            join();
            shutdown();
        }
    };
    template <class Work>
    static asio::awaitable<std::invoke_result_t<Work>> run(Work work) {
        co_return work();
    }
    Threads threads_;
};

}  // namespace thurn::net
