// What both sides choose when nothing in the configuration says so.
#include "net/tls.h"
#include "support/tls_files.h"

#include <memory>

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>

namespace thurn::net {
namespace {

struct FreeSession {
    void operator()(SSL* session) const { SSL_free(session); }
};
using SessionPtr = std::unique_ptr<SSL, FreeSession>;

/// A handshake in memory, so that OpenSSL's sessions can be asked.
struct Handshake {
    SessionPtr server;
    SessionPtr client;

    Handshake(const TlsContext& served, SSL_CTX* called) : server(SSL_new(served.native())), client(SSL_new(called)) {
        BIO* one = nullptr;
        BIO* other = nullptr;
        BIO_new_bio_pair(&one, 0, &other, 0);
        SSL_set_bio(server.get(), one, one);
        SSL_set_bio(client.get(), other, other);
        SSL_set_accept_state(server.get());
        SSL_set_connect_state(client.get());
    }

    bool shake() {
        for (int turn = 0; turn < 10; ++turn) {
            const int called = SSL_do_handshake(client.get());
            const int served = SSL_do_handshake(server.get());
            if (called == 1 && served == 1) return true;
        }
        return false;
    }
};

/// A client that is not ours.
struct FreeContext {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
std::unique_ptr<SSL_CTX, FreeContext> stranger(int version, const char* groups) {
    std::unique_ptr<SSL_CTX, FreeContext> context(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_min_proto_version(context.get(), version);
    SSL_CTX_set_max_proto_version(context.get(), version);
    SSL_CTX_set1_groups_list(context.get(), groups);
    return context;
}

long group_of(SSL* session) { return SSL_get_negotiated_group(session); }

TEST(TlsGroups, OursIsX25519) {
    const test::TlsFiles files("mx.example.org");
    Handshake met(*files.server(), files.trusting_client()->native());
    ASSERT_TRUE(met.shake());
    EXPECT_EQ(group_of(met.client.get()), NID_X25519);
    EXPECT_STREQ(SSL_get_version(met.client.get()), "TLSv1.3");
}

struct GroupCase {
    int version;
    const char* groups;
    int chosen;
};
class TlsGroupTest : public testing::TestWithParam<GroupCase> {};

TEST_P(TlsGroupTest, TheServerChooses) {
    const auto& [version, groups, chosen] = GetParam();
    const test::TlsFiles files("mx.example.org");
    const auto client = stranger(version, groups);
    Handshake met(*files.server(), client.get());
    ASSERT_TRUE(met.shake()) << groups;
    EXPECT_EQ(group_of(met.server.get()), chosen) << OBJ_nid2sn(static_cast<int>(group_of(met.server.get())));
}

// In TLS 1.3 a client sends its share for the group it lists first; asking for another would cost a round trip and gain nothing, as P-256
// is no weaker (RFC 8446 §4.1.1 leaves it to the server).
INSTANTIATE_TEST_SUITE_P(Order, TlsGroupTest,
                         testing::Values(GroupCase{TLS1_2_VERSION, "P-256:X25519", NID_X25519},
                                         GroupCase{TLS1_2_VERSION, "P-384:P-256", NID_X9_62_prime256v1},
                                         GroupCase{TLS1_3_VERSION, "X25519:P-256", NID_X25519},
                                         GroupCase{TLS1_3_VERSION, "X448:P-384:X25519", NID_X25519},  // no share of use: asked anew
                                         GroupCase{TLS1_3_VERSION, "P-256:X25519", NID_X9_62_prime256v1}));

TEST(TlsGroups, OthersAreRefused) {
    const test::TlsFiles files("mx.example.org");
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        const auto client = stranger(version, "P-521");
        Handshake met(*files.server(), client.get());
        EXPECT_FALSE(met.shake());
    }
}

/// A client sees the server's order in what it gets: the best cipher both have, forward secrecy always.
TEST(TlsCiphers, AreTheServersFirstOfThoseTheClientHas) {
    const test::TlsFiles files("mx.example.org");
    const auto client = stranger(TLS1_2_VERSION, "X25519:P-256");  // P-256 is the certificate's
    SSL_CTX_set_cipher_list(client.get(), "ECDHE-ECDSA-AES256-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256:AES128-SHA");
    Handshake met(*files.server(), client.get());
    ASSERT_TRUE(met.shake());
    EXPECT_STREQ(SSL_get_cipher_name(met.server.get()), "ECDHE-ECDSA-AES128-GCM-SHA256");
}

}  // namespace
}  // namespace thurn::net
