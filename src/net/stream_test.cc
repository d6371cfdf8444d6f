#include "net/stream.h"

#include "support/loopback.h"
#include "support/tls_files.h"

#include <array>
#include <vector>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace thurn::net {
namespace {

using namespace std::chrono_literals;
using asio::experimental::awaitable_operators::operator&&;
using base::ErrorKind;
using test::run_on;

constexpr auto kLong = 20s;    // never reached by a test that passes
constexpr auto kShort = 20ms;  // always reached where it is given

template <class T>
ErrorKind kind_of(const base::Result<T>& result) {
    EXPECT_FALSE(result.has_value()) << "a failure was expected";
    return result ? ErrorKind::corrupt : result.error().kind;
}

/// Octets in which every misplacement shows.
std::string pattern(std::size_t size) {
    std::string octets(size, '\0');
    for (std::size_t at = 0; at < size; ++at) octets[at] = static_cast<char>((at * 2654435761U) >> 13U);
    return octets;
}

asio::awaitable<base::Result<std::string>> read_exactly(Stream& stream, std::size_t size) {
    std::string octets;
    std::vector<char> block(7000);
    while (octets.size() < size) {
        const auto part = std::span(block).first(std::min(block.size(), size - octets.size()));
        auto count = co_await stream.async_read(part, within(kLong));
        if (!count) co_return base::pass_on(count);
        octets.append(block.data(), *count);
    }
    co_return octets;
}

asio::awaitable<base::Result<std::size_t>> read_once(Stream& stream, std::chrono::milliseconds limit) {
    std::array<char, 100> block;
    co_return co_await stream.async_read(block, within(limit));
}

/// Echoes until the stream fails; says how.
asio::awaitable<base::Error> echo(Stream& stream) {
    std::vector<char> block(1000);
    while (true) {
        if (auto ready = co_await stream.async_wait_readable(within(kLong)); !ready) co_return ready.error();
        const auto count = co_await stream.async_read(block, within(kLong));
        if (!count) co_return count.error();
        const auto written = co_await stream.async_write(std::string_view(block.data(), *count), within(kLong));
        if (!written) co_return written.error();
    }
}

enum class Mode { clear, tls };

class StreamTest : public testing::TestWithParam<Mode> {
protected:
    static void SetUpTestSuite() { files_ = std::make_unique<test::TlsFiles>("mx.example.org"); }
    static void TearDownTestSuite() { files_.reset(); }
    void SetUp() override {
        if (GetParam() == Mode::tls) ASSERT_TRUE(start_tls());
    }

    bool start_tls() { return run_on(loop_, handshake(client_, server_)); }

    static asio::awaitable<bool> handshake(Stream& client, Stream& server) {
        const auto [accepted, connected] = co_await (server.async_accept_tls(files_->server(), within(kLong)) &&
                                                     client.async_connect_tls(files_->trusting_client(), "mx.example.org", within(kLong)));
        co_return accepted&& connected;
    }

    inline static std::unique_ptr<test::TlsFiles> files_;
    asio::io_context loop_;
    test::SocketPair sockets_ = test::connected_pair(loop_);
    Stream client_{std::move(sockets_.client)};
    Stream server_{std::move(sockets_.server)};
};

INSTANTIATE_TEST_SUITE_P(, StreamTest, testing::Values(Mode::clear, Mode::tls),
                         [](const auto& row) { return row.param == Mode::clear ? "Clear" : "Tls"; });

asio::awaitable<bool> hello_comes_back(Stream& client, Stream& server) {
    test::spawn_on(*static_cast<asio::io_context*>(&asio::query(co_await asio::this_coro::executor, asio::execution::context)),
                   echo(server));
    for (int round = 0; round < 100; ++round) {
        const auto written = co_await client.async_write("hello", within(kLong));
        const auto back = co_await read_exactly(client, 5);
        if (!written || back != "hello") co_return false;
    }
    co_return true;
}

TEST_P(StreamTest, CarriesOctetsBothWays) { EXPECT_TRUE(run_on(loop_, hello_comes_back(client_, server_))); }

asio::awaitable<base::Result<void>> write_pieces(Stream& stream, std::vector<std::string_view> pieces) {
    co_return co_await stream.async_write(std::span<const std::string_view>(pieces), within(kLong));
}

TEST_P(StreamTest, WritesManyPiecesThroughSmallSocketBuffers) {
    const std::string octets = pattern(4'000'000);
    std::vector<std::string_view> pieces;
    for (std::size_t at = 0, size = 0; at < octets.size(); at += size) {
        size = 1 + (at * 7919) % 60'000;
        pieces.push_back(std::string_view(octets).substr(at, size));
        if (pieces.size() % 5 == 0) pieces.emplace_back();
    }
    const auto [written, read] = run_on(
        loop_,
        [](auto& client, auto& server, auto list, auto size) -> asio::awaitable<std::pair<base::Result<void>, base::Result<std::string>>> {
            auto [one, two] = co_await (write_pieces(client, list) && read_exactly(server, size));
            co_return std::pair(std::move(one), std::move(two));
        }(client_, server_, pieces, octets.size()));
    EXPECT_TRUE(written.has_value());
    ASSERT_TRUE(read.has_value());
    EXPECT_TRUE(*read == octets);
}

TEST_P(StreamTest, EndsAReadAtItsDeadline) {
    EXPECT_EQ(kind_of(run_on(loop_, read_once(client_, kShort))), ErrorKind::timed_out);
    EXPECT_EQ(kind_of(run_on(loop_, read_once(client_, -1ms))), ErrorKind::timed_out) << "a deadline in the past";
    EXPECT_TRUE(run_on(loop_, hello_comes_back(client_, server_))) << "a time-out of a read leaves the stream whole";
}

asio::awaitable<base::Result<void>> write_for_ever(Stream& stream) {
    const std::string octets(1'000'000, 'x');
    while (true) {
        if (auto written = co_await stream.async_write(octets, within(kShort)); !written) co_return written;
    }
}

TEST_P(StreamTest, EndsAWriteAtItsDeadlineWhenThePeerDoesNotRead) {
    EXPECT_EQ(kind_of(run_on(loop_, write_for_ever(client_))), ErrorKind::timed_out);
}

asio::awaitable<base::Result<std::size_t>> read_long_then_short(Stream& stream) {
    co_await stream.async_write("x", within(kLong));
    if (auto first = co_await read_once(stream, kLong); !first) co_return first;
    co_return co_await read_once(stream, kShort);
}

TEST_P(StreamTest, MovesItsTimerForwardForANearerDeadline) {
    test::spawn_on(loop_, echo(server_));
    EXPECT_EQ(kind_of(run_on(loop_, read_long_then_short(client_))), ErrorKind::timed_out);
}

asio::awaitable<base::Result<std::size_t>> read_short_then_long(Stream& client, Stream& server) {
    co_await read_once(client, kShort);  // the timer fires
    test::spawn_on(*static_cast<asio::io_context*>(&asio::query(co_await asio::this_coro::executor, asio::execution::context)),
                   [](Stream& stream) -> asio::awaitable<void> {
                       co_await read_once(stream, 3 * kShort);
                       co_await stream.async_write("late", within(kLong));
                   }(server));
    co_return co_await read_once(client, kLong);
}

TEST_P(StreamTest, ForgetsADeadlineThatIsOver) { EXPECT_EQ(run_on(loop_, read_short_then_long(client_, server_)), 4U); }

TEST_P(StreamTest, TakesTheEndOfThePeerAsItsEnd) {
    server_.close();
    EXPECT_EQ(kind_of(run_on(loop_, read_once(client_, kLong))), ErrorKind::peer_gone);
    EXPECT_EQ(kind_of(run_on(loop_, write_for_ever(client_))), ErrorKind::peer_gone) << "and no SIGPIPE";
}

struct LastWords {
    std::string heard;
    base::Error end;
};

/// What a client gets that goes on sending while the server hangs up on it.
asio::awaitable<LastWords> talk_into_a_hang_up(Stream& client, Stream& server) {
    co_await server.async_write("the last words", within(kLong));
    test::spawn_on(*static_cast<asio::io_context*>(&asio::query(co_await asio::this_coro::executor, asio::execution::context)),
                   [](Stream& stream) -> asio::awaitable<void> { co_await stream.async_hang_up(within(kLong), 10'000); }(server));
    for (int k = 0; k < 5; ++k) {
        co_await asio::post(client.executor(), asio::use_awaitable);
        co_await client.async_write("and another thing", within(kLong));
    }
    LastWords result;
    std::array<char, 4> block;
    while (true) {
        const auto count = co_await client.async_read(block, within(kLong));
        if (!count) co_return LastWords{std::move(result.heard), count.error()};
        result.heard.append(block.data(), *count);
    }
}

TEST_P(StreamTest, IsHeardToItsEndByAPeerThatIsStillTalking) {
    const auto words = run_on(loop_, talk_into_a_hang_up(client_, server_));
    EXPECT_EQ(words.heard, "the last words");
    EXPECT_EQ(words.end.detail, GetParam() == Mode::tls ? "peer ended TLS" : "peer closed the connection") << "no reset";
}

asio::awaitable<std::chrono::steady_clock::duration> hang_up(Stream& stream, std::chrono::milliseconds limit, std::size_t most) {
    const auto begun = std::chrono::steady_clock::now();
    co_await stream.async_hang_up(within(limit), most);
    co_return std::chrono::steady_clock::now() - begun;
}

TEST_P(StreamTest, HangsUpOnAPeerThatStaysWhenTheTimeIsOver) {
    EXPECT_GE(run_on(loop_, hang_up(server_, kShort, 10'000)), kShort);
    EXPECT_EQ(kind_of(run_on(loop_, read_once(server_, kLong))), ErrorKind::peer_gone);
}

TEST_P(StreamTest, HangsUpOnAPeerThatTalksOnAndOn) {
    test::spawn_on(loop_, [](Stream& stream) -> asio::awaitable<void> {
        const std::string octets(100'000, 'x');
        while (co_await stream.async_write(octets, within(kLong))) {}
    }(client_));
    EXPECT_LT(run_on(loop_, hang_up(server_, kLong, 10'000)), kLong);
}

TEST_P(StreamTest, HangsUpAtOnceWhenItIsClosedMeanwhile) {
    asio::post(loop_, [this] { server_.close(); });
    EXPECT_LT(run_on(loop_, hang_up(server_, kLong, 10'000)), kLong);
    EXPECT_LT(run_on(loop_, hang_up(server_, kLong, 10'000)), kLong) << "and when it was closed before";
}

asio::awaitable<base::Result<void>> readable(Stream& stream, std::chrono::milliseconds limit) {
    co_return co_await stream.async_wait_readable(within(limit));
}

asio::awaitable<std::string> read_behind_waits(Stream& client, Stream& server) {
    co_await client.async_write("abc", within(kLong));
    std::string octets;
    while (octets.size() < 3) {
        if (auto ready = co_await readable(server, kLong); !ready) co_return "not readable";
        std::array<char, 1> octet;
        if (auto count = co_await server.async_read(octet, within(kLong)); !count) co_return "not read";
        octets.push_back(octet[0]);
    }
    co_return octets;
}

TEST_P(StreamTest, KnowsWhenThereIsSomethingToRead) {
    EXPECT_EQ(kind_of(run_on(loop_, readable(server_, kShort))), ErrorKind::timed_out);
    EXPECT_EQ(run_on(loop_, read_behind_waits(client_, server_)), "abc") << "octets TLS holds already count too";
    EXPECT_EQ(kind_of(run_on(loop_, readable(server_, kShort))), ErrorKind::timed_out);
    client_.close();
    const auto end = run_on(loop_, readable(server_, kLong));
    EXPECT_TRUE(end.has_value() || end.error().kind == ErrorKind::peer_gone) << "the end can be read, too";
    EXPECT_EQ(kind_of(run_on(loop_, read_once(server_, kLong))), ErrorKind::peer_gone);
}

TEST_P(StreamTest, WakesWithStoppingWhenCancelledAndGoesOn) {
    asio::post(loop_, [this] { client_.cancel(); });
    const auto woken = run_on(loop_, [](Stream& stream, auto& loop) -> asio::awaitable<base::Result<std::size_t>> {
        asio::post(loop, [&stream] { stream.cancel(); });
        co_return co_await read_once(stream, kLong);
    }(client_, loop_));
    EXPECT_EQ(kind_of(woken), ErrorKind::stopping);
    EXPECT_TRUE(run_on(loop_, hello_comes_back(client_, server_)));
}

TEST_P(StreamTest, WakesWithPeerGoneWhenClosedOrDestroyed) {
    for (const bool destroyed : {false, true}) {
        auto sockets = test::connected_pair(loop_);
        auto stream = std::make_unique<Stream>(std::move(sockets.client));
        asio::post(loop_, [&stream, destroyed] { destroyed ? stream.reset() : stream->close(); });
        EXPECT_EQ(kind_of(run_on(loop_, stream->async_wait_readable(within(kLong)))), ErrorKind::peer_gone);
        if (stream) EXPECT_EQ(kind_of(run_on(loop_, read_once(*stream, kLong))), ErrorKind::peer_gone);
    }
}

TEST_P(StreamTest, MayBeDestroyedWithATimerSet) {
    EXPECT_EQ(kind_of(run_on(loop_, read_once(client_, kShort))), ErrorKind::timed_out);
    { const Stream moved(std::move(client_)); }
    loop_.restart();
    loop_.poll();
}

TEST_P(StreamTest, LetsOthersRunWhileItsPeerFloodsIt) {
    bool flooding = true;
    std::size_t turns = 0;
    test::spawn_on(loop_, [](Stream& stream, bool& on) -> asio::awaitable<void> {
        const std::string octets(100'000, 'x');
        while (on && co_await stream.async_write(octets, within(kLong))) {}
        stream.close();
    }(client_, flooding));
    const auto total = run_on(loop_, [](Stream& stream, bool& on, auto& loop, auto& counted) -> asio::awaitable<std::size_t> {
        std::array<char, 16> block;
        std::size_t read = 0;
        while (auto count = co_await stream.async_read(block, within(kLong))) {
            if (read == 0) asio::post(loop, [&counted] { ++counted; });
            read += *count;
            if (counted > 0 || read > 100'000'000) break;
        }
        on = false;
        co_return read;
    }(server_, flooding, loop_, turns));
    EXPECT_EQ(turns, 1U);
    EXPECT_LT(total, 100'000'000U);
}

TEST(StreamFacts, NameBothEndsAndTls) {
    const test::TlsFiles files("mx.example.org");
    asio::io_context loop;
    auto sockets = test::connected_pair(loop);
    const auto from = sockets.client.local_endpoint();
    Stream client(std::move(sockets.client));
    Stream server(std::move(sockets.server));
    EXPECT_EQ(server.peer(), from);
    EXPECT_EQ(client.local(), from);
    EXPECT_EQ(client.peer(), server.local());
    EXPECT_FALSE(client.tls_active());
    EXPECT_FALSE(client.tls_facts().has_value());
    run_on(loop, [](Stream& one, Stream& two, const test::TlsFiles& pair) -> asio::awaitable<int> {
        co_await (one.async_accept_tls(pair.server(), within(kLong)) &&
                  two.async_connect_tls(pair.trusting_client(), "MX.Example.org.", within(kLong)));
        co_return 0;
    }(server, client, files));
    ASSERT_TRUE(server.tls_active());
    const auto facts = server.tls_facts();
    EXPECT_EQ(facts->version, "TLSv1.3");
    EXPECT_EQ(facts->server_name, "mx.example.org");
    EXPECT_GE(facts->bits, 128U);
    EXPECT_FALSE(facts->verified) << "the client shows no certificate";
    EXPECT_TRUE(client.tls_facts()->verified);
}

TEST(StreamMode, IsKeptOnTheSocket) {
    asio::io_context loop;
    auto sockets = test::connected_pair(loop);
    const int descriptor = sockets.client.native_handle();
    const Stream stream(std::move(sockets.client));
    int on = 0;
    socklen_t size = sizeof on;
    ASSERT_EQ(::getsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, &size), 0);
    EXPECT_EQ(on, 1);
}

}  // namespace
}  // namespace thurn::net
