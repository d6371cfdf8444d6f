// Certificates whose names are not what they look like at first sight, on both sides of a handshake.
#include "net/pem.h"
#include "net/stream.h"
#include "net/tls.h"
#include "support/loopback.h"
#include "support/tls_files.h"

#include <fstream>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace thurn::net {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using asio::experimental::awaitable_operators::operator&&;

constexpr auto kLong = 20s;

/// An alternative name, its octets as they are.
struct Name {
    int type;
    std::string octets;
};

GENERAL_NAME* made_of(const Name& name) {
    ASN1_STRING* const text = name.type == GEN_IPADD ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
    ASN1_STRING_set(text, name.octets.data(), static_cast<int>(name.octets.size()));
    GENERAL_NAME* const made = GENERAL_NAME_new();
    GENERAL_NAME_set0_value(made, name.type, text);
    return made;
}

/// Signed by itself; without alternative names it has none of that field, and `common` is what counts.
void write_certificate(const CertificateFiles& files, const std::string& common, const std::vector<Name>& names) {
    const auto key = load_private_key(files.private_key).value();
    const X509Ptr certificate(X509_new());
    X509_set_version(certificate.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    X509_set_pubkey(certificate.get(), key.get());
    X509_NAME* const subject = X509_get_subject_name(certificate.get());
    X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(common.data()),
                               static_cast<int>(common.size()), -1, 0);
    X509_set_issuer_name(certificate.get(), subject);
    const std::unique_ptr<GENERAL_NAMES, FreeWith<GENERAL_NAMES_free>> alternatives(GENERAL_NAMES_new());
    for (const auto& name : names) sk_GENERAL_NAME_push(alternatives.get(), made_of(name));
    if (!names.empty()) X509_add1_ext_i2d(certificate.get(), NID_subject_alt_name, alternatives.get(), 0, 0);
    ASSERT_GT(X509_sign(certificate.get(), key.get(), EVP_sha256()), 0);
    const std::unique_ptr<BIO, FreeWith<BIO_free>> file(BIO_new_file(files.certificate.c_str(), "w"));
    ASSERT_EQ(PEM_write_bio_X509(file.get(), certificate.get()), 1);
}

asio::awaitable<base::Result<void>> serve(Stream& stream, std::shared_ptr<const TlsContext> context) {
    auto done = co_await stream.async_accept_tls(std::move(context), within(kLong), ClientCertificate::wanted);
    if (!done) stream.close();
    co_return done;
}

asio::awaitable<base::Result<void>> call(Stream& stream, std::shared_ptr<const TlsContext> context, std::string name) {
    auto done = co_await stream.async_connect_tls(std::move(context), std::move(name), within(kLong));
    if (!done) stream.close();
    co_return done;
}

using Both = std::pair<base::Result<void>, std::optional<TlsFacts>>;

/// What the client heard, and what the server knows.
asio::awaitable<Both> meet_on(Stream& accepted, Stream& connected, std::shared_ptr<const TlsContext> server,
                              std::shared_ptr<const TlsContext> client, std::string name) {
    auto [served, called] = co_await (serve(accepted, server) && call(connected, client, name));
    co_return Both{std::move(called), accepted.tls_facts()};
}

Both meet(const std::shared_ptr<const TlsContext>& server, const std::shared_ptr<const TlsContext>& client, const std::string& name) {
    asio::io_context loop;
    auto sockets = test::connected_pair(loop);
    Stream accepted(std::move(sockets.server));
    Stream connected(std::move(sockets.client));
    return test::run_on(loop, meet_on(accepted, connected, server, client, name));
}

struct ServerNameCase {
    const char* name;
    std::string common;
    std::vector<Name> names;
    std::string host;
    bool good;
};
class CertificateNameTest : public testing::TestWithParam<ServerNameCase> {};

TEST_P(CertificateNameTest, IsTheHostsOrNot) {
    const auto& given = GetParam();
    const test::TlsFiles files("mx.example.org");
    write_certificate(files.files(), given.common, given.names);
    const auto met = meet(files.server(), files.trusting_client(), given.host);
    EXPECT_EQ(met.first.has_value(), given.good) << (met.first ? "" : met.first.error().detail);
    if (!met.first) EXPECT_EQ(met.first.error().kind, base::ErrorKind::refused);
}

INSTANTIATE_TEST_SUITE_P(
    Rfc6125AndIncidents, CertificateNameTest,
    testing::Values(  // CVE-2009-4565 and kin: what compares names as C strings stops at the NUL
        ServerNameCase{"NulInAnAlternative", "x", {{GEN_DNS, "mx.example.org\0.evil.example"s}}, "mx.example.org", false},
        ServerNameCase{"NulAtTheEnd", "x", {{GEN_DNS, "mx.example.org\0"s}}, "mx.example.org", false},
        ServerNameCase{"NulInTheCommonName", "mx.example.org\0.evil.example"s, {}, "mx.example.org", false},
        ServerNameCase{"CommonNameAlone", "mx.example.org", {}, "mx.example.org", true},
        ServerNameCase{"CommonNameBesideAlternatives", "mx.example.org", {{GEN_DNS, "other.example"}}, "mx.example.org", false},
        ServerNameCase{"AnyCase", "x", {{GEN_DNS, "MX.Example.ORG"}}, "mx.example.org", true},
        ServerNameCase{"OneOfSeveral", "x", {{GEN_DNS, "a.example"}, {GEN_DNS, "mx.example.org"}}, "mx.example.org", true},
        ServerNameCase{"Wildcard", "x", {{GEN_DNS, "*.example.org"}}, "mx.example.org", true},
        ServerNameCase{"WildcardOfTwoLabels", "x", {{GEN_DNS, "*.example.org"}}, "a.mx.example.org", false},
        ServerNameCase{"WildcardOfNoLabel", "x", {{GEN_DNS, "*.example.org"}}, "example.org", false},
        ServerNameCase{"WildcardInTheMiddle", "x", {{GEN_DNS, "mx.*.org"}}, "mx.example.org", false},
        ServerNameCase{"WildcardWithinALabel", "x", {{GEN_DNS, "m*.example.org"}}, "mx.example.org", false},
        ServerNameCase{"WildcardOfATopLevel", "x", {{GEN_DNS, "*.org"}}, "example.org", false},
        ServerNameCase{"WildcardAlone", "x", {{GEN_DNS, "*"}}, "localhost", false},
        ServerNameCase{"Address", "x", {{GEN_IPADD, "\xc0\x00\x02\x01"s}}, "192.0.2.1", true},
        ServerNameCase{"AddressAsAName", "x", {{GEN_DNS, "192.0.2.1"}}, "192.0.2.1", false},
        ServerNameCase{"AddressByWildcard", "x", {{GEN_DNS, "*.0.2.1"}}, "192.0.2.1", false},
        ServerNameCase{"AddressInTheCommonName", "192.0.2.1", {}, "192.0.2.1", false},
        ServerNameCase{"MailboxForAHost", "x", {{GEN_EMAIL, "mx.example.org"}}, "mx.example.org", false}),
    [](const auto& row) { return std::string(row.param.name); });

/// A login by certificate is the whole mailbox in it or none.
TEST(ClientMailboxes, AreThoseWithoutOddOctets) {
    const test::TlsFiles server("mx.example.org");
    const test::TlsFiles client("client.example.org");
    write_certificate(client.files(), "alice@a.example",
                      {{GEN_EMAIL, "alice@a.example\0.evil.example"s},
                       {GEN_EMAIL, "al ice@a.example"},
                       {GEN_EMAIL, "alice@a.example\r\n"},
                       {GEN_EMAIL, "\xc3\xa4@a.example"},
                       {GEN_EMAIL, ""},
                       {GEN_DNS, "dave@a.example"},
                       {GEN_EMAIL, "carol@a.example"}});
    const auto asking = TlsContext::for_server({server.files()}, {.client_ca = client.files().certificate}).value();
    const auto showing = TlsContext::for_client(TlsContext::Verify::yes, server.files().certificate, {.own = client.files()}).value();
    const auto met = meet(asking, showing, "mx.example.org");
    ASSERT_TRUE(met.second) << met.first.error().detail;
    EXPECT_EQ(met.second->client_mailboxes, std::vector<std::string>{"carol@a.example"});
}

/// The names by which a pair is chosen are those of hosts.
TEST(CertificateNames, WithNulAreNotServed) {
    const test::TlsFiles files("mx.example.org");
    write_certificate(files.files(), "x", {{GEN_DNS, "mx.example.org\0.evil.example"s}, {GEN_DNS, "a\\"}, {GEN_DNS, "b.example"}});
    EXPECT_EQ(inspect_certificate(files.files().certificate).value().names, std::vector<std::string>{"b.example"});
}

}  // namespace
}  // namespace thurn::net
