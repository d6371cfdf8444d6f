#include "delivery/call_ahead.h"

#include "net/loops.h"

#include <atomic>
#include <future>

#include <boost/asio/co_spawn.hpp>
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
    base::Result<bool> exists(std::string_view recipient, std::chrono::seconds limit = std::chrono::seconds(30)) {
        if (!std::exchange(started_, true)) loops_.start();
        return asio::co_spawn(loops_.loop(1), call_ahead_.async_exists(mail::parse_mailbox(recipient).value(), limit), asio::use_future)
            .get();
    }

    std::map<std::string, base::Result<bool>> answers_;
    std::atomic<int> asked_ = 0;  // counted on the loop of the questions, read by the test
    std::chrono::seconds takes_{0};
    net::Loops loops_{2};
    bool started_ = false;
    CallAhead call_ahead_{loops_.loop(0).get_executor(), [this](mail::Mailbox recipient) -> asio::awaitable<base::Result<bool>> {
                              ++asked_;
                              asio::steady_timer pause(loops_.loop(0), takes_);
                              co_await pause.async_wait(asio::use_awaitable);
                              if (recipient.local == "throws") throw std::runtime_error("a bug");
                              co_return answers_.at(recipient.local);
                          }};
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
    takes_ = std::chrono::hours(1);
    EXPECT_EQ(exists("slow@b.example", std::chrono::seconds(0)).error().kind, base::ErrorKind::timed_out);
    for (int more = 0; more < 99; ++more) static_cast<void>(exists("slow@b.example", std::chrono::seconds(0)));
    EXPECT_EQ(exists("slow@b.example").error().kind, base::ErrorKind::full) << "a server that does not answer is not asked without end";
    EXPECT_EQ(asked_, 100);
}

}  // namespace
}  // namespace thurn::delivery
