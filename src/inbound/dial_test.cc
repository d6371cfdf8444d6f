#include "inbound/dial.h"

#include "support/dns_server.h"
#include "support/loopback.h"
#include "support/scripted_peer.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>

namespace thurn::inbound {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using base::ErrorKind;
using Query = test::DnsServer::Query;

constexpr unsigned kA = 1;

/// Names under silent.example are never answered, v4.example only when its IPv4 address is asked for.
std::optional<std::string> answer_of(const Query& query) {
    if (query.name == "v4.example" && query.type == kA) {
        test::PacketBuilder builder(query.id, 0, query.name, query.type);
        builder.flags(0x0400);
        return builder.answer(query.name, kA, 300, "\x7f\0\0\1"s).packet();
    }
    if (query.name != "missing.example") return std::nullopt;
    test::PacketBuilder builder(query.id, 3, query.name, query.type);
    builder.flags(0x0400);
    return builder.authority(query.name, 6, 60, test::soa_rdata(60)).packet();
}

class DialTest : public testing::Test {
protected:
    base::Result<net::Stream> dial(const std::string& host, std::uint16_t port, std::chrono::milliseconds limit) {
        return test::run_on(loop_, async_dial({.path = {}, .host = host, .port = port}, resolver_.get(), net::within(limit)));
    }
    net::asio::io_context loop_;
    test::DnsServer server_{answer_of};
    std::unique_ptr<net::Resolver> resolver_ = net::Resolver::start({.servers = {server_.address()}, .dnssec = false}).value();
};

TEST_F(DialTest, LooksUpNoLongerThanItMay) {
    const auto begun = std::chrono::steady_clock::now();
    const auto stream = dial("silent.example", 1, 200ms);
    ASSERT_FALSE(stream);
    EXPECT_EQ(stream.error().kind, ErrorKind::timed_out);
    EXPECT_EQ(stream.error().detail, "cannot find silent.example: timed out");
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 10s) << "the resolver itself waits for 20 s, twice";
}

TEST_F(DialTest, DoesNotWaitForAddressesItDoesNotNeed) {
    support::ScriptedPeer peer({"H:"});
    const auto begun = std::chrono::steady_clock::now();
    EXPECT_TRUE(dial("V4.example", peer.port(), 15s));
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 10s);
}

TEST_F(DialTest, TellsWhatHasNoAddress) {
    const auto stream = dial("missing.example", 1, 15s);
    ASSERT_FALSE(stream);
    EXPECT_EQ(stream.error().kind, ErrorKind::not_found);
    EXPECT_NE(stream.error().detail.find("missing.example"), std::string::npos);
    resolver_.reset();
    EXPECT_EQ(dial("v4.example", 1, 15s).error().detail, "cannot find v4.example: no DNS");
}

}  // namespace
}  // namespace thurn::inbound
