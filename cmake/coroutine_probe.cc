// Counts how often an aggregate temporary inside a co_await expression is destroyed. A compiler that gets this
// wrong builds servers that free memory twice; see docs/decisions/0001-toolchain.md.
#include <coroutine>
#include <exception>
#include <expected>

namespace {

int alive = 0;

struct Counted {
    Counted() { ++alive; }
    Counted(const Counted&) { ++alive; }
    ~Counted() { --alive; }
};
struct Aggregate {
    Counted counted;
    int value;
};

struct Task {
    struct promise_type {
        Task get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
        std::suspend_never initial_suspend() { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { std::terminate(); }
    };
    std::coroutine_handle<promise_type> handle;
};

std::coroutine_handle<> waiting;
struct Suspend {
    bool await_ready() { return false; }
    void await_suspend(std::coroutine_handle<> handle) { waiting = handle; }
    std::expected<int, int> await_resume() { return 1; }
};
Suspend use(Aggregate) { return {}; }
Suspend use_reference(const Aggregate&) { return {}; }

Task run() {
    co_await use(Aggregate{Counted{}, 1});
    co_await use_reference(Aggregate{Counted{}, 2});
    co_await use({.counted = {}, .value = 3});
}

}  // namespace

int main() {
    const Task task = run();
    for (int step = 0; step < 3; ++step) waiting.resume();
    if (!task.handle.done()) return 1;
    task.handle.destroy();
    return alive == 0 ? 0 : 2;
}
