#include "net/connect.h"

#include "net/endpoint.h"
#include "support/loopback.h"

#include <array>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>
#include <sys/socket.h>

namespace thurn::net {
namespace {

using namespace std::chrono_literals;
using asio::ip::tcp;
using base::ErrorKind;

class ConnectTest : public testing::Test {
protected:
    ConnectTest() {
        acceptor_.bind({asio::ip::address_v4::loopback(), 0});
        target_ = acceptor_.local_endpoint();
    }
    /// The kernel drops what comes beyond the backlog.
    std::vector<tcp::socket> fill_backlog() {
        acceptor_.listen(0);
        std::vector<tcp::socket> fill;
        for (int made = 0; made < 3; ++made) {
            fill.emplace_back(loop_, tcp::v4());
            fill.back().native_non_blocking(true);
            ::connect(fill.back().native_handle(), target_.data(), static_cast<socklen_t>(target_.size()));  // asio's own would wait
        }
        return fill;
    }
    base::Result<Stream> connect(std::optional<asio::ip::address> source, std::chrono::milliseconds limit) {
        return test::run_on(loop_, async_connect(target_, source, within(limit)));
    }

    asio::io_context loop_;
    tcp::acceptor acceptor_{loop_, tcp::v4()};
    tcp::endpoint target_;
};

TEST_F(ConnectTest, ReachesAListener) {
    acceptor_.listen();
    auto stream = connect(std::nullopt, 20s);
    ASSERT_TRUE(stream.has_value()) << stream.error().detail;
    EXPECT_EQ(stream->peer(), target_);
    EXPECT_EQ(acceptor_.accept().remote_endpoint(), stream->local());
}

TEST_F(ConnectTest, UsesTheSourceAddress) {
    acceptor_.listen();
    const auto source = asio::ip::make_address("127.0.0.2");
    const auto stream = connect(source, 20s);
    ASSERT_TRUE(stream.has_value()) << stream.error().detail;
    EXPECT_EQ(stream->local().address(), source);
}

TEST_F(ConnectTest, RefusesASourceThatIsNotOurs) {
    acceptor_.listen();
    for (const auto* source : {"192.0.2.1", "::1"}) {
        const auto stream = connect(asio::ip::make_address(source), 20s);
        ASSERT_FALSE(stream.has_value());
        EXPECT_EQ(stream.error().kind, ErrorKind::refused);
        EXPECT_NE(stream.error().detail.find(source), std::string::npos) << stream.error().detail;
    }
}

TEST_F(ConnectTest, NamesTheEndpointThatRefuses) {
    const auto stream = connect(std::nullopt, 20s);  // bound, but nobody listens
    ASSERT_FALSE(stream.has_value());
    EXPECT_EQ(stream.error().kind, ErrorKind::refused);
    EXPECT_EQ(stream.error().detail, "cannot connect to " + render_endpoint(target_) + ": Connection refused");
}

TEST_F(ConnectTest, GivesUpAtTheDeadline) {
    const auto fill = fill_backlog();
    const auto stream = connect(std::nullopt, 50ms);
    ASSERT_FALSE(stream.has_value());
    EXPECT_EQ(stream.error().kind, ErrorKind::timed_out);
}

TEST_F(ConnectTest, DiallingGoesOnWhenNobodyWaits) {
    auto fill = fill_backlog();
    auto dialling = Dialling::start(loop_.get_executor(), target_, std::nullopt);
    ASSERT_TRUE(dialling.has_value()) << dialling.error().detail;
    const auto first = test::run_on(loop_, dialling->async_wait(within(10ms)));
    ASSERT_FALSE(first.has_value());
    EXPECT_EQ(first.error().kind, ErrorKind::timed_out);
    acceptor_.accept();  // makes room; the kernel knocks again within a second or two
    acceptor_.accept();
    const auto second = test::run_on(loop_, dialling->async_wait(within(20s)));
    ASSERT_TRUE(second.has_value()) << second.error().detail;
    EXPECT_EQ(dialling->take().peer(), target_);
}

class ConnectLocalTest : public testing::Test {
protected:
    ConnectLocalTest() {
        char folder[] = "/tmp/thurn-connect-XXXXXX";
        EXPECT_NE(::mkdtemp(folder), nullptr);
        path_ = std::string(folder) + "/socket";
    }
    ~ConnectLocalTest() override { std::filesystem::remove_all(std::filesystem::path(path_).parent_path()); }
    base::Result<Stream> connect(std::string path, std::chrono::milliseconds limit = 20s) {
        return test::run_on(loop_, async_connect_local(std::move(path), within(limit)));
    }
    asio::io_context loop_;
    std::string path_;
};

TEST_F(ConnectLocalTest, ReachesAListener) {
    asio::local::stream_protocol::acceptor acceptor(loop_, path_);
    auto stream = connect(path_);
    ASSERT_TRUE(stream.has_value()) << stream.error().detail;
    EXPECT_EQ(stream->peer(), tcp::endpoint());
    auto other = acceptor.accept();
    asio::write(other, asio::buffer("220 hello\r\n", 11));
    std::array<char, 64> octets;
    const auto count = test::run_on(loop_, stream->async_read(octets, within(20s)));
    ASSERT_TRUE(count.has_value()) << count.error().detail;
    EXPECT_EQ(std::string(octets.data(), *count), "220 hello\r\n");
}

TEST_F(ConnectLocalTest, NamesThePathThatRefuses) {
    EXPECT_EQ(connect(path_).error().detail, "cannot connect to " + path_ + ": No such file or directory");
    { asio::local::stream_protocol::acceptor gone(loop_, path_); }
    const auto refused = connect(path_);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().kind, ErrorKind::refused);
    EXPECT_EQ(refused.error().detail, "cannot connect to " + path_ + ": Connection refused");
    EXPECT_EQ(connect("/" + std::string(107, 'x')).error().kind, ErrorKind::too_long);
}

TEST_F(ConnectLocalTest, WaitsWhileTheQueueIsFull) {
    asio::local::stream_protocol::acceptor acceptor(loop_, asio::local::stream_protocol());
    acceptor.bind(path_);
    acceptor.listen(0);
    auto first = connect(path_);
    ASSERT_TRUE(first.has_value()) << first.error().detail;
    const auto second = connect(path_, 100ms);
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().kind, ErrorKind::timed_out);
    acceptor.accept();
    EXPECT_TRUE(connect(path_).has_value());
}

}  // namespace
}  // namespace thurn::net
