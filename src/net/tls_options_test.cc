#include "net/stream.h"
#include "net/tls.h"
#include "support/loopback.h"
#include "support/tls_files.h"

#include <fstream>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <gtest/gtest.h>

namespace thurn::net {
namespace {

using namespace std::chrono_literals;
using asio::experimental::awaitable_operators::operator&&;
using ContextPtr = std::shared_ptr<const TlsContext>;

constexpr auto kLong = 20s;

struct Met {
    base::Result<void> server;
    base::Result<void> client;
    std::optional<TlsFacts> server_facts;
    std::optional<TlsFacts> client_facts;
};

/// Closes on failure, as every driver does; else says a word, behind which the client has read the tickets.
asio::awaitable<base::Result<void>> serve(Stream& stream, ContextPtr context, ClientCertificate client) {
    auto done = co_await stream.async_accept_tls(std::move(context), within(kLong), client);
    if (done) done = co_await stream.async_write("hello", within(kLong));
    if (!done) stream.close();
    co_return done;
}

asio::awaitable<base::Result<void>> call(Stream& stream, ContextPtr context, std::string name) {
    auto done = co_await stream.async_connect_tls(std::move(context), std::move(name), within(kLong));
    char block[16];
    if (done) {
        const auto read = co_await stream.async_read(block, within(kLong));
        if (!read) done = std::unexpected(read.error());
    }
    if (!done) stream.close();
    co_return done;
}

asio::awaitable<Met> meet_on(Stream& accepted, Stream& connected, ContextPtr server, ContextPtr client, std::string name,
                             ClientCertificate asked) {
    auto [served, called] = co_await (serve(accepted, server, asked) && call(connected, client, name));
    co_return Met{std::move(served), std::move(called), accepted.tls_facts(), connected.tls_facts()};
}

/// A server at one port, as its tickets are good there only.
class TlsOptionsTest : public testing::Test {
protected:
    Met meet(const ContextPtr& server, const ContextPtr& client, const std::string& name = "mx.example.org",
             ClientCertificate asked = ClientCertificate::ignored) {
        test::SocketPair sockets{asio::ip::tcp::socket(loop_), asio::ip::tcp::socket(loop_)};
        sockets.client.connect(acceptor_.local_endpoint());
        acceptor_.accept(sockets.server);
        Stream accepted(std::move(sockets.server));
        Stream connected(std::move(sockets.client));
        return test::run_on(loop_, meet_on(accepted, connected, server, client, name, asked));
    }
    [[nodiscard]] ContextPtr server_with(const ServerTlsOptions& options) const {
        return TlsContext::for_server({files_.files()}, options).value();
    }
    [[nodiscard]] ContextPtr client_with(const ClientTlsOptions& options) const {
        return TlsContext::for_client(TlsContext::Verify::yes, files_.files().certificate, options).value();
    }

    asio::io_context loop_;
    asio::ip::tcp::acceptor acceptor_{loop_, {asio::ip::address_v4::loopback(), 0}};
    test::TlsFiles files_{"mx.example.org"};
};

TEST_F(TlsOptionsTest, AClientComesBackToItsSessionAndIsVerifiedAsBefore) {
    const auto server = files_.server();
    for (const auto floor : {TlsRules::Floor::tls12, TlsRules::Floor::tls13}) {
        const auto client = client_with({.rules = {.floor = floor}});
        EXPECT_FALSE(meet(server, client).client_facts->resumed);
        for (int again = 0; again < 3; ++again) {
            const auto met = meet(server, client);
            ASSERT_TRUE(met.client_facts) << met.client.error().detail;
            EXPECT_TRUE(met.client_facts->resumed);
            EXPECT_TRUE(met.server_facts->resumed);
            EXPECT_TRUE(met.client_facts->verified);
        }
    }
}

TEST_F(TlsOptionsTest, SessionsAreNotSharedAmongNamesContextsAndServers) {
    const auto server = files_.server();
    const auto careless = test::TlsFiles::careless_client();
    EXPECT_FALSE(meet(server, careless, "mx.example.org").client_facts->resumed);
    EXPECT_FALSE(meet(server, careless, "other.example.org").client_facts->resumed);
    EXPECT_FALSE(meet(server, test::TlsFiles::careless_client(), "mx.example.org").client_facts->resumed);
    const auto elsewhere = meet(files_.server(), careless, "mx.example.org");
    ASSERT_TRUE(elsewhere.client_facts) << "a ticket nobody knows must not hurt";
    EXPECT_FALSE(elsewhere.client_facts->resumed);
    EXPECT_FALSE(meet(server, careless, "").client_facts->resumed);
    EXPECT_FALSE(meet(server, careless, "").client_facts->resumed) << "without a name nothing is kept";
}

TEST_F(TlsOptionsTest, WhatTheServerOffersCanBeNarrowed) {
    const auto modern = server_with({.rules = {.floor = TlsRules::Floor::tls13, .ciphersuites = "TLS_CHACHA20_POLY1305_SHA256"}});
    const auto met = meet(modern, files_.trusting_client());
    ASSERT_TRUE(met.client_facts);
    EXPECT_EQ(met.client_facts->version, "TLSv1.3");
    EXPECT_EQ(met.client_facts->cipher, "TLS_CHACHA20_POLY1305_SHA256");
    EXPECT_FALSE(meet(modern, client_with({.rules = {.ciphersuites = "TLS_AES_128_GCM_SHA256"}})).client);
}

TEST_F(TlsOptionsTest, CiphersNobodyKnowsAreNamed) {
    for (const TlsRules& rules : {TlsRules{.ciphers = "NONSENSE"}, TlsRules{.ciphersuites = "NONSENSE"}}) {
        const auto made = TlsContext::for_server({files_.files()}, {.rules = rules});
        ASSERT_FALSE(made.has_value());
        EXPECT_EQ(made.error().kind, base::ErrorKind::invalid);
        EXPECT_NE(made.error().detail.find("NONSENSE"), std::string::npos) << made.error().detail;
    }
}

TEST_F(TlsOptionsTest, AStrangersCertificateDoesNotEndTheHandshake) {
    const test::TlsFiles stranger("client.example.org");
    const auto server = server_with({.client_ca = files_.files().certificate});
    for (const auto& own : {CertificateFiles{}, stranger.files(), files_.files()}) {
        const auto met = meet(server, client_with({.own = own}), "mx.example.org", ClientCertificate::wanted);
        ASSERT_TRUE(met.server.has_value()) << met.server.error().detail;
        EXPECT_TRUE(met.server_facts->client_mailboxes.empty()) << "none of them holds a mailbox";
    }
    const auto none = TlsContext::for_server({files_.files()}, {.client_ca = files_.files().private_key});
    ASSERT_FALSE(none.has_value());
    EXPECT_NE(none.error().detail.find(files_.files().private_key.string()), std::string::npos) << none.error().detail;
}

TEST_F(TlsOptionsTest, AnUnfitOcspResponseIsARemarkAndNoFailure) {
    auto pair = files_.files();
    pair.ocsp_response = files_.folder() / "response.der";
    EXPECT_EQ(TlsContext::for_server({pair}).value()->remarks().size(), 1U) << "missing";
    std::ofstream(pair.ocsp_response) << "no response";
    const auto context = TlsContext::for_server({pair}).value();
    ASSERT_EQ(context->remarks().size(), 1U);
    EXPECT_EQ(context->remarks().front(), pair.ocsp_response.string() + ": not an OCSP response in DER");
    EXPECT_TRUE(meet(context, files_.trusting_client()).client.has_value());
}

}  // namespace
}  // namespace thurn::net
