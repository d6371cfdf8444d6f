// One request, one response head; its end is the first empty line. A response to CONNECT that succeeds has no content (RFC 9110 §9.3.6).
#include "base/ascii.h"
#include "base/base64.h"
#include "net/endpoint.h"
#include "net/proxy_client.h"

#include <algorithm>

#include <fmt/format.h>

namespace thurn::net {

namespace {

using base::ErrorKind;

constexpr std::size_t kMaxHead = 8192;
constexpr std::size_t kMaxReason = 60;
constexpr std::string_view kVersion = "HTTP/1.";

bool is_digit(char octet) { return octet >= '0' && octet <= '9'; }

/// `200` out of `HTTP/1.1 200 Connection established` (RFC 9112 §4); 0 when it is none.
int status_of(std::string_view line) {
    if (line.size() < 12 || !line.starts_with(kVersion) || !is_digit(line[7]) || line[8] != ' ') return 0;
    if (!is_digit(line[9]) || !is_digit(line[10]) || !is_digit(line[11]) || (line.size() > 12 && line[12] != ' ')) return 0;
    return (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
}

/// What people read of a reason phrase.
std::string printable_reason(std::string_view line) {
    std::string reason(line.substr(std::min<std::size_t>(line.size(), 9), kMaxReason));
    std::erase_if(reason, [](char octet) { return !base::is_ascii(octet) || !base::is_printable(octet); });
    return reason;
}

class HttpConnectClient final : public ProxyClient {
public:
    HttpConnectClient(const boost::asio::ip::tcp::endpoint& target, const std::optional<ProxyLogin>& login) : has_login_(login) {
        // RFC 7617 §2: a colon would move the border between the two, a control character might end the field.
        if (login && (login->login.contains(':') || !is_printable(login->login) || !is_printable(login->password)))
            fail(ErrorKind::invalid, "HTTP takes no control characters in login and password, and no colon in a login");
        const auto place = render_endpoint(target);
        output_ = fmt::format("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n", place);
        if (login) output_ += "Proxy-Authorization: Basic " + base::encode_base64(login->login + ":" + login->password) + "\r\n";
        output_ += "\r\n";
    }

    void receive(std::string_view octets) override {
        input_ += octets;
        while (state() == State::talking && step()) {}
    }

private:
    static bool is_printable(std::string_view text) {
        return std::ranges::all_of(text, [](char octet) { return !base::is_ascii(octet) || base::is_printable(octet); });
    }

    /// Takes one line; false when there is none.
    bool step() {
        const auto end = input_.find('\n', scanned_);
        if (end == std::string::npos) {
            scanned_ = input_.size();
            // What is no HTTP is told at once, not when it has filled the head.
            const auto shown = std::string_view(input_).substr(line_, kVersion.size());
            if (status_ == 0 && !kVersion.starts_with(shown)) fail(ErrorKind::syntax, "what answers there is no HTTP proxy");
            if (input_.size() > kMaxHead) fail(ErrorKind::too_long, "the proxy's answer is too long");
            return false;
        }
        if (end >= kMaxHead) {
            fail(ErrorKind::too_long, "the proxy's answer is too long");
            return false;
        }
        std::string_view line = std::string_view(input_).substr(line_, end - line_);
        if (line.ends_with('\r')) line.remove_suffix(1);
        line_ = scanned_ = end + 1;
        return on_line(line);
    }

    bool on_line(std::string_view line) {
        if (status_ == 0) {
            status_ = status_of(line);
            reason_ = printable_reason(line);
            if (status_ < 100 || status_ > 599) fail(ErrorKind::syntax, "what answers there is no HTTP proxy");
            return true;
        }
        if (!line.empty()) return true;
        on_head();
        return true;
    }

    void on_head() {
        if (status_ < 200) {  // not the last word, RFC 9110 §15.2
            status_ = 0;
            return;
        }
        if (status_ < 300) return connected(line_);
        // 401 is for servers (RFC 9110 §15.5.2), and some proxies say it all the same.
        if (status_ == 407 || status_ == 401)
            return fail(ErrorKind::refused, has_login_ ? "the proxy refused the login" : "the proxy wants a login");
        fail(status_ == 502 || status_ == 504 ? ErrorKind::peer_gone : ErrorKind::refused, fmt::format("the proxy answered {}", reason_));
    }

    bool has_login_;
    std::size_t line_ = 0;     // where the current line begins
    std::size_t scanned_ = 0;  // no line ends before here
    int status_ = 0;           // of the response under way, once its first line is there
    std::string reason_;
};

}  // namespace

std::unique_ptr<ProxyClient> make_http_connect_client(const boost::asio::ip::tcp::endpoint& target,
                                                      const std::optional<ProxyLogin>& login) {
    return std::make_unique<HttpConnectClient>(target, login);
}

}  // namespace thurn::net
