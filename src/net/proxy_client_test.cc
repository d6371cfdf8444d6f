#include "net/proxy_client.h"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::net {
namespace {

using base::ErrorKind;
using boost::asio::ip::make_address;
using boost::asio::ip::tcp;
using State = ProxyClient::State;
using testing::HasSubstr;
using namespace std::string_literals;

const tcp::endpoint kTarget{make_address("192.0.2.7"), 25};
const tcp::endpoint kTarget6{make_address("2001:db8::7"), 587};
const ProxyLogin kLogin{"anna", "secret"};

/// What is said in answer to the octets, given in two parts.
struct Told {
    std::string said;
    State state;
    std::string rest;
    base::Error error;
};
Told tell(std::unique_ptr<ProxyClient> client, std::string_view octets, std::size_t cut) {
    Told told{.said = client->take_output(), .state = State::talking, .rest = {}, .error = {}};
    for (const auto part : {octets.substr(0, cut), octets.substr(cut)}) {
        if (client->state() == State::talking) {
            client->receive(part);
            told.said += client->take_output();
        } else if (client->state() == State::connected) {
            told.rest += part;  // as a driver, which reads no more through the client
        }
        if (client->state() == State::connected) told.rest = client->take_rest() + told.rest;
    }
    told.state = client->state();
    told.error = client->error();
    return told;
}

// ---- SOCKS5

const std::string kNoLoginChosen{"\x05\x00", 2};
const std::string kPasswordChosen{"\x05\x02", 2};
const std::string kLoginTaken{"\x01\x00", 2};
const std::string kBound4{"\x05\x00\x00\x01\x0a\x00\x00\x01\x04\x38", 10};
const std::string kBound6 = "\x05\x00\x00\x04"s + std::string(16, '\x20') + "\x04\x38";
const std::string kBoundName = "\x05\x00\x00\x03\x03"s + "box" + "\x04\x38";

struct SocksCase {
    const char* name;
    std::string octets;
    bool login;
};
class Socks5Success : public testing::TestWithParam<SocksCase> {};
TEST_P(Socks5Success, ConnectsForEverySplitAndKeepsTheTargetsOctets) {
    const auto octets = GetParam().octets + "220 hello\r\n";
    for (std::size_t cut = 0; cut <= octets.size(); ++cut) {
        const auto told = tell(make_socks5_client(kTarget, GetParam().login ? std::optional(kLogin) : std::nullopt), octets, cut);
        ASSERT_EQ(told.state, State::connected) << cut << told.error.detail;
        EXPECT_EQ(told.rest, "220 hello\r\n") << cut;
        EXPECT_TRUE(told.said.ends_with("\x05\x01\x00\x01\xc0\x00\x02\x07\x00\x19"s)) << cut;
    }
}
INSTANTIATE_TEST_SUITE_P(Replies, Socks5Success,
                         testing::Values(SocksCase{"Plain", kNoLoginChosen + kBound4, false},
                                         SocksCase{"BoundToIpv6", kNoLoginChosen + kBound6, false},
                                         SocksCase{"BoundToAName", kNoLoginChosen + kBoundName, false},
                                         SocksCase{"LoginNotWanted", kNoLoginChosen + kBound4, true},
                                         SocksCase{"Login", kPasswordChosen + kLoginTaken + kBound4, true}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(Socks5, OffersALoginOnlyWhereThereIsOne) {
    EXPECT_EQ(make_socks5_client(kTarget, std::nullopt)->take_output(), "\x05\x01\x00"s);
    EXPECT_EQ(make_socks5_client(kTarget, kLogin)->take_output(), "\x05\x02\x00\x02"s);
    auto client = make_socks5_client(kTarget6, kLogin);
    EXPECT_FALSE(client->take_output().empty());
    client->receive(kPasswordChosen);
    EXPECT_EQ(client->take_output(), "\x01\x04"s + "anna\x06secret");
    client->receive(kLoginTaken);
    EXPECT_EQ(client->take_output(), "\x05\x01\x00\x04\x20\x01\x0d\xb8"s + std::string(10, '\0') + "\x00\x07\x02\x4b"s);
}

struct FailureCase {
    const char* name;
    std::string octets;
    bool login;
    ErrorKind kind;
    const char* detail;
};
std::string socks_refusal(char code) { return kNoLoginChosen + "\x05"s + code; }
class Socks5Failure : public testing::TestWithParam<FailureCase> {};
TEST_P(Socks5Failure, IsToldInClearWords) {
    const auto& row = GetParam();
    for (std::size_t cut = 0; cut <= row.octets.size(); ++cut) {
        const auto told = tell(make_socks5_client(kTarget, row.login ? std::optional(kLogin) : std::nullopt), row.octets, cut);
        EXPECT_EQ(told.state, State::failed) << cut;
        EXPECT_EQ(told.error.kind, row.kind) << told.error.detail;
        EXPECT_THAT(told.error.detail, HasSubstr(row.detail));
        EXPECT_EQ(told.error.detail.find("secret"), std::string::npos);
    }
}
INSTANTIATE_TEST_SUITE_P(
    Replies, Socks5Failure,
    testing::Values(FailureCase{"Garbage", "HTTP/1.1 400 Bad", false, ErrorKind::syntax, "no SOCKS5 proxy"},
                    FailureCase{"Socks4", "\x04\x00"s, false, ErrorKind::syntax, "no SOCKS5 proxy"},
                    FailureCase{"WantsLogin", "\x05\xff", false, ErrorKind::refused, "wants a login"},
                    FailureCase{"TakesNone", "\x05\xff", true, ErrorKind::refused, "takes no login by password"},
                    FailureCase{"NotOffered", "\x05\x02", false, ErrorKind::syntax, "not offered"},
                    FailureCase{"Gssapi", "\x05\x01", true, ErrorKind::syntax, "not offered"},
                    FailureCase{"WrongLogin", kPasswordChosen + "\x01\x01", true, ErrorKind::refused, "refused the login"},
                    FailureCase{"Failed", socks_refusal(1), false, ErrorKind::refused, "the proxy failed"},
                    FailureCase{"Rules", socks_refusal(2), false, ErrorKind::refused, "rules"},
                    FailureCase{"Network", socks_refusal(3), false, ErrorKind::peer_gone, "network unreachable"},
                    FailureCase{"Host", socks_refusal(4), false, ErrorKind::peer_gone, "host unreachable"},
                    FailureCase{"Refused", socks_refusal(5), false, ErrorKind::refused, "refused the proxy's connection"},
                    FailureCase{"Ttl", socks_refusal(6), false, ErrorKind::peer_gone, "TTL"},
                    FailureCase{"Command", socks_refusal(7), false, ErrorKind::refused, "does not make connections"},
                    FailureCase{"Family", socks_refusal(8), false, ErrorKind::refused, "kind of address"},
                    FailureCase{"Unknown", socks_refusal(99), false, ErrorKind::refused, "code 99"},
                    FailureCase{"ReplyVersion", kNoLoginChosen + "\x04\x00"s, false, ErrorKind::syntax, "no SOCKS5"},
                    FailureCase{"AddressKind", kNoLoginChosen + "\x05\x00\x00\x09\x00"s, false, ErrorKind::syntax, "unknown kind"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(Socks5, RefusesALoginItCannotSend) {
    for (const auto& login : {ProxyLogin{"", "x"}, ProxyLogin{std::string(256, 'a'), "x"}, ProxyLogin{"a", std::string(256, 'x')}}) {
        const auto client = make_socks5_client(kTarget, login);
        EXPECT_EQ(client->state(), State::failed);
        EXPECT_EQ(client->error().kind, ErrorKind::invalid);
    }
}

// ---- HTTP CONNECT

TEST(HttpConnect, AsksForTheTarget) {
    EXPECT_EQ(make_http_connect_client(kTarget, std::nullopt)->take_output(),
              "CONNECT 192.0.2.7:25 HTTP/1.1\r\nHost: 192.0.2.7:25\r\n\r\n");
    EXPECT_EQ(make_http_connect_client(kTarget6, kLogin)->take_output(),
              "CONNECT [2001:db8::7]:587 HTTP/1.1\r\nHost: [2001:db8::7]:587\r\nProxy-Authorization: Basic YW5uYTpzZWNyZXQ=\r\n\r\n");
}

class HttpConnectSuccess : public testing::TestWithParam<const char*> {};
TEST_P(HttpConnectSuccess, ConnectsForEverySplitAndKeepsTheTargetsOctets) {
    const auto octets = GetParam() + "220 hello\r\n"s;
    for (std::size_t cut = 0; cut <= octets.size(); ++cut) {
        const auto told = tell(make_http_connect_client(kTarget, std::nullopt), octets, cut);
        ASSERT_EQ(told.state, State::connected) << cut << told.error.detail;
        EXPECT_EQ(told.rest, "220 hello\r\n") << cut;
    }
}
INSTANTIATE_TEST_SUITE_P(Responses, HttpConnectSuccess,
                         testing::Values("HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.0 200 Connection established\r\nProxy-agent: x\r\n\r\n",
                                         "HTTP/1.1 200\r\n\r\n", "HTTP/1.1 204 None\nA: b\n\n",
                                         "HTTP/1.1 102 Wait\r\nX: y\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"));

class HttpConnectFailure : public testing::TestWithParam<FailureCase> {};
TEST_P(HttpConnectFailure, IsToldInClearWords) {
    const auto& row = GetParam();
    for (std::size_t cut = 0; cut <= std::min<std::size_t>(row.octets.size(), 100); ++cut) {
        const auto told = tell(make_http_connect_client(kTarget, row.login ? std::optional(kLogin) : std::nullopt), row.octets, cut);
        EXPECT_EQ(told.state, State::failed) << cut;
        EXPECT_EQ(told.error.kind, row.kind) << told.error.detail;
        EXPECT_THAT(told.error.detail, HasSubstr(row.detail));
        EXPECT_EQ(told.error.detail.find_first_of("\x1b\r\n"), std::string::npos);
    }
}
INSTANTIATE_TEST_SUITE_P(
    Responses, HttpConnectFailure,
    testing::Values(
        FailureCase{"Smtp", "220 mx ESMTP\r\n", false, ErrorKind::syntax, "no HTTP proxy"},
        FailureCase{"SmtpCut", "220 mx", false, ErrorKind::syntax, "no HTTP proxy"},
        FailureCase{"NoNumber", "HTTP/1.1 2x0 OK\r\n", false, ErrorKind::syntax, "no HTTP proxy"},
        FailureCase{"Number", "HTTP/1.1 099 OK\r\n", false, ErrorKind::syntax, "no HTTP proxy"},
        FailureCase{"Http2", "HTTP/2.0 200 OK\r\n", false, ErrorKind::syntax, "no HTTP proxy"},
        FailureCase{"WantsLogin", "HTTP/1.1 407 Auth\r\n\r\n", false, ErrorKind::refused, "wants a login"},
        FailureCase{"WrongLogin", "HTTP/1.1 407 Auth\r\n\r\n", true, ErrorKind::refused, "refused the login"},
        FailureCase{"WrongLoginOtherwise", "HTTP/1.1 401 No\r\n\r\n", true, ErrorKind::refused, "refused the login"},
        FailureCase{"Forbidden", "HTTP/1.1 403 Access \x1b[31mviolation\r\nA: b\r\n\r\n", false, ErrorKind::refused,
                    "answered 403 Access [31mviolation"},
        FailureCase{"BadGateway", "HTTP/1.1 502 Bad Gateway\r\n\r\n", false, ErrorKind::peer_gone, "answered 502 Bad Gateway"},
        FailureCase{"Redirect", "HTTP/1.1 302 There\r\n\r\n", false, ErrorKind::refused, "answered 302 There"},
        FailureCase{"LongLine", "HTTP/1.1 200 " + std::string(9000, 'a') + "\r\n\r\n", false, ErrorKind::too_long, "the proxy's answer"},
        FailureCase{"LongHead", "HTTP/1.1 200 OK\r\nA: " + std::string(9000, 'a'), false, ErrorKind::too_long, "the proxy's answer"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(HttpConnect, RefusesALoginItCannotSend) {
    for (const auto& login : {ProxyLogin{"a:b", "x"}, ProxyLogin{"a\r\nX: y", "x"}, ProxyLogin{"a", "x\n"}})
        EXPECT_EQ(make_http_connect_client(kTarget, login)->error().kind, ErrorKind::invalid);
}

}  // namespace
}  // namespace thurn::net
