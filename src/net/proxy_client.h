#pragma once

#include "base/result.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <boost/asio/ip/tcp.hpp>

namespace thurn::net {

struct ProxyLogin {
    std::string login;
    std::string password;
};

/// Asks a proxy for a connection to an address, without I/O: Socks5Client and HttpConnectClient.
///
/// Loop     take_output() → send → read → receive(), while `talking`. Octets that come behind the proxy's last word are the target's:
///          take_rest().
/// Errors   `refused`, `peer_gone`: what the proxy says of the target, or of us; `syntax`, `too_long`: it does not speak the protocol;
///          `invalid`: the login cannot be sent. The text holds nothing of what the proxy said but short printable words.
class ProxyClient {
public:
    enum class State { talking, connected, failed };
    ProxyClient() = default;
    ProxyClient(const ProxyClient&) = delete;
    ProxyClient& operator=(const ProxyClient&) = delete;
    virtual ~ProxyClient() = default;

    virtual void receive(std::string_view octets) = 0;  // any split, any size
    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] const base::Error& error() const { return error_; }  // when failed
    [[nodiscard]] std::string take_output() { return std::exchange(output_, {}); }
    [[nodiscard]] std::string take_rest() { return std::exchange(input_, {}); }  // when connected

protected:
    void fail(base::ErrorKind kind, std::string detail) {
        state_ = State::failed;
        error_ = {kind, std::move(detail)};
    }
    void connected(std::size_t heard) {
        state_ = State::connected;
        input_.erase(0, heard);
    }

    std::string input_;
    std::string output_;

private:
    State state_ = State::talking;
    base::Error error_{};
};

/// SOCKS version 5 (RFC 1928), with a login if the proxy wants one and there is one (RFC 1929). The target is given as an address.
[[nodiscard]] std::unique_ptr<ProxyClient> make_socks5_client(const boost::asio::ip::tcp::endpoint& target,
                                                              const std::optional<ProxyLogin>& login);
/// CONNECT of HTTP/1.1 (RFC 9110 §9.3.6), the login by Basic (RFC 7617).
/// Limits   The head of a response has at most 8 KiB.
[[nodiscard]] std::unique_ptr<ProxyClient> make_http_connect_client(const boost::asio::ip::tcp::endpoint& target,
                                                                    const std::optional<ProxyLogin>& login);

}  // namespace thurn::net
