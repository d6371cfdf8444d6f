#include "delivery/call_ahead.h"

#include "net/loops.h"

#include <atomic>
#include <chrono>
#include <future>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

namespace thurn::delivery {
namespace {

namespace asio = net::asio;

class CallAheadTest : public testing::Test {
protected:
    ~CallAheadTest() override { loops_.stop(); }
    std::future<base::Result<bool>> begin(std::string_view recipient, std::chrono::seconds limit = std::chrono::seconds(30)) {
        if (!std::exchange(started_, true)) loops_.start();
        return asio::co_spawn(loops_.loop(1), call_ahead_.async_exists(mail::parse_mailbox(recipient).value(), limit), asio::use_future);
    }
    base::Result<bool> exists(std::string_view recipient, std::chrono::seconds limit = std::chrono::seconds(30)) {
        return begin(recipient, limit).get();
    }
    /// How many were asked, those included that are on their way to the loop of the questions.
    int asked() {
        asio::post(loops_.loop(0), asio::use_future).get();
        return asked_;
    }
    /// What is in silent.example is never answered.
    asio::awaitable<base::Result<bool>> async_ask(mail::Mailbox recipient) {
        ++asked_;
        const bool silent = recipient.domain.text().ends_with("silent.example");
        asio::steady_timer pause(loops_.loop(0), silent ? std::chrono::hours(1) : std::chrono::milliseconds(pause_));
        co_await pause.async_wait(asio::use_awaitable);
        if (recipient.local == "throws") throw std::runtime_error("a bug");
        co_return answers_.at(recipient.local);
    }

    std::map<std::string, base::Result<bool>> answers_;
    std::atomic<int> asked_ = 0;  // counted on the loop of the questions, read by the test
    std::chrono::milliseconds pause_{0};
    net::Loops loops_{2};
    bool started_ = false;
    CallAhead call_ahead_{loops_.loop(0).get_executor(), [this](mail::Mailbox recipient) { return async_ask(std::move(recipient)); }};
};

TEST_F(CallAheadTest, AsksOnceAndRemembers) {
    answers_ = {{"there", true}, {"nobody", false}};
    for (int round = 0; round < 3; ++round) {
        EXPECT_EQ(exists("there@b.example"), true);
        EXPECT_EQ(exists("nobody@b.example"), false);
        EXPECT_EQ(exists("nobody@B.EXAMPLE"), false) << "domains have no case";
    }
    EXPECT_EQ(asked_, 2);
}

TEST_F(CallAheadTest, DoesNotRememberThatThereWasNoAnswer) {
    answers_ = {{"perhaps", base::fail(base::ErrorKind::refused, "451 later")}};
    EXPECT_EQ(exists("perhaps@b.example").error().detail, "451 later");
    answers_ = {{"perhaps", true}};
    EXPECT_EQ(exists("perhaps@b.example"), true);
    EXPECT_EQ(exists("throws@b.example").error().detail, "a bug");
}

TEST_F(CallAheadTest, WaitsNoLongerThanItMay) {
    EXPECT_EQ(exists("slow@silent.example", std::chrono::seconds(0)).error().kind, base::ErrorKind::timed_out);
    EXPECT_EQ(asked(), 1);
}

TEST_F(CallAheadTest, AsksOnceForAllWhoWait) {
    for (int more = 0; more < 200; ++more)
        EXPECT_EQ(exists("slow@silent.example", std::chrono::seconds(0)).error().kind, base::ErrorKind::timed_out);
    EXPECT_EQ(asked(), 1);

    pause_ = std::chrono::milliseconds(200);
    answers_ = {{"there", true}, {"perhaps", base::fail(base::ErrorKind::refused, "451 later")}};
    for (const auto& [local, expected] : answers_) {
        std::vector<std::future<base::Result<bool>>> all;
        for (int who = 0; who < 5; ++who) all.push_back(begin(local + "@b.example"));
        for (auto& one : all) EXPECT_EQ(one.get(), expected) << "all are told";
    }
}

TEST_F(CallAheadTest, ASilentDomainLeavesRoomForOthers) {
    answers_ = {{"there", true}};
    const auto ask = [this](int who, const char* domain) {
        return exists("u" + std::to_string(who) + "@" + domain, std::chrono::seconds(0)).error().kind;
    };
    for (int who = 0; who < 20; ++who) EXPECT_EQ(ask(who, "silent.example"), base::ErrorKind::timed_out);
    EXPECT_EQ(ask(20, "silent.example"), base::ErrorKind::full);
    EXPECT_EQ(ask(0, "silent.example"), base::ErrorKind::timed_out) << "who joins takes no room";
    EXPECT_EQ(exists("there@b.example"), true);
    for (int who = 0; who < 80; ++who)
        EXPECT_EQ(ask(who, ("d" + std::to_string(who % 4) + ".silent.example").c_str()), base::ErrorKind::timed_out);
    EXPECT_EQ(exists("new@c.example").error().kind, base::ErrorKind::full) << "nor are all servers together asked without end";
    EXPECT_EQ(exists("there@b.example"), true) << "what is known is";
    EXPECT_EQ(asked(), 101);
}

}  // namespace
}  // namespace thurn::delivery
