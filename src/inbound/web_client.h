#pragma once

#include "base/result.h"
#include "inbound/idle_connections.h"
#include "net/resolver.h"
#include "net/stream.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace thurn::inbound {

/// Where a web server answers: `https://user-check.example.net:8443/mail?x=1`.
struct WebAddress {
    bool tls = false;
    std::string host{};  // a name or an address, without brackets
    std::uint16_t port = 80;
    std::string target = "/";
    friend bool operator==(const WebAddress&, const WebAddress&) = default;
};
/// Errors   `syntax`: says what is wrong: no http or https, a user in it, octets that belong in no URL.
[[nodiscard]] base::Result<WebAddress> parse_web_address(std::string_view url);
[[nodiscard]] std::string render_web_address(const WebAddress& address);

struct WebQuestion {
    WebAddress address;
    std::string body{};                            // sent by POST; empty: GET
    std::string type{};                            // of the body: `application/json`
    std::string authorization{};                   // the header field's body; empty: none
    std::shared_ptr<const net::TlsContext> tls{};  // for https
    std::size_t most = std::size_t{64} << 10;      // octets of the answer
};
struct WebReply {
    unsigned status = 0;
    std::string body;
};

/// Asks a web server (RFC 9112) without blocking the loop, over a connection that is kept for the next question where the server lets us.
/// One that was kept and turns out dead is replaced once, before anything of an answer came. Redirections are not followed.
/// Errors   `timed_out`, `peer_gone`, `refused`: no answer, or a certificate that is not trusted. `syntax`: no HTTP. `too_long`.
/// Threads  The loop of `idle`.
[[nodiscard]] net::asio::awaitable<base::Result<WebReply>> async_ask_web(const WebQuestion& question, net::Resolver* resolver,
                                                                         IdleConnections& idle, net::Deadline deadline);

}  // namespace thurn::inbound
