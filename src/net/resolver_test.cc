#include "net/resolver.h"

#include "net/dns_servers.h"
#include "net/loops.h"
#include "support/dns_server.h"
#include "support/loopback.h"

#include <filesystem>
#include <fstream>
#include <future>
#include <vector>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>
#include <unistd.h>

namespace thurn::net {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using dns::Question;
using dns::Status;
using dns::Type;
using test::PacketBuilder;
using Query = test::DnsServer::Query;

constexpr unsigned kA = 1, kCname = 5, kSoa = 6, kMx = 15, kTxt = 16, kAaaa = 28, kTlsa = 52;

PacketBuilder reply(const Query& query, unsigned code) {
    PacketBuilder builder(query.id, code, query.name, query.type);
    builder.flags(0x0400);  // authoritative
    return builder;
}

std::string nothing(const Query& query, unsigned code) {
    return reply(query, code).authority(query.name, kSoa, 60, test::soa_rdata(60)).packet();
}

/// A little internet.
std::optional<std::string> answer_of(const Query& query) {
    const auto is = [&query](std::string_view name, unsigned type) { return query.name == name && query.type == type; };
    const auto of = [&query](unsigned type, const std::string& rdata) {
        return reply(query, 0).answer(query.name, type, 300, rdata).packet();
    };
    if (is("a.example", kA)) return of(kA, "\xc0\x00\x02\x01"s);
    if (is("a.example", kAaaa)) return of(kAaaa, "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\1");
    if (is("mail.test", kMx)) return of(kMx, test::mx_rdata(10, "mx.mail.test"));
    if (is("null.example", kMx)) return of(kMx, test::mx_rdata(0, "."));
    if (is("long.example", kTxt)) return of(kTxt, test::character_string(std::string(255, 'x')) + test::character_string("end"));
    if (is("_25._tcp.a.example", kTlsa)) return of(kTlsa, "\3\1\1\xab"s);
    if (is("1.2.0.10.in-addr.arpa", 12)) return of(12, test::wire_name(R"(odd\000name.example)"));
    if (query.name == "www.example")
        return reply(query, 0)
            .answer("www.example", kCname, 300, test::wire_name("a.example"))
            .answer("a.example", kA, 300, "\xc0\x00\x02\x01"s)
            .packet();
    if (query.name == "servfail.example") return reply(query, 2).packet();
    if (query.name == "garbage.example") return reply(query, 0).answer(query.name, kA, 300, "too long for an address").packet();
    if (query.name == "silent.example") return std::nullopt;
    if (query.name.ends_with("missing.example")) return nothing(query, 3);
    return nothing(query, 0);
}

class ResolverTest : public testing::Test {
protected:
    std::unique_ptr<Resolver> start(std::chrono::milliseconds timeout = 10s) {
        return Resolver::start({.servers = {server_.address()}, .dnssec = false, .timeout = timeout}).value();
    }
    dns::Answer ask(const Question& question) { return test::run_on(loop_, resolver().async_ask(question)); }
    Resolver& resolver() {
        if (!resolver_) resolver_ = start();
        return *resolver_;
    }

    asio::io_context loop_;
    test::DnsServer server_{answer_of};
    std::unique_ptr<Resolver> resolver_;
};

TEST_F(ResolverTest, GivesRecordsOfEachType) {
    EXPECT_EQ(ask({"a.example", Type::a}).records, (std::vector<dns::Record>{dns::Ipv4{{192, 0, 2, 1}}}));
    EXPECT_EQ(ask({"a.example", Type::aaaa}).records,
              (std::vector<dns::Record>{dns::Ipv6{{0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}}}));
    EXPECT_EQ(ask({"null.example", Type::mx}).records, (std::vector<dns::Record>{dns::Mx{0, ""}}));
    EXPECT_EQ(ask({"long.example", Type::txt}).records, (std::vector<dns::Record>{dns::Text{std::string(255, 'x') + "end"}}));
    EXPECT_EQ(ask({"_25._tcp.a.example", Type::tlsa}).records, (std::vector<dns::Record>{dns::Opaque{"\3\1\1\xab"}}));
    const auto answer = ask({"a.example", Type::a});
    EXPECT_EQ(answer.status, Status::ok);
    EXPECT_FALSE(answer.secure);
    EXPECT_LE(answer.ttl, 300s);
    EXPECT_GE(answer.ttl, 200s);
}

TEST_F(ResolverTest, AsksForReservedNamesToo) {
    EXPECT_EQ(ask({"mail.test", Type::mx}).records, (std::vector<dns::Record>{dns::Mx{10, "mx.mail.test"}}))
        << "RFC 6761 §6.2: test. may be in use";
    EXPECT_EQ(ask({"1.2.0.10.in-addr.arpa", Type::ptr}).records, (std::vector<dns::Record>{dns::NameRecord{R"(odd\000name.example)"}}))
        << "private addresses have reverse names";
}

TEST_F(ResolverTest, FollowsAliases) {
    const auto answer = ask({"www.example", Type::a});
    EXPECT_EQ(answer.records, (std::vector<dns::Record>{dns::Ipv4{{192, 0, 2, 1}}}));
    EXPECT_EQ(answer.canonical_name, "a.example");
}

TEST_F(ResolverTest, TellsNoNameNoDataAndFailureApart) {
    EXPECT_EQ(ask({"missing.example", Type::mx}).status, Status::no_name);
    EXPECT_EQ(ask({"a.example", Type::mx}).status, Status::no_data);
    const auto failed = ask({"servfail.example", Type::mx});
    EXPECT_EQ(failed.status, Status::failed);
    EXPECT_EQ(failed.detail, "SERVFAIL for servfail.example MX");
    EXPECT_EQ(ask({"garbage.example", Type::a}).status, Status::failed);
    EXPECT_EQ(ask({"a..example", Type::a}).status, Status::failed) << "no DNS name";
    EXPECT_EQ(ask({std::string(300, 'a'), Type::a}).status, Status::failed);
}

TEST_F(ResolverTest, EndsAtTheTimeoutAndDropsWhatComesLater) {
    resolver_ = start(150ms);
    const auto before = std::chrono::steady_clock::now();
    const auto answer = ask({"silent.example", Type::mx});
    EXPECT_EQ(answer.status, Status::failed);
    EXPECT_EQ(answer.detail, "timed out");
    EXPECT_LT(std::chrono::steady_clock::now() - before, 5s);
    EXPECT_EQ(ask({"a.example", Type::a}).status, Status::ok) << "others go on";
}

TEST_F(ResolverTest, WaitsNoLongerThanWhoAsksCan) {
    const auto before = std::chrono::steady_clock::now();
    const auto answer = test::run_on(loop_, resolver().async_ask({"silent.example", Type::mx}, before + 100ms));
    EXPECT_EQ(answer.status, Status::failed);
    EXPECT_EQ(answer.detail, "timed out");
    EXPECT_LT(std::chrono::steady_clock::now() - before, 5s) << "the resolver waits for 10 s";
    const auto in_time = test::run_on(loop_, resolver().async_ask({"a.example", Type::a}, std::chrono::steady_clock::now() + 10s));
    EXPECT_EQ(in_time.records.size(), 1U);
    EXPECT_EQ(test::run_on(loop_, resolver().async_ask({"a.example", Type::a}, before)).records.size(), 1U) << "known already";
}

TEST_F(ResolverTest, AnswersLocalhostItself) {
    EXPECT_EQ(ask({"localhost", Type::a}).records, (std::vector<dns::Record>{dns::Ipv4{{127, 0, 0, 1}}}));
    EXPECT_EQ(ask({"mail.localhost", Type::aaaa}).records,
              (std::vector<dns::Record>{dns::Ipv6{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}}}));
    EXPECT_EQ(ask({"localhost", Type::mx}).status, Status::no_data);
    EXPECT_EQ(server_.queries(), 0);
}

TEST_F(ResolverTest, AsksOnceForWhatItStillKnows) {
    ask({"a.example", Type::a});
    const int queries = server_.queries();
    for (int again = 0; again < 5; ++again) EXPECT_EQ(ask({"a.example", Type::a}).status, Status::ok);
    EXPECT_EQ(server_.queries(), queries);
}

asio::awaitable<bool> resumes_here(Resolver& resolver, std::string name) {
    const auto before = std::this_thread::get_id();
    const auto answer = co_await resolver.async_ask({std::move(name), Type::mx});
    co_return answer.status == Status::no_name&& std::this_thread::get_id() == before;
}

TEST_F(ResolverTest, ServesManyLoopsAtOnceAndResumesOnEachOnes) {
    Loops loops(3);
    loops.start();
    std::vector<std::future<bool>> results;
    for (int name = 0; name < 600; ++name) {
        results.push_back(
            asio::co_spawn(loops.next(), resumes_here(resolver(), std::to_string(name) + ".missing.example"), asio::use_future));
    }
    for (auto& result : results) EXPECT_TRUE(result.get());
    resolver().stop();
    loops.stop();
}

TEST_F(ResolverTest, AnswersWhatWaitsWhenItStops) {
    Loops loops(1);
    loops.start();
    auto waiting = asio::co_spawn(loops.loop(0), resolver().async_ask({"silent.example", Type::mx}), asio::use_future);
    EXPECT_EQ(ask({"a.example", Type::a}).status, Status::ok);
    resolver().stop();
    EXPECT_EQ(waiting.get().detail, "stopping");
    EXPECT_EQ(asio::co_spawn(loops.loop(0), resolver().async_ask({"b.example", Type::mx}), asio::use_future).get().detail, "stopping");
    loops.stop();
}

TEST_F(ResolverTest, MayStopBehindTheLoops) {
    auto loops = std::make_unique<Loops>(1);
    loops->start();
    asio::co_spawn(loops->loop(0), resumes_here(resolver(), "silent.example"), asio::detached);
    EXPECT_EQ(ask({"a.example", Type::a}).status, Status::ok);
    loops->stop();
    resolver_.reset();
}

TEST(ResolverStart, RefusesServersThatAreNone) {
    for (const auto* text : {"", "localhost", "127.0.0.1:", "0.0.0.0", "1.2.3.4:0", "127.0.0.1@53"}) {
        const auto resolver = Resolver::start({.servers = {text}});
        ASSERT_FALSE(resolver.has_value()) << text;
        EXPECT_EQ(resolver.error().kind, base::ErrorKind::syntax);
    }
}

TEST(ResolverStart, DoesWithoutATrustAnchorThatIsNotInstalled) {
    const auto resolver = Resolver::start({.servers = {"127.0.0.1"}, .trust_anchor = "/nonexistent/root.key"});
    ASSERT_TRUE(resolver.has_value()) << resolver.error().detail;
    EXPECT_FALSE((*resolver)->validates());
    EXPECT_NE((*resolver)->notice().find("/nonexistent/root.key"), std::string::npos);
    EXPECT_EQ((*resolver)->servers(), std::vector<std::string>{"127.0.0.1@53"});
}

/// The root's key of 2017, as dns-root-data has it.
class TrustAnchor {
public:
    TrustAnchor() { std::ofstream(path_) << ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n"; }
    ~TrustAnchor() { std::filesystem::remove(path_); }
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_ = std::filesystem::temp_directory_path() / ("thurn-root-" + std::to_string(::getpid()) + ".key");
};

TEST_F(ResolverTest, DoesWithoutValidationWhenTheServersLeaveDnssecOut) {
    const TrustAnchor anchor;
    resolver_ = Resolver::start({.servers = {server_.address()}, .trust_anchor = anchor.path()}).value();
    EXPECT_FALSE(resolver_->validates());
    EXPECT_NE(resolver_->notice().find("leave DNSSEC out"), std::string::npos) << resolver_->notice();
    EXPECT_EQ(ask({"a.example", Type::a}).status, Status::ok);
}

TEST(DnssecProbe, KeepsValidationWhenNothingAnswers) {
    const TrustAnchor anchor;
    test::DnsServer broken([](const Query& query) { return std::optional(reply(query, 2).packet()); });
    asio::io_context loop;
    const auto resolver = Resolver::start({.servers = {broken.address()}, .trust_anchor = anchor.path()}).value();
    EXPECT_TRUE(resolver->validates());
    EXPECT_EQ(resolver->notice(), "");
    EXPECT_EQ(test::run_on(loop, resolver->async_ask({"a.example", Type::a})).status, Status::failed);
}

TEST(DnsServers, AreReadFromResolvConf) {
    using Servers = std::vector<std::string>;
    EXPECT_EQ(
        parse_resolv_conf("# made by hand\nsearch example.com\nnameserver 192.0.2.1\n nameserver\t2001:db8::1 # second\r\noptions ndots:1"),
        (Servers{"192.0.2.1@53", "2001:db8::1@53"}));
    EXPECT_EQ(parse_resolv_conf(""), Servers{"127.0.0.1@53"});
    EXPECT_EQ(parse_resolv_conf("nameserver\nnameserver resolver.example\n;nameserver 192.0.2.1\n"), Servers{"127.0.0.1@53"});
    EXPECT_EQ(parse_dns_server("[::1]:5353"), "::1@5353");
}

}  // namespace
}  // namespace thurn::net
