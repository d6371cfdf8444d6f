#include "net/listener.h"

#include "net/endpoint.h"
#include "net/stream.h"
#include "support/loopback.h"

#include <vector>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

namespace thurn::net {
namespace {

using asio::ip::tcp;
using namespace std::chrono_literals;

const tcp::endpoint kAnyPort(asio::ip::address_v4::loopback(), 0);

class CountingLog final : public base::Log {
public:
    void write(base::LogLevel, std::string_view event, std::initializer_list<base::LogField>) override { events.emplace_back(event); }
    std::vector<std::string> events;
};

class ListenerTest : public testing::Test {
protected:
    Listener bound(ListenerOptions options) {
        auto listener = Listener::bind(loop_, options, log_);
        EXPECT_TRUE(listener.has_value()) << listener.error().detail;
        return *std::move(listener);
    }
    /// Runs the loop until so many connections have been accepted.
    void run_until_accepted(std::size_t count) {
        loop_.restart();
        while (accepted_.size() < count) loop_.run_one();
    }
    tcp::socket connect(const tcp::endpoint& to) {
        tcp::socket socket(loop_);
        socket.connect(to);
        return socket;
    }
    Listener::Handler collect() {
        return [this](tcp::socket socket) { accepted_.push_back(std::move(socket)); };
    }

    CountingLog log_;
    asio::io_context loop_;
    std::vector<tcp::socket> accepted_;
};

TEST_F(ListenerTest, HandsOverEveryConnection) {
    auto listener = bound({.endpoint = kAnyPort});
    listener.start(collect());
    std::vector<tcp::socket> clients;
    for (int made = 0; made < 200; ++made) clients.push_back(connect(listener.endpoint()));
    run_until_accepted(200);
    EXPECT_EQ(accepted_.front().remote_endpoint(), clients.front().local_endpoint());
    EXPECT_NE(::fcntl(accepted_.front().native_handle(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(ListenerTest, TakesIpv6OnlyOnAnIpv6Wildcard) {
    bool both = false;
    for (int attempt = 0; attempt < 20 && !both; ++attempt) {  // the port may by chance be another process's
        auto six = Listener::bind(loop_, {.endpoint = tcp::endpoint(tcp::v6(), 0)}, log_);
        if (!six) GTEST_SKIP() << "no IPv6 here: " << six.error().detail;
        both = Listener::bind(loop_, {.endpoint = tcp::endpoint(tcp::v4(), six->endpoint().port())}, log_).has_value();
    }
    EXPECT_TRUE(both);
}

TEST_F(ListenerTest, NamesAddressAndCauseWhenItCannotBind) {
    const auto first = bound({.endpoint = kAnyPort});
    const auto second = Listener::bind(loop_, {.endpoint = first.endpoint()}, log_);
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().kind, base::ErrorKind::refused);
    EXPECT_EQ(second.error().detail, "cannot listen on " + render_endpoint(first.endpoint()) + ": address already in use");
}

TEST_F(ListenerTest, SharesAnEndpointAmongLoops) {
    ListenerOptions options{.endpoint = kAnyPort, .sharing = ListenerOptions::Sharing::among_loops};
    auto first = bound(options);
    options.endpoint = first.endpoint();
    auto second = bound(options);
    first.start(collect());
    second.start(collect());
    std::vector<tcp::socket> clients;
    for (int made = 0; made < 50; ++made) clients.push_back(connect(first.endpoint()));
    run_until_accepted(50);
}

TEST_F(ListenerTest, AcceptsNoMoreOnceClosed) {
    auto listener = bound({.endpoint = kAnyPort});
    const auto endpoint = listener.endpoint();
    listener.start(collect());
    listener.close();
    loop_.poll();
    tcp::socket client(loop_);
    boost::system::error_code ec;
    client.connect(endpoint, ec);
    EXPECT_EQ(ec, asio::error::connection_refused);
}

TEST_F(ListenerTest, MayBeDestroyedAtAnyTime) {
    { auto listener = bound({.endpoint = kAnyPort}); }
    {
        auto listener = bound({.endpoint = kAnyPort});
        listener.start(collect());
    }
    loop_.run();
    EXPECT_TRUE(accepted_.empty());
}

TEST_F(ListenerTest, AdoptsABoundDescriptor) {
    tcp::acceptor bound_before(loop_, tcp::v4());
    bound_before.bind(kAnyPort);
    auto listener = Listener::adopt(loop_, bound_before.release(), log_);
    ASSERT_TRUE(listener.has_value()) << listener.error().detail;
    listener->start(collect());
    const auto client = connect(listener->endpoint());
    run_until_accepted(1);
}

TEST_F(ListenerTest, RefusesADescriptorThatIsNoTcpSocket) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    EXPECT_EQ(Listener::adopt(loop_, ends[0], log_).error().kind, base::ErrorKind::invalid);
    EXPECT_EQ(Listener::adopt(loop_, -1, log_).error().kind, base::ErrorKind::invalid);
    ::close(ends[0]);
    ::close(ends[1]);
}

/// Lowers the limit of descriptors to what is in use now.
class NoMoreDescriptors {
public:
    NoMoreDescriptors() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const int lowest_free = ::dup(0);
        ::close(lowest_free);
        const rlimit none{static_cast<rlim_t>(lowest_free), before_.rlim_max};
        ::setrlimit(RLIMIT_NOFILE, &none);
    }
    ~NoMoreDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

private:
    rlimit before_{};
};

TEST_F(ListenerTest, RestsWhenDescriptorsRunOutAndGoesOnLater) {
    auto listener = bound({.endpoint = kAnyPort});
    listener.start(collect());
    auto first = connect(listener.endpoint());
    auto second = connect(listener.endpoint());
    base::Log& log = log_;
    log.info("checked");  // UBSan needs a descriptor when it first meets a class
    log_.events.clear();
    {
        const NoMoreDescriptors none;
        loop_.run_for(250ms);  // two or three rests
    }
    EXPECT_TRUE(accepted_.empty());
    EXPECT_EQ(log_.events, std::vector<std::string>{"accept_failed"}) << "one line, not one per attempt";
    run_until_accepted(2);
}

}  // namespace
}  // namespace thurn::net
