// method selection ─▶ (login) ─▶ request ─▶ reply. Each answer's length is known from its first octets, so what follows is the target's.
#include "net/proxy_client.h"

#include <array>

#include <fmt/format.h>

namespace thurn::net {

namespace {

using base::ErrorKind;

constexpr unsigned char kVersion = 5;
constexpr unsigned char kNoLogin = 0;
constexpr unsigned char kPassword = 2;      // RFC 1929
constexpr unsigned char kNoMethod = 0xff;   // RFC 1928 §3
constexpr unsigned char kLoginVersion = 1;  // RFC 1929 §2
constexpr std::size_t kMaxLogin = 255;
enum AddressType : unsigned char { ipv4 = 1, domain_name = 3, ipv6 = 4 };  // RFC 1928 §5

void append(std::string& octets, unsigned octet) { octets += static_cast<char>(static_cast<unsigned char>(octet)); }

std::string render_request(const boost::asio::ip::tcp::endpoint& target) {
    std::string request{'\x05', '\x01', '\x00'};  // CONNECT, RFC 1928 §4
    const auto add_address = [&](AddressType type, const auto& bytes) {
        append(request, type);
        for (const auto octet : bytes) append(request, octet);
    };
    const auto address = target.address();
    if (address.is_v4())
        add_address(ipv4, address.to_v4().to_bytes());
    else
        add_address(ipv6, address.to_v6().to_bytes());
    append(request, target.port() >> 8U);
    append(request, target.port() & 0xffU);
    return request;
}

/// RFC 1928 §6.
base::Error refusal(unsigned code) {
    switch (code) {
        case 1:
            return {ErrorKind::refused, "the proxy failed"};
        case 2:
            return {ErrorKind::refused, "the proxy's rules do not allow it"};
        case 3:
            return {ErrorKind::peer_gone, "the proxy finds the network unreachable"};
        case 4:
            return {ErrorKind::peer_gone, "the proxy finds the host unreachable"};
        case 5:
            return {ErrorKind::refused, "the host refused the proxy's connection"};
        case 6:
            return {ErrorKind::peer_gone, "the proxy's packets do not arrive (TTL expired)"};
        case 7:
            return {ErrorKind::refused, "the proxy does not make connections"};
        case 8:
            return {ErrorKind::refused, "the proxy does not know this kind of address"};
        default:
            return {ErrorKind::refused, fmt::format("the proxy answered with code {}", code)};
    }
}

class Socks5Client final : public ProxyClient {
public:
    Socks5Client(const boost::asio::ip::tcp::endpoint& target, const std::optional<ProxyLogin>& login)
        : request_(render_request(target)), login_(login) {
        output_ = login_ ? std::string{'\x05', '\x02', '\x00', '\x02'} : std::string{'\x05', '\x01', '\x00'};
        if (login_ && (login_->login.empty() || login_->login.size() > kMaxLogin || login_->password.size() > kMaxLogin))
            fail(ErrorKind::invalid, "SOCKS takes a login of 1 to 255 octets, and a password of no more");
    }

    void receive(std::string_view octets) override {
        input_ += octets;
        while (state() == State::talking && step()) {}
    }

private:
    enum class Awaiting { method, login, reply };

    [[nodiscard]] unsigned octet(std::size_t at) const { return static_cast<unsigned char>(input_[at]); }

    /// False when more octets are needed.
    bool step() {
        if (input_.size() < 2) return false;
        switch (awaiting_) {
            case Awaiting::method:
                return on_method();
            case Awaiting::login:
                return on_login();
            case Awaiting::reply:
                return on_reply();
        }
        return false;
    }

    bool on_method() {
        const unsigned version = octet(0);
        const unsigned method = octet(1);
        input_.erase(0, 2);
        if (version != kVersion) return end(ErrorKind::syntax, "what answers there is no SOCKS5 proxy");
        if (method == kNoMethod && !login_) return end(ErrorKind::refused, "the proxy wants a login");
        if (method == kNoMethod) return end(ErrorKind::refused, "the proxy takes no login by password");
        if (method == kNoLogin) return ask();
        if (method != kPassword || !login_) return end(ErrorKind::syntax, "the proxy chose a way to log in that was not offered");
        append(output_, kLoginVersion);
        append(output_, static_cast<unsigned>(login_->login.size()));
        output_ += login_->login;
        append(output_, static_cast<unsigned>(login_->password.size()));
        output_ += login_->password;
        awaiting_ = Awaiting::login;
        return true;
    }

    bool on_login() {
        const unsigned status = octet(1);
        input_.erase(0, 2);
        return status == 0 ? ask() : end(ErrorKind::refused, "the proxy refused the login");
    }

    bool ask() {
        output_ += request_;
        awaiting_ = Awaiting::reply;
        return true;
    }

    /// A refusal needs no more than its code: some proxies close behind it.
    bool on_reply() {
        if (octet(0) != kVersion) return end(ErrorKind::syntax, "the proxy's reply is no SOCKS5");
        if (octet(1) != 0) {
            auto error = refusal(octet(1));
            return end(error.kind, std::move(error.detail));
        }
        if (input_.size() < 5) return false;
        std::size_t size = 4 + 2;
        switch (octet(3)) {
            case ipv4:
                size += 4;
                break;
            case ipv6:
                size += 16;
                break;
            case domain_name:
                size += 1 + octet(4);
                break;
            default:
                return end(ErrorKind::syntax, "the proxy's reply holds an unknown kind of address");
        }
        if (input_.size() < size) return false;
        connected(size);
        return true;
    }

    bool end(ErrorKind kind, std::string detail) {
        fail(kind, std::move(detail));
        return false;
    }

    std::string request_;
    std::optional<ProxyLogin> login_;
    Awaiting awaiting_ = Awaiting::method;
};

}  // namespace

std::unique_ptr<ProxyClient> make_socks5_client(const boost::asio::ip::tcp::endpoint& target, const std::optional<ProxyLogin>& login) {
    return std::make_unique<Socks5Client>(target, login);
}

}  // namespace thurn::net
