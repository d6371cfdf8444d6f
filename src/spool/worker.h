#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace thurn::spool {

/// One thread that does what it is given, in order. Dropping it does everything that waits first.
///
/// Threads  post() from any.
class Worker {
public:
    using Task = std::move_only_function<void()>;
    Worker() : thread_([this] { run(); }) {}
    ~Worker() {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        wake_.notify_one();
        thread_.join();
    }
    void post(Task task) {
        {
            const std::lock_guard lock(mutex_);
            waiting_.push_back(std::move(task));
        }
        wake_.notify_one();
    }

private:
    void run() {
        for (;;) {
            std::vector<Task> tasks;
            {
                std::unique_lock lock(mutex_);
                wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
                std::swap(tasks, waiting_);
            }
            if (tasks.empty()) return;
            for (auto& task : tasks) task();
        }
    }

    std::mutex mutex_;
    std::condition_variable wake_;
    std::vector<Task> waiting_;
    bool stopping_ = false;
    std::thread thread_;  // last: it uses the others
};

}  // namespace thurn::spool
