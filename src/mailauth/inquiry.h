#pragma once

#include "dns/dns.h"

#include <cassert>
#include <coroutine>
#include <exception>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace thurn::mailauth {

// SPF and DMARC ask DNS in the midst of things: inside an include, inside a macro, on the third step up a tree. So their evaluation is
// written as coroutines that read like the RFC, `co_await dns.ask(question)`, and remain cores without I/O: to ask is to be put aside until
// somebody hands in the answer.

/// The counter between an evaluation, which asks, and a driver, who answers.
///
/// Shape    At most one round of questions is open at a time; the evaluation goes on when the last of them is answered.
/// Threads  One.
class Inquiries {
public:
    Inquiries() = default;
    Inquiries(const Inquiries&) = delete;
    Inquiries& operator=(const Inquiries&) = delete;

    /// For the driver: what is not answered yet, each question once.
    [[nodiscard]] std::vector<dns::Question> open() const {
        std::vector<dns::Question> questions;
        for (const auto& [question, answer] : round_)
            if (!answer) questions.push_back(question);
        return questions;
    }
    /// Answers nobody waits for are ignored. The last one of a round runs the evaluation on, up to its next questions or its end.
    void answer(const dns::Question& question, const dns::Answer& answer) {
        const auto asked = round_.find(question);
        if (asked == round_.end() || asked->second) return;
        asked->second = answer;
        if (open().empty()) std::exchange(waiting_, nullptr).resume();
    }

private:
    struct Round {
        Inquiries& inquiries;
        std::vector<dns::Question> questions;
        [[nodiscard]] bool await_ready() const noexcept { return questions.empty(); }
        void await_suspend(std::coroutine_handle<> waiting) {
            assert(inquiries.round_.empty());
            for (const auto& question : questions) inquiries.round_.emplace(question, std::nullopt);
            inquiries.waiting_ = waiting;
        }
        std::vector<dns::Answer> await_resume() {
            std::vector<dns::Answer> answers;
            for (const auto& question : questions) answers.push_back(*inquiries.round_.at(question));
            inquiries.round_.clear();
            return answers;
        }
    };
    struct Single {
        Round round;
        [[nodiscard]] bool await_ready() const noexcept { return false; }
        void await_suspend(std::coroutine_handle<> waiting) { round.await_suspend(waiting); }
        dns::Answer await_resume() { return std::move(round.await_resume().front()); }
    };

public:
    /// For the evaluation: `co_await` gives the answers in the order of the questions.
    [[nodiscard]] Round ask_all(std::vector<dns::Question> questions) { return {*this, std::move(questions)}; }
    [[nodiscard]] Single ask(dns::Question question) { return {{*this, {std::move(question)}}}; }

private:
    std::map<dns::Question, std::optional<dns::Answer>> round_;
    std::coroutine_handle<> waiting_;
};

/// An evaluation that may wait for answers: a coroutine that yields one `T`. Nothing runs before start() or `co_await`.
///
/// Errors   An exception (no memory) leaves through start() or Inquiries::answer(); the evaluation never ends then.
/// Threads  One.
template <class T>
class [[nodiscard]] Evaluation {
public:
    struct promise_type {
        std::optional<T> value;
        std::coroutine_handle<> caller;

        struct BackToCaller {
            [[nodiscard]] bool await_ready() const noexcept { return false; }
            std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> ended) const noexcept {
                return ended.promise().caller ? ended.promise().caller : std::noop_coroutine();
            }
            void await_resume() const noexcept {}
        };
        Evaluation get_return_object() { return Evaluation(std::coroutine_handle<promise_type>::from_promise(*this)); }
        std::suspend_always initial_suspend() noexcept { return {}; }
        BackToCaller final_suspend() noexcept { return {}; }
        template <class Value>
        void return_value(Value&& given) {
            value.emplace(std::forward<Value>(given));
        }
        [[noreturn]] void unhandled_exception() { throw; }
    };

    Evaluation(Evaluation&& other) noexcept : coroutine_(std::exchange(other.coroutine_, nullptr)) {}
    Evaluation& operator=(Evaluation&& other) noexcept {
        std::swap(coroutine_, other.coroutine_);
        return *this;
    }
    ~Evaluation() {
        if (coroutine_) coroutine_.destroy();
    }

    void start() { coroutine_.resume(); }
    [[nodiscard]] bool done() const { return coroutine_.promise().value.has_value(); }
    /// Precondition: done().
    [[nodiscard]] T take() { return *std::move(coroutine_.promise().value); }

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> caller) noexcept {
        coroutine_.promise().caller = caller;
        return coroutine_;
    }
    T await_resume() { return take(); }

private:
    explicit Evaluation(std::coroutine_handle<promise_type> coroutine) : coroutine_(coroutine) {}
    std::coroutine_handle<promise_type> coroutine_;
};

}  // namespace thurn::mailauth
