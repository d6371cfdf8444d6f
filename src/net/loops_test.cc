#include "net/loops.h"

#include <future>
#include <set>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

namespace thurn::net {
namespace {

using namespace std::chrono_literals;

TEST(Loops, AreAtLeastOne) { EXPECT_EQ(Loops(0).count(), 1U); }

TEST(Loops, RunEachOnAThreadOfItsOwn) {
    Loops loops(3);
    loops.start();
    std::set<std::thread::id> threads;
    for (std::size_t turn = 0; turn < 6; ++turn) {
        std::promise<std::thread::id> here;
        asio::post(loops.next(), [&here] { here.set_value(std::this_thread::get_id()); });
        threads.insert(here.get_future().get());
    }
    EXPECT_EQ(threads.size(), 3U);
    EXPECT_FALSE(threads.contains(std::this_thread::get_id()));
}

struct Leaves {
    bool& gone;
    ~Leaves() { gone = true; }
};

asio::awaitable<void> wait_for_ever(bool& gone, std::promise<void>& waiting) {
    const Leaves leaves{gone};
    asio::steady_timer timer(co_await asio::this_coro::executor, 24h);
    waiting.set_value();
    co_await timer.async_wait(asio::use_awaitable);
}

TEST(Loops, DestroyWhatStillWaitsWhenStopped) {
    bool gone = false;
    std::promise<void> waiting;
    Loops loops(2);
    loops.start();
    asio::co_spawn(loops.loop(1), wait_for_ever(gone, waiting), asio::detached);
    waiting.get_future().get();
    loops.stop();
    EXPECT_TRUE(gone) << "by stop(), not only by the destructor";
    asio::post(loops.loop(1), [] { FAIL() << "a stopped loop runs nothing"; });
}

asio::awaitable<std::pair<std::thread::id, std::thread::id>> here_and_there(BlockingPool& pool) {
    const auto there = co_await pool.async_run([] { return std::this_thread::get_id(); });
    co_return std::pair(std::this_thread::get_id(), there);
}

TEST(BlockingPool, WorksElsewhereAndResumesOnTheCallersLoop) {
    Loops loops(1);
    BlockingPool pool(2);
    loops.start();
    const auto [here, there] = asio::co_spawn(loops.loop(0), here_and_there(pool), asio::use_future).get();
    std::promise<std::thread::id> loop;
    asio::post(loops.loop(0), [&loop] { loop.set_value(std::this_thread::get_id()); });
    EXPECT_EQ(here, loop.get_future().get());
    EXPECT_NE(here, there);
}

asio::awaitable<void> throw_there(BlockingPool& pool) {
    co_await pool.async_run([]() -> int { throw std::runtime_error("a bug"); });
}

TEST(BlockingPool, HandsExceptionsToTheCaller) {
    Loops loops(1);
    BlockingPool pool(1);
    loops.start();
    EXPECT_THROW(asio::co_spawn(loops.loop(0), throw_there(pool), asio::use_future).get(), std::runtime_error);
}

}  // namespace
}  // namespace thurn::net
