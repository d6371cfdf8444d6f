#include "net/endpoint.h"
#include "net/stream.h"
#include "support/loopback.h"

#include <vector>

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
    acceptor_.listen(0);
    std::vector<tcp::socket> fill;  // the kernel drops what comes beyond the backlog
    for (int made = 0; made < 3; ++made) {
        fill.emplace_back(loop_, tcp::v4());
        fill.back().native_non_blocking(true);
        ::connect(fill.back().native_handle(), target_.data(), static_cast<socklen_t>(target_.size()));  // asio's own would wait
    }
    const auto stream = connect(std::nullopt, 50ms);
    ASSERT_FALSE(stream.has_value());
    EXPECT_EQ(stream.error().kind, ErrorKind::timed_out);
}

}  // namespace
}  // namespace thurn::net
