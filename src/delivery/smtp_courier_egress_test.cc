// How connections leave: from where, under which name, through what, and to which of several addresses first.
#include "support/smtp_courier_fixture.h"

#include <fmt/format.h>
#include <sys/socket.h>

namespace thurn::delivery {
namespace {

const std::string kPlainEnvelope = "C: MAIL\nS: 250 ok\nC: RCPT\nS: 250 ok\nC: DATA\nS: 354 go on\n";

class EgressTest : public SmtpCourierTest {
protected:
    void leave(route::Egress egress) { destination_.egress = std::make_shared<const route::Egress>(std::move(egress)); }
    void through(net::ProxyOut::Kind kind, std::uint16_t port, std::optional<net::ProxyLogin> login = std::nullopt) {
        destination_.proxy = std::make_shared<const net::ProxyOut>(
            net::ProxyOut{.kind = kind,
                          .name = fmt::format("{}://proxy.example:{}", kind == net::ProxyOut::Kind::http ? "http" : "socks5", port),
                          .addresses = {{asio::ip::address_v4::loopback(), port}},
                          .login = std::move(login)});
    }
};

TEST_F(EgressTest, SaysTheRoutesName) {
    leave({.sources = {}, .hello = "out.example", .proxy = {}});
    ScriptedPeer peer({"S: 220 mx\nC: EHLO out.example\nS: 250 mx\n" + kPlainEnvelope + kContent + kQuit});
    add(message());
    carry({&peer});
    EXPECT_EQ(outcome().kind, Kind::delivered);
}

TEST_F(EgressTest, NamesASourceThatIsNotThisMachines) {
    options_.sources = {dns::Ipv4{{127, 0, 0, 2}}};
    leave({.sources = {dns::Ipv4{{192, 0, 2, 1}}}, .hello = {}, .proxy = {}});  // the route's own comes first
    ScriptedPeer peer({});
    add(message());
    EXPECT_EQ(carry({&peer}), queue::SiteOutcome::unreachable);
    EXPECT_EQ(outcome().status, fmt::format("451 4.4.1 cannot connect to 127.0.0.1:{}: cannot use source address 192.0.2.1: Cannot assign "
                                            "requested address",
                                            peer.port()));
}

TEST_F(EgressTest, SourceOfTheOtherFamilyIsLeftOut) {
    leave({.sources = {*route::parse_address("2001:db8::1")}, .hello = {}, .proxy = {}});
    ScriptedPeer peer({kPlainHello + kPlainEnvelope + kContent + kQuit});
    add(message());
    carry({&peer});
    EXPECT_EQ(outcome().kind, Kind::delivered);
}

TEST_F(EgressTest, BeginsWithAProxyHeader) {
    leave({.sources = {}, .hello = {}, .proxy = {}, .header = route::ProxyHeader::v2});
    // The header holds three line ends before its word QUIT, and none behind it.
    ScriptedPeer peer({"C:\nC:\nC:\nS: 220 mx\nC: QUIT\nS: 250 mx\n" + kPlainEnvelope + kContent + kQuit});
    add(message());
    carry({&peer});
    EXPECT_EQ(outcome().kind, Kind::delivered);
    const auto wire = peer.wire().at(0);
    EXPECT_EQ(wire.substr(0, 24), std::string("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01", 24));
    EXPECT_EQ(wire.substr(28, 5), "EHLO ");
}

// ---- Proxies

TEST_F(EgressTest, GoesThroughAProxyAndHearsAGreetingThatComesWithItsAnswer) {
    ScriptedPeer proxy(
        {"C: CONNECT 127.0.0.1:2525 HTTP/1.1\nC: Host:\nC:\ns: HTTP/1.1 200 OK||220 mx|\nC: EHLO client.example\nS: 250 mx\n" +
         kPlainEnvelope + kContent + kQuit});
    through(net::ProxyOut::Kind::http, proxy.port());
    add_host(2525);
    add(message());
    carry({});
    EXPECT_EQ(outcome().kind, Kind::delivered);
    EXPECT_EQ(source_->attempts.at(0).host, "mx.example [127.0.0.1]:2525");
}

TEST_F(EgressTest, NamesProxyAndTargetWhenTheProxyRefuses) {
    ScriptedPeer proxy({"C: CONNECT\nC: Host:\nC:\nS: HTTP/1.1 403 Not you\nS:\n"});
    through(net::ProxyOut::Kind::http, proxy.port());
    add_host(2525);
    add(message());
    EXPECT_EQ(carry({}), queue::SiteOutcome::unreachable);
    EXPECT_EQ(outcome().status,
              fmt::format("451 4.4.1 cannot reach 127.0.0.1:2525 through http://proxy.example:{}: the proxy answered 403 Not "
                          "you",
                          proxy.port()));
}

TEST_F(EgressTest, NamesAProxyThatIsDownOrSilentOrGone) {
    options_.connect_timeout = std::chrono::milliseconds(200);
    for (const auto& [script, reason] :
         {std::pair{"H:\n", "no answer in time"}, std::pair{"L: CONNECT\n", "the proxy closed the connection"}}) {
        ScriptedPeer proxy({script});
        through(net::ProxyOut::Kind::http, proxy.port());
        destination_.hosts.addresses.clear();
        add_host(2525);
        add(message());
        carry({});
        EXPECT_THAT(source_->settlements.back().outcomes.at(0).status, HasSubstr(reason));
        EXPECT_THAT(source_->settlements.back().outcomes.at(0).status, HasSubstr("http://proxy.example"));
    }
    ScriptedPeer nobody({});
    nobody.finish();
    through(net::ProxyOut::Kind::socks5, nobody.port());
    add(message());
    carry({});
    EXPECT_EQ(source_->settlements.back().outcomes.at(0).status,
              fmt::format("451 4.4.1 cannot reach 127.0.0.1:2525 through socks5://proxy.example:{0}: cannot connect to 127.0.0.1:{0}: "
                          "Connection refused",
                          nobody.port()));
}

TEST_F(EgressTest, OctetsInClearBeforeTlsComeFromNobodyWeKnow) {
    ScriptedPeer proxy({"C: CONNECT\nC: Host:\nC:\ns: HTTP/1.1 200 OK||220 mx|\nH:\n"});
    through(net::ProxyOut::Kind::http, proxy.port());
    destination_.implicit_tls = true;
    add_host(2525);
    add(message());
    carry({});
    EXPECT_THAT(outcome().status, HasSubstr("octets in clear before TLS"));
}

// ---- Which address

/// A port that takes no more connections and refuses none.
class BlackHole {
public:
    BlackHole() {
        for (int k = 0; k < 3; ++k) {
            fill_.emplace_back(loop_, asio::ip::tcp::v4());
            fill_.back().native_non_blocking(true);
            const auto to = acceptor_.local_endpoint();
            ::connect(fill_.back().native_handle(), to.data(), static_cast<socklen_t>(to.size()));
        }
    }
    [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

private:
    static asio::ip::tcp::acceptor listening(asio::io_context& loop) {
        asio::ip::tcp::acceptor acceptor(loop, asio::ip::tcp::v4());
        acceptor.bind({asio::ip::address_v4::loopback(), 0});
        acceptor.listen(0);
        return acceptor;
    }
    asio::io_context loop_;
    asio::ip::tcp::acceptor acceptor_ = listening(loop_);
    std::vector<asio::ip::tcp::socket> fill_;
};

TEST_F(EgressTest, SlowAddressGetsCompanyAndIsTriedLastAfterwards) {
    options_.head_start = std::chrono::milliseconds(20);
    options_.messages_per_connection = 1;
    const BlackHole slow;
    add_host(slow.port(), "slow.example");
    const auto carried = kPlainHello + kPlainEnvelope + kContent + kQuit;
    ScriptedPeer quick({carried, carried});
    add(message());
    add(message());
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(carry({&quick}), queue::SiteOutcome::worked);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, options_.connect_timeout);
    EXPECT_EQ(outcome(0).kind, Kind::delivered);
    EXPECT_EQ(outcome(1).kind, Kind::delivered);
    EXPECT_THAT(results(), ElementsAre("delivered", "delivered"));  // the slow one has not failed
}

TEST_F(EgressTest, WorseMxIsNotAskedWhileABetterOneMayAnswer) {
    options_.head_start = std::chrono::milliseconds(20);
    options_.connect_timeout = std::chrono::milliseconds(300);
    const BlackHole slow;
    add_host(slow.port(), "slow.example");
    ScriptedPeer backup({kPlainHello + kPlainEnvelope + kContent + kQuit});
    add_host(backup.port(), "backup.example");
    destination_.hosts.addresses.back().preference = 20;
    add(message());
    carry({});
    EXPECT_THAT(results(), ElementsAre("connection failed", "delivered"));
    EXPECT_THAT(source_->attempts.at(0).host, StartsWith("slow.example"));
    EXPECT_GE(source_->attempts.at(0).took, options_.connect_timeout - std::chrono::milliseconds(10));
}

TEST_F(EgressTest, BothOfARaceAreNotedWhenBothFail) {
    options_.head_start = std::chrono::milliseconds(20);
    options_.connect_timeout = std::chrono::milliseconds(200);
    const BlackHole slow;
    add_host(slow.port(), "slow.example");
    ScriptedPeer nobody({});
    nobody.finish();
    add_host(nobody.port(), "closed.example");
    add(message());
    EXPECT_EQ(carry({}), queue::SiteOutcome::unreachable);
    EXPECT_THAT(results(), ElementsAre("connection failed", "connection failed"));
}

TEST_F(EgressTest, WinnerThatDoesNotGreetLeavesTheOtherItsTurn) {
    options_.head_start = std::chrono::milliseconds(20);
    options_.connect_timeout = std::chrono::milliseconds(200);
    const BlackHole slow;
    add_host(slow.port(), "slow.example");
    ScriptedPeer rude({"S: 554 5.7.1 no\n"});
    add(message());
    carry({&rude});
    EXPECT_THAT(results(), ElementsAre("connection failed", "connection failed"));
    EXPECT_THAT(source_->attempts.at(0).replies.at(0), StartsWith("554 5.7.1 no"));
    EXPECT_THAT(source_->attempts.at(1).host, StartsWith("slow.example"));
}

}  // namespace
}  // namespace thurn::delivery
