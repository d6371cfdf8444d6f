#include "net/tls.h"

#include "net/stream.h"
#include "support/loopback.h"
#include "support/tls_files.h"

#include <fstream>
#include <functional>
#include <thread>
#include <vector>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

namespace thurn::net {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using asio::experimental::awaitable_operators::operator&&;
using base::ErrorKind;
using ContextPtr = std::shared_ptr<const TlsContext>;
namespace fs = std::filesystem;

constexpr auto kLong = 20s;

void write_file(const fs::path& path, std::string_view octets) { std::ofstream(path, std::ios::binary | std::ios::trunc) << octets; }

std::string read_file(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

struct Handshake {
    base::Result<void> server;
    base::Result<void> client;
    std::optional<TlsFacts> server_facts;
    std::optional<TlsFacts> client_facts;
    TlsBindings server_bindings{};
    TlsBindings client_bindings{};
};

/// As every driver does: a failed handshake ends the connection.
asio::awaitable<base::Result<void>> accept_or_close(Stream& server, ContextPtr context) {
    auto accepted = co_await server.async_accept_tls(std::move(context), within(kLong));
    if (!accepted) server.close();
    co_return accepted;
}

asio::awaitable<Handshake> shake(Stream& server, Stream& client, ContextPtr offered, ContextPtr wanted, std::string name) {
    auto [accepted, connected] = co_await (accept_or_close(server, offered) && client.async_connect_tls(wanted, name, within(kLong)));
    // In TLS 1.3 the client is done first; what the server thought of it shows at the next read.
    co_return Handshake{std::move(accepted), std::move(connected),  server.tls_facts(),
                        client.tls_facts(),  server.tls_bindings(), client.tls_bindings()};
}

Handshake handshake(const ContextPtr& server, const ContextPtr& client, const std::string& name) {
    asio::io_context loop;
    auto sockets = test::connected_pair(loop);
    Stream accepted(std::move(sockets.server));
    Stream connected(std::move(sockets.client));
    return test::run_on(loop, shake(accepted, connected, server, client, name));
}

ContextPtr client_context(TlsContext::Verify verify, const fs::path& roots) { return TlsContext::for_client(verify, roots).value(); }

TEST(TlsVerification, AcceptsATrustedCertificateOfTheRightName) {
    const test::TlsFiles files("mx.example.org");
    const auto done = handshake(files.server(), files.trusting_client(), "mx.example.org");
    ASSERT_TRUE(done.client.has_value()) << done.client.error().detail;
    EXPECT_TRUE(done.client_facts->verified);
}

TEST(TlsVerification, RefusesAnotherNameAndAnUnknownIssuer) {
    const test::TlsFiles files("mx.example.org");
    const test::TlsFiles others("mx.example.org");
    for (const auto& [client, name] :
         {std::pair(files.trusting_client(), "other.example.org"s), std::pair(others.trusting_client(), "mx.example.org"s)}) {
        const auto done = handshake(files.server(), client, name);
        ASSERT_FALSE(done.client.has_value());
        EXPECT_EQ(done.client.error().kind, ErrorKind::refused) << done.client.error().detail;
        EXPECT_FALSE(done.client_facts.has_value());
    }
}

TEST(TlsBindings, AreTheSameOnBothSidesAndOfThisConnectionOnly) {
    const test::TlsFiles files("mx.example.org");
    const auto first = handshake(files.server(), files.trusting_client(), "mx.example.org");
    const auto second = handshake(files.server(), files.trusting_client(), "mx.example.org");
    EXPECT_EQ(first.server_bindings.exporter.size(), 32U);
    EXPECT_EQ(first.server_bindings.exporter, first.client_bindings.exporter);
    EXPECT_NE(first.server_bindings.exporter, second.server_bindings.exporter);
    EXPECT_EQ(first.server_bindings.server_end_point.size(), 32U);
    EXPECT_EQ(first.server_bindings.server_end_point, first.client_bindings.server_end_point);
    EXPECT_EQ(first.server_bindings.server_end_point, second.server_bindings.server_end_point);
}

TEST(TlsVerification, NeedsAName) {
    const test::TlsFiles files("mx.example.org");
    for (const auto& name : {""s, "bad name"s, "a\0b"s}) {
        asio::io_context loop;
        auto sockets = test::connected_pair(loop);
        Stream client(std::move(sockets.client));
        const auto connected = test::run_on(loop, client.async_connect_tls(files.trusting_client(), name, within(kLong)));
        ASSERT_FALSE(connected.has_value());
        EXPECT_EQ(connected.error().kind, ErrorKind::invalid);
    }
}

TEST(TlsVerification, ChecksAddressLiterals) {
    const test::TlsFiles files("192.0.2.1");
    EXPECT_TRUE(handshake(files.server(), files.trusting_client(), "192.0.2.1").client.has_value());
    EXPECT_FALSE(handshake(files.server(), files.trusting_client(), "192.0.2.2").client.has_value());
}

TEST(TlsVerification, OfACarelessClientIsOnlyReported) {
    const test::TlsFiles files("mx.example.org");
    const auto unknown = handshake(files.server(), test::TlsFiles::careless_client(), "mx.example.org");
    ASSERT_TRUE(unknown.client.has_value());
    EXPECT_FALSE(unknown.client_facts->verified);
    const auto roots = client_context(TlsContext::Verify::no, files.files().certificate);
    EXPECT_TRUE(handshake(files.server(), roots, "mx.example.org").client_facts->verified);
    EXPECT_FALSE(handshake(files.server(), roots, "other.example.org").client_facts->verified);
    EXPECT_TRUE(handshake(files.server(), roots, "").client.has_value()) << "no name is needed";
    EXPECT_FALSE(handshake(files.server(), roots, "").client_facts->verified);
}

TEST(ServerName, ChoosesTheCertificate) {
    const test::TlsFiles first("first.example");
    const test::TlsFiles second("second.example");
    const test::TlsFiles wild("*.wild.example");
    const auto server = TlsContext::for_server({first.files(), second.files(), wild.files()}).value();
    const auto verified = [&server](const test::TlsFiles& expected, const std::string& name) {
        return handshake(server, client_context(TlsContext::Verify::no, expected.files().certificate), name).client_facts->verified;
    };
    EXPECT_TRUE(verified(first, "first.example"));
    EXPECT_TRUE(verified(second, "second.example"));
    EXPECT_TRUE(verified(second, "SECOND.example"));
    EXPECT_TRUE(verified(wild, "a.wild.example"));
    EXPECT_FALSE(verified(wild, "a.b.wild.example")) << "a wildcard is one label";
    const auto unknown = handshake(server, test::TlsFiles::careless_client(), "unknown.example");
    EXPECT_TRUE(unknown.client.has_value()) << "served with the first";
    EXPECT_EQ(unknown.server_facts->server_name, "unknown.example");
    EXPECT_EQ(handshake(server, test::TlsFiles::careless_client(), "").server_facts->server_name, "");
}

/// A client made of OpenSSL alone, on a blocking socket and a thread of its own, so that it can misbehave.
struct Outcome {
    bool client_ok = false;
    bool resumed = false;
    base::Result<void> server;
    std::optional<TlsFacts> facts;
};
using Prepare = std::function<void(SSL_CTX*, SSL*)>;

asio::awaitable<base::Result<void>> serve_once(Stream& stream, ContextPtr context) {
    auto accepted = co_await stream.async_accept_tls(std::move(context), within(kLong));
    if (accepted) accepted = co_await stream.async_write("hello", within(kLong));
    co_return accepted;
}

class RawTls {
public:
    explicit RawTls(Prepare prepare) : prepare_(std::move(prepare)) { SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_OFF); }

    /// With the session of the time before, if there was one.
    Outcome connect(const ContextPtr& server) {
        asio::io_context loop;
        auto sockets = test::connected_pair(loop);
        return connect(server, loop, sockets);
    }
    Outcome connect(const ContextPtr& server, asio::io_context& loop, test::SocketPair& sockets) {
        Outcome outcome;
        Stream stream(std::move(sockets.server));
        std::thread client([&] { run(sockets.client.native_handle(), outcome); });
        outcome.server = test::run_on(loop, serve_once(stream, server));
        outcome.facts = stream.tls_facts();
        if (!outcome.server) stream.close();
        client.join();
        return outcome;
    }

private:
    void run(int descriptor, Outcome& outcome) {
        SSL* const session = SSL_new(context_.get());
        SSL_set_fd(session, descriptor);
        if (last_) SSL_set_session(session, last_.get());
        if (prepare_) prepare_(context_.get(), session);
        char block[5];
        outcome.client_ok = SSL_connect(session) == 1 && SSL_read(session, block, sizeof block) == 5;
        outcome.resumed = SSL_session_reused(session) == 1;
        if (outcome.client_ok) last_.reset(SSL_get1_session(session));
        SSL_shutdown(session);  // or the session counts as bad
        SSL_free(session);
        ERR_clear_error();
    }

    Prepare prepare_;
    std::unique_ptr<SSL_CTX, decltype([](SSL_CTX* context) { SSL_CTX_free(context); })> context_{SSL_CTX_new(TLS_client_method())};
    std::unique_ptr<SSL_SESSION, decltype([](SSL_SESSION* session) { SSL_SESSION_free(session); })> last_;
};

TEST(TlsVersions, BeforeTls12AreRefused) {
    const test::TlsFiles files("mx.example.org");
    const auto only = [](int version) {
        return [version](SSL_CTX*, SSL* session) {
            SSL_set_security_level(session, 0);
            SSL_set_min_proto_version(session, version);
            SSL_set_max_proto_version(session, version);
        };
    };
    for (const int old : {TLS1_VERSION, TLS1_1_VERSION}) EXPECT_FALSE(RawTls(only(old)).connect(files.server()).client_ok);
    const auto twelve = RawTls(only(TLS1_2_VERSION)).connect(files.server());
    EXPECT_TRUE(twelve.client_ok);
    EXPECT_EQ(twelve.facts->version, "TLSv1.2");
    EXPECT_TRUE(RawTls(only(TLS1_3_VERSION)).connect(files.server()).client_ok);
}

TEST(TlsCiphers, WithoutForwardSecrecyAreRefused) {
    const test::TlsFiles files("mx.example.org");
    RawTls client([](SSL_CTX*, SSL* session) {
        SSL_set_max_proto_version(session, TLS1_2_VERSION);
        SSL_set_cipher_list(session, "AES256-GCM-SHA384:AES128-SHA");
    });
    EXPECT_FALSE(client.connect(files.server()).client_ok);
}

class TicketTest : public testing::TestWithParam<int> {};

TEST_P(TicketTest, IsGoodAtItsOwnListenerOnly) {
    const test::TlsFiles files("mx.example.org");
    const auto server = files.server();
    const auto other_server = files.server();
    RawTls client([](SSL_CTX*, SSL* session) {
        SSL_set_min_proto_version(session, GetParam());
        SSL_set_max_proto_version(session, GetParam());
    });
    asio::io_context loop;
    asio::ip::tcp::acceptor one(loop, {asio::ip::address_v4::loopback(), 0});
    asio::ip::tcp::acceptor two(loop, {asio::ip::address_v4::loopback(), 0});
    const auto connect = [&](asio::ip::tcp::acceptor& acceptor, const ContextPtr& context) {
        test::SocketPair sockets{asio::ip::tcp::socket(loop), asio::ip::tcp::socket(loop)};
        sockets.client.connect(acceptor.local_endpoint());
        acceptor.accept(sockets.server);
        const auto outcome = client.connect(context, loop, sockets);
        EXPECT_TRUE(outcome.client_ok);
        return outcome.resumed;
    };
    EXPECT_FALSE(connect(one, server)) << "the first time";
    EXPECT_TRUE(connect(one, server));
    EXPECT_FALSE(connect(two, server)) << "another listener";
    EXPECT_TRUE(connect(two, server));
    EXPECT_FALSE(connect(two, other_server)) << "another context";
}

INSTANTIATE_TEST_SUITE_P(, TicketTest, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto& row) { return row.param == TLS1_2_VERSION ? "Tls12" : "Tls13"; });

TEST(ServerName, ThatIsNoneIsNeitherFoundNorTold) {
    const test::TlsFiles files("mx.example.org");
    for (const auto& name : {"a\\"s, "../../etc/passwd"s, "a b"s, "\xff\xfe"s, std::string(255, 'a'), "."s, "a..b"s, "*.example"s}) {
        RawTls client([&name](SSL_CTX*, SSL* session) { SSL_set_tlsext_host_name(session, name.c_str()); });
        const auto outcome = client.connect(files.server());
        EXPECT_TRUE(outcome.client_ok) << name;
        EXPECT_EQ(outcome.facts->server_name, "") << name;
    }
}

std::string be16(std::size_t value) { return {static_cast<char>(value >> 8U), static_cast<char>(value & 0xffU)}; }

/// A TLS 1.2 ClientHello with any server name, in as many records as it needs.
std::string client_hello(const std::string& name) {
    const std::string entry = "\0"s + be16(name.size()) + name;
    const std::string extension = "\0\0"s + be16(entry.size() + 2) + be16(entry.size()) + entry;
    const std::string body = "\3\3"s + std::string(32, 'r') + "\0"s + "\0\2\xc0\x2b"s + "\1\0"s + be16(extension.size()) + extension;
    const std::string message = "\1"s + static_cast<char>(body.size() >> 16U) + be16(body.size() & 0xffffU) + body;
    std::string records;
    for (std::size_t at = 0; at < message.size(); at += 16384) {
        const std::string part = message.substr(at, 16384);
        records += "\x16\3\1"s + be16(part.size()) + part;
    }
    return records;
}

/// What the server makes of octets sent instead of a handshake, with the connection left open behind them.
base::Result<void> accept_after(const ContextPtr& context, const std::string& octets, std::chrono::milliseconds limit) {
    asio::io_context loop;
    auto sockets = test::connected_pair(loop);
    std::thread sender([&] {
        boost::system::error_code ignored;
        asio::write(sockets.client, asio::buffer(octets), ignored);
    });
    Stream server(std::move(sockets.server));
    auto accepted = test::run_on(loop, server.async_accept_tls(context, within(limit)));
    server.close();
    sender.join();
    return accepted;
}

TEST(TlsHandshake, EndsQuicklyOnWhatIsNone) {
    const test::TlsFiles files("mx.example.org");
    const auto server = files.server();
    for (const auto& octets : {"GET / HTTP/1.0\r\n\r\n"s, "EHLO client\r\n"s, std::string(100'000, '\0'), std::string(100'000, '\x16'),
                               client_hello(std::string(65'000, 'a')), client_hello("a\0b"s), client_hello("")}) {
        const auto accepted = accept_after(server, octets, kLong);
        ASSERT_FALSE(accepted.has_value());
        EXPECT_EQ(accepted.error().kind, ErrorKind::peer_gone) << accepted.error().detail;
        EXPECT_TRUE(accepted.error().detail.starts_with("TLS: ")) << accepted.error().detail;
    }
}

TEST(TlsHandshake, EndsAtTheDeadlineWhenThePeerIsSilent) {
    const test::TlsFiles files("mx.example.org");
    const std::string hello = client_hello("mx.example.org");
    for (const auto& octets : {""s, hello.substr(0, 3), hello.substr(0, 30)}) {
        const auto accepted = accept_after(files.server(), octets, 20ms);
        ASSERT_FALSE(accepted.has_value());
        EXPECT_EQ(accepted.error().kind, ErrorKind::timed_out);
    }
}

asio::awaitable<std::string> upgrade(Stream& client, Stream& server, const test::TlsFiles& files, std::string injected) {
    char block[100];
    co_await client.async_write("STARTTLS\r\n" + injected, within(kLong));
    const auto got = co_await server.async_read(std::span(block, 10), within(kLong));
    co_await server.async_write("220 go\r\n", within(kLong));
    const auto reply = co_await client.async_read(block, within(kLong));
    if (got != 10U || reply != 8U) co_return "clear text failed";
    const auto done = co_await shake(server, client, files.server(), files.trusting_client(), "mx.example.org");
    if (!done.server) co_return "handshake failed";
    co_await client.async_write("secret", within(kLong));
    const auto secret = co_await server.async_read(block, within(kLong));
    co_return secret ? std::string(block, *secret) : secret.error().detail;
}

TEST(StartTls, UpgradesInTheMiddleOfAConnection) {
    const test::TlsFiles files("mx.example.org");
    for (const auto& [injected, expected] : {std::pair(""s, "secret"s), std::pair("MAIL FROM:<evil@example>\r\n"s, "handshake failed"s)}) {
        asio::io_context loop;
        auto sockets = test::connected_pair(loop);
        Stream client(std::move(sockets.client));
        Stream server(std::move(sockets.server));
        EXPECT_EQ(test::run_on(loop, upgrade(client, server, files, injected)), expected)
            << "clear text behind STARTTLS never counts as protected";
    }
}

asio::awaitable<base::Result<std::size_t>> read_some(Stream& stream) {
    char block[100];
    co_return co_await stream.async_read(block, within(kLong));
}

TEST(TlsEnd, IsTheEndOfTheConnectionHoweverItComes) {
    const test::TlsFiles files("mx.example.org");
    for (const bool cut : {false, true}) {
        asio::io_context loop;
        auto sockets = test::connected_pair(loop);
        const int descriptor = sockets.client.native_handle();
        Stream client(std::move(sockets.client));
        Stream server(std::move(sockets.server));
        ASSERT_TRUE(test::run_on(loop, shake(server, client, files.server(), files.trusting_client(), "mx.example.org")).server);
        cut ? static_cast<void>(::shutdown(descriptor, SHUT_WR)) : client.close();
        const auto read = test::run_on(loop, read_some(server));
        ASSERT_FALSE(read.has_value());
        EXPECT_EQ(read.error().kind, ErrorKind::peer_gone);
        EXPECT_EQ(read.error().detail, cut ? "peer closed the connection" : "peer ended TLS");
        EXPECT_FALSE(test::run_on(loop, read_some(server)).has_value());
    }
}

TEST(ServerContext, NamesTheFileThatIsWrong) {
    const test::TlsFiles good("mx.example.org");
    const test::TlsFiles other("mx.example.org");
    const auto missing = good.folder() / "missing.pem";
    const auto rubbish = good.folder() / "rubbish.pem";
    const auto locked = good.folder() / "locked.pem";
    write_file(rubbish, "-----BEGIN CERTIFICATE-----\nrubbish\n-----END CERTIFICATE-----\n");
    write_file(locked, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n");
    struct Case {
        CertificateFiles files;
        ErrorKind kind;
        fs::path named;
    };
    for (const auto& [files, kind, named] :
         {Case{{missing, good.files().private_key}, ErrorKind::not_found, missing},
          Case{{good.files().certificate, missing}, ErrorKind::not_found, missing},
          Case{{rubbish, good.files().private_key}, ErrorKind::invalid, rubbish},
          Case{{good.files().certificate, rubbish}, ErrorKind::invalid, rubbish},
          Case{{good.files().certificate, locked}, ErrorKind::invalid, locked},
          Case{{good.files().private_key, good.files().private_key}, ErrorKind::invalid, good.files().private_key},
          Case{{good.files().certificate, other.files().private_key}, ErrorKind::invalid, other.files().private_key}}) {
        const auto context = TlsContext::for_server({files});
        ASSERT_FALSE(context.has_value());
        EXPECT_EQ(context.error().kind, kind) << context.error().detail;
        EXPECT_NE(context.error().detail.find(named.string()), std::string::npos) << context.error().detail;
    }
    EXPECT_FALSE(TlsContext::for_server({}).has_value());
    EXPECT_FALSE(TlsContext::for_client(TlsContext::Verify::yes, missing).has_value());
}

TEST(SelfSigned, HasTheNameAndAKeyForItsOwnerOnly) {
    const test::TlsFiles files("mx.example.org");
    const auto facts = inspect_certificate(files.files().certificate);
    ASSERT_TRUE(facts.has_value());
    EXPECT_EQ(facts->names, std::vector<std::string>{"mx.example.org"});
    EXPECT_TRUE(facts->self_signed);
    EXPECT_GE(facts->days_left, 3648);
    EXPECT_LE(facts->days_left, 3650);
    EXPECT_EQ(facts->not_after.size(), "2036-01-01T00:00:00Z"s.size());
    struct stat key{};
    ASSERT_EQ(::stat(files.files().private_key.c_str(), &key), 0);
    EXPECT_EQ(key.st_mode & 0777U, 0600U);
    EXPECT_EQ(std::distance(fs::directory_iterator(files.folder()), {}), 2) << "no temporary file is left";
}

TEST(SelfSigned, KeepsWhatExists) {
    const test::TlsFiles files("mx.example.org");
    const auto certificate = read_file(files.files().certificate);
    const auto key = read_file(files.files().private_key);
    ASSERT_TRUE(make_self_signed(files.files(), "other.example"));
    EXPECT_EQ(read_file(files.files().certificate), certificate);
    fs::remove(files.files().certificate);  // as a crash between the two would leave it
    ASSERT_TRUE(make_self_signed(files.files(), "other.example"));
    EXPECT_EQ(read_file(files.files().private_key), key);
    EXPECT_EQ(inspect_certificate(files.files().certificate)->names, std::vector<std::string>{"other.example"});
    EXPECT_TRUE(TlsContext::for_server({files.files()}).has_value());
    fs::remove(files.files().private_key);
    EXPECT_EQ(make_self_signed(files.files(), "other.example").error().kind, ErrorKind::not_found);
}

TEST(SelfSigned, IsRefusedForWhatIsNoNameOrNoPlace) {
    const test::TlsFiles files("mx.example.org");
    const CertificateFiles elsewhere{files.folder() / "none" / "c.pem", files.folder() / "none" / "k.pem"};
    EXPECT_EQ(make_self_signed(elsewhere, "mx.example.org").error().kind, ErrorKind::refused);
    const CertificateFiles fresh{files.folder() / "c.pem", files.folder() / "k.pem"};
    for (const auto& name : {""s, "a b"s, "x,DNS:evil.example"s, "a\nb"s})
        EXPECT_EQ(make_self_signed(fresh, name).error().kind, ErrorKind::invalid);
    const std::string long_name = std::string(63, 'a') + "." + std::string(63, 'b') + ".example";
    ASSERT_TRUE(make_self_signed(fresh, long_name)) << "too long for a common name";
    EXPECT_EQ(inspect_certificate(fresh.certificate)->names, std::vector<std::string>{long_name});
}

class CollectingLog final : public base::Log {
public:
    void write(base::LogLevel, std::string_view event, std::initializer_list<base::LogField>) override { events.emplace_back(event); }
    std::vector<std::string> events;
};

class ServerCertificatesTest : public testing::Test {
protected:
    ServerCertificatesTest() { EXPECT_TRUE(certificates_.load()); }
    void replace_with(const test::TlsFiles& other) {
        fs::rename(other.files().private_key, files_.files().private_key);
        fs::rename(other.files().certificate, files_.files().certificate);
    }

    test::TlsFiles files_{"mx.example.org"};
    CollectingLog log_;
    ServerCertificates certificates_{{files_.files()}, {}, log_};
    const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

TEST_F(ServerCertificatesTest, AreReadAgainWhenTheFilesChange) {
    const auto before = certificates_.current_at(start_);
    EXPECT_EQ(certificates_.current_at(start_ + 2s), before) << "unchanged";
    replace_with(test::TlsFiles("mx.example.org"));
    EXPECT_EQ(certificates_.current_at(start_ + 2500ms), before) << "looked at less than a second ago";
    const auto after = certificates_.current_at(start_ + 4s);
    EXPECT_NE(after, before);
    EXPECT_EQ(certificates_.current_at(start_ + 6s), after);
    EXPECT_EQ(log_.events, std::vector<std::string>{"certificate_reloaded"});
}

TEST_F(ServerCertificatesTest, AreKeptWhenTheNewFilesAreBadWithOneWarning) {
    const auto before = certificates_.current_at(start_);
    write_file(files_.files().certificate, "rubbish");
    for (int second = 2; second < 6; ++second) EXPECT_EQ(certificates_.current_at(start_ + std::chrono::seconds(second)), before);
    EXPECT_EQ(log_.events, std::vector<std::string>{"certificate_not_reloaded"});
    fs::remove(files_.files().certificate);
    for (int second = 6; second < 9; ++second) EXPECT_EQ(certificates_.current_at(start_ + std::chrono::seconds(second)), before);
    EXPECT_EQ(log_.events.size(), 2U);
    replace_with(test::TlsFiles("mx.example.org"));
    EXPECT_NE(certificates_.current_at(start_ + 10s), before);
}

TEST(ServerCertificatesLoad, FailsWithoutFiles) {
    base::NullLog log;
    ServerCertificates certificates({{"/nonexistent/c.pem", "/nonexistent/k.pem"}}, {}, log);
    EXPECT_EQ(certificates.load().error().kind, ErrorKind::not_found);
}

}  // namespace
}  // namespace thurn::net
