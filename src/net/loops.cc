#include "net/loops.h"

#include <algorithm>

namespace thurn::net {

/// An io_context whose waiting handlers can be destroyed before it is.
class Loops::Context final : public asio::io_context {
public:
    Context() : asio::io_context(1) {}
    void drop_handlers() { shutdown(); }
};

Loops::Loops(std::size_t count) {
    for (std::size_t made = 0; made < std::max<std::size_t>(count, 1); ++made) {
        contexts_.push_back(std::make_unique<Context>());
        guards_.push_back(std::make_unique<asio::executor_work_guard<asio::io_context::executor_type>>(contexts_.back()->get_executor()));
    }
}

Loops::~Loops() { stop(); }

void Loops::start() {
    for (const auto& context : contexts_) threads_.emplace_back([&loop = *context] { loop.run(); });
}

void Loops::halt() {
    for (const auto& context : contexts_) context->stop();
    for (auto& thread : threads_) thread.join();
    threads_.clear();
}

// A handler of one loop may hold what belongs to another, so all loops stand still before the first is emptied.
void Loops::stop() {
    halt();
    for (const auto& context : contexts_) static_cast<Context&>(*context).drop_handlers();
}

}  // namespace thurn::net
