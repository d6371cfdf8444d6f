#pragma once

#include "base/result.h"
#include "dns/dns.h"

#include <chrono>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

struct event;
struct event_base;
struct ub_ctx;

namespace thurn::net {

struct UnboundOptions {
    std::vector<std::string> servers;    // `192.0.2.1@53`
    std::filesystem::path trust_anchor;  // empty: no validation
    std::chrono::milliseconds timeout{};
};

/// libunbound on a libevent base of its own: questions in, answers by callback, each within the timeout.
///
/// Threads  One, the same for all calls; wake() and only it from any.
class Unbound {
public:
    using Done = std::move_only_function<void(dns::Answer)>;

    /// Errors   `refused`, `full`.
    [[nodiscard]] static base::Result<std::unique_ptr<Unbound>> make(const UnboundOptions& options);
    ~Unbound();
    Unbound(const Unbound&) = delete;
    Unbound& operator=(const Unbound&) = delete;

    /// Asks one question and serves until it is answered.
    [[nodiscard]] dns::Answer ask_and_wait(const dns::Question& question);
    /// `done` may be called before this returns.
    void ask(const dns::Question& question, Done done);
    /// Serves until leave(); calls `on_wake` after each wake(), perhaps once for several.
    void run(std::function<void()> on_wake);
    /// Ends run(); what waits is answered with "stopping".
    void leave();
    void wake();

private:
    struct Flight;
    struct Deadline {
        std::chrono::steady_clock::time_point at;
        std::uint64_t flight;
    };
    explicit Unbound(std::chrono::milliseconds timeout);
    [[nodiscard]] base::Result<void> set_up(const UnboundOptions& options);
    [[nodiscard]] bool set_up_events();
    void land(std::uint64_t id, dns::Answer answer);
    void expire();
    void set_timer();
    static void on_answer(void* flight, int code, void* packet, int size, int security, char* why_bogus, int limited);

    std::chrono::milliseconds timeout_;
    int wakeup_descriptor_ = -1;
    event_base* base_ = nullptr;
    event* wakeup_ = nullptr;
    event* timer_ = nullptr;
    ub_ctx* context_ = nullptr;
    std::function<void()> on_wake_;
    std::unordered_map<std::uint64_t, std::unique_ptr<Flight>> flights_;
    std::deque<Deadline> deadlines_;  // in order, because all questions have the same time; may name flights that have landed
    std::uint64_t next_flight_ = 1;
};

}  // namespace thurn::net
