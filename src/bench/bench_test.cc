#include "bench/bench_sink.h"
#include "bench/bench_source.h"
#include "bench/poller.h"

#include <future>
#include <sstream>
#include <thread>

#include <boost/json.hpp>
#include <gtest/gtest.h>
#include <sys/socket.h>

namespace thurn::bench {
namespace {

/// A sink on a thread of its own; stop() tells its figures.
class RunningSink {
public:
    explicit RunningSink(SinkOptions options) {
        std::promise<std::uint16_t> listening;
        auto port = listening.get_future();
        options.port = 0;
        options.format = Format::json;
        options.limit = std::chrono::seconds(30);
        options.listening = [&listening](std::uint16_t number) { listening.set_value(number); };
        thread_ = std::jthread([this, options](const std::stop_token& stop) mutable {
            options.stop = stop;
            (void)run_sink(options, told_);
        });
        port_ = port.get();
    }
    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] boost::json::object stop() {
        thread_.join();
        return boost::json::parse(told_.str()).as_object();
    }

private:
    std::ostringstream told_;
    std::jthread thread_;
    std::uint16_t port_ = 0;
};

struct LoadCase {
    const char* name;
    SourceOptions source;
    SinkOptions sink;
};

class LoadTest : public testing::TestWithParam<LoadCase> {};

TEST_P(LoadTest, EveryMessageSentIsTaken) {
    auto options = GetParam().sink;
    options.stop_after = GetParam().source.messages;
    RunningSink sink(options);
    auto source = GetParam().source;
    source.port = sink.port();
    std::ostringstream told;
    EXPECT_EQ(run_source(source, told), 0) << told.str();
    const auto taken = sink.stop();
    EXPECT_EQ(taken.at("taken").to_number<std::size_t>(), source.messages);
    // What the sink counts has the final dot on a line of its own.
    EXPECT_EQ(taken.at("octets").to_number<std::size_t>(), source.messages * (source.size + 3));
    EXPECT_EQ(taken.at("latency").at("count").to_number<std::size_t>(), source.messages);
}

INSTANTIATE_TEST_SUITE_P(Bench, LoadTest,
                         testing::Values(LoadCase{"KeptConnections", {.sessions = 10, .messages = 500}, {}},
                                         LoadCase{"NewConnections", {.sessions = 5, .messages = 50, .per_connection = 1}, {}},
                                         LoadCase{
                                             "WithoutPipelining", {.sessions = 3, .messages = 50, .recipients = 3}, {.pipelining = false}},
                                         LoadCase{"Delayed", {.sessions = 10, .messages = 30}, {.delay = std::chrono::milliseconds(2)}},
                                         LoadCase{"LargeContent", {.sessions = 2, .messages = 6, .size = 3'000'000}, {}},
                                         LoadCase{"AtARate", {.sessions = 2, .messages = 20, .per_connection = 1, .rate = 500}, {}}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(Source, CountsRepliesThatRefuse) {
    RunningSink sink({.defer_percent = 100, .limit = std::chrono::seconds(1)});
    std::ostringstream told;
    EXPECT_EQ(run_source({.port = sink.port(), .sessions = 2, .messages = 10, .format = Format::json}, told), 1);
    const auto figures = boost::json::parse(told.str()).as_object();
    EXPECT_EQ(figures.at("refused").to_number<int>(), 10);
    EXPECT_EQ(figures.at("errors").at("451 4.3.0 not now").to_number<int>(), 10);
}

TEST(Source, GivesUpOnMessagesWhoseConnectionBreaks) {
    RunningSink sink({.close_percent = 100});
    std::ostringstream told;
    EXPECT_EQ(run_source({.port = sink.port(), .sessions = 2, .messages = 10}, told), 1);
}

TEST(Source, CountsBareSessions) {
    RunningSink sink(SinkOptions{});
    std::ostringstream told;
    EXPECT_EQ(run_source({.port = sink.port(), .sessions = 4, .messages = 0, .connections = 40, .format = Format::json}, told), 0);
    EXPECT_EQ(boost::json::parse(told.str()).at("connections").to_number<int>(), 40);
}

TEST(Source, RefusesAPasswordInClearText) {
    std::ostringstream told;
    EXPECT_EQ(run_source({.login = "alice", .password = "secret"}, told), 2);
    EXPECT_EQ(told.str().find("secret"), std::string::npos);
}

TEST(Sink, FindsTheEndOfContentWhereverItIsCut) {
    // The end arrives octet by octet.
    RunningSink sink({.stop_after = 1});
    auto socket = start_connect("127.0.0.1", sink.port());
    ASSERT_TRUE(socket);
    Poller poller;
    struct Nothing : Poller::Watcher {
        void ready() override {}
    } nothing;
    poller.add(*socket, Poller::Interest::writing, nothing);
    poller.poll(std::chrono::seconds(5));
    for (const char octet : std::string_view("MAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\na\r\n..\r\n.\n\r\n.\r\n")) {
        ASSERT_EQ(::send(socket->get(), &octet, 1, MSG_NOSIGNAL), 1);
        std::this_thread::sleep_for(std::chrono::microseconds(200));  // lets the octets arrive apart; the result is the same if they do not
    }
    EXPECT_EQ(sink.stop().at("octets").to_number<int>(), 14);
}

}  // namespace
}  // namespace thurn::bench
