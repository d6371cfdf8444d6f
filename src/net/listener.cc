#include "net/listener.h"

#include "net/endpoint.h"

#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace thurn::net {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr int kBatch = 64;  // connections taken before others of the loop have their turn
constexpr auto kRest = std::chrono::milliseconds(100);
constexpr auto kLogEvery = std::chrono::seconds(10);

/// A connection that was lost before we took it is the peer's matter; accept(2) reports network errors of the new socket too.
bool is_peers_matter(int system_error) {
    switch (system_error) {
        case ECONNABORTED:
        case EINTR:
        case EPROTO:
        case EPERM:
        case ENETDOWN:
        case ENETUNREACH:
        case EHOSTDOWN:
        case EHOSTUNREACH:
        case ENOPROTOOPT:
        case EOPNOTSUPP:
            return true;
        default:
            return false;
    }
}

std::string lower_first(std::string text) {
    if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z') text[0] = static_cast<char>(text[0] + ('a' - 'A'));
    return text;
}

std::unexpected<base::Error> cannot_listen(const tcp::endpoint& endpoint, int system_error) {
    return base::fail(base::ErrorKind::refused, fmt::format("cannot listen on {}: {}", render_endpoint(endpoint),
                                                            lower_first(std::generic_category().message(system_error))));
}

bool turn_on(int descriptor, int level, int option) {
    const int on = 1;
    return ::setsockopt(descriptor, level, option, &on, sizeof on) == 0;
}

bool prepare(int descriptor, const ListenerOptions& options) {
    const auto& endpoint = options.endpoint;
    if (!turn_on(descriptor, SOL_SOCKET, SO_REUSEADDR)) return false;
    if (options.sharing == ListenerOptions::Sharing::among_loops && !turn_on(descriptor, SOL_SOCKET, SO_REUSEPORT)) return false;
    if (endpoint.address().is_v6() && !turn_on(descriptor, IPPROTO_IPV6, IPV6_V6ONLY)) return false;
    return ::bind(descriptor, endpoint.data(), static_cast<socklen_t>(endpoint.size())) == 0 && ::listen(descriptor, options.backlog) == 0;
}

bool is_stream_socket(int descriptor) {
    int type = 0;
    socklen_t size = sizeof type;
    return ::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

}  // namespace

class Listener::State : public std::enable_shared_from_this<State> {
public:
    State(asio::io_context& loop, tcp::acceptor acceptor, base::Log& log)
        : loop_(loop), acceptor_(std::move(acceptor)), rest_(loop), log_(log) {}

    void start(Handler handler);
    void close();
    [[nodiscard]] tcp::endpoint endpoint() const { return endpoint_; }
    [[nodiscard]] asio::io_context& loop() { return loop_; }

private:
    void wait();
    void accept_batch();
    [[nodiscard]] bool accept_one();
    void rest(int system_error);

    asio::io_context& loop_;
    tcp::acceptor acceptor_;
    asio::steady_timer rest_;
    base::Log& log_;
    Handler handler_;
    tcp::endpoint endpoint_ = acceptor_.local_endpoint();
    std::chrono::steady_clock::time_point logged_{};
    std::int64_t troubles_ = 0;
};

void Listener::State::start(Handler handler) {
    handler_ = std::move(handler);
    wait();
}

void Listener::State::close() {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    rest_.cancel();
}

void Listener::State::wait() {
    if (!acceptor_.is_open()) return;
    acceptor_.async_wait(tcp::acceptor::wait_read, [self = shared_from_this()](const boost::system::error_code& ec) {
        if (!ec) self->accept_batch();
    });
}

void Listener::State::accept_batch() {
    for (int taken = 0; taken < kBatch && acceptor_.is_open(); ++taken) {
        if (accept_one()) continue;
        const int why = errno;
        if (why == EAGAIN) break;
        if (!is_peers_matter(why)) return rest(why);
    }
    wait();
}

/// False with errno set when there was none.
bool Listener::State::accept_one() {
    const int descriptor = ::accept4(acceptor_.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) return false;
    tcp::socket connection(loop_);
    boost::system::error_code ec;
    connection.assign(endpoint_.protocol(), descriptor, ec);
    if (ec) {
        ::close(descriptor);
        errno = ec.value();  // ENOSPC, ENOMEM: no more can be watched
        return false;
    }
    handler_(std::move(connection));
    return true;
}

void Listener::State::rest(int system_error) {
    ++troubles_;
    const auto now = std::chrono::steady_clock::now();
    if (now - logged_ >= kLogEvery) {
        log_.error(
            "accept_failed",
            {{"listener", render_endpoint(endpoint_)}, {"reason", std::generic_category().message(system_error)}, {"times", troubles_}});
        logged_ = now;
        troubles_ = 0;
    }
    rest_.expires_after(kRest);
    rest_.async_wait([self = shared_from_this()](const boost::system::error_code& ec) {
        if (!ec) self->wait();
    });
}

base::Result<Listener> Listener::bind(asio::io_context& loop, const ListenerOptions& options, base::Log& log) {
    const auto protocol = options.endpoint.protocol();
    const int descriptor = ::socket(protocol.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (descriptor < 0) return cannot_listen(options.endpoint, errno);
    if (!prepare(descriptor, options)) {
        const auto failure = cannot_listen(options.endpoint, errno);
        ::close(descriptor);
        return failure;
    }
    return Listener(std::make_shared<State>(loop, tcp::acceptor(loop, protocol, descriptor), log));
}

base::Result<Listener> Listener::adopt(asio::io_context& loop, int descriptor, base::Log& log) {
    tcp::endpoint endpoint;
    auto size = static_cast<socklen_t>(endpoint.capacity());
    const bool usable = is_stream_socket(descriptor) && ::getsockname(descriptor, endpoint.data(), &size) == 0 &&
                        (endpoint.data()->sa_family == AF_INET || endpoint.data()->sa_family == AF_INET6);
    if (!usable) return base::fail(base::ErrorKind::invalid, fmt::format("descriptor {} is no TCP socket", descriptor));
    if (::listen(descriptor, ListenerOptions{}.backlog) != 0) return cannot_listen(endpoint, errno);
    tcp::acceptor acceptor(loop, endpoint.data()->sa_family == AF_INET6 ? tcp::v6() : tcp::v4(), descriptor);
    acceptor.native_non_blocking(true);
    return Listener(std::make_shared<State>(loop, std::move(acceptor), log));
}

Listener::Listener(std::shared_ptr<State> state) : state_(std::move(state)) {}
Listener::Listener(Listener&&) noexcept = default;

Listener& Listener::operator=(Listener&& other) noexcept {
    if (state_) close();
    state_ = std::move(other.state_);
    return *this;
}

Listener::~Listener() {
    if (state_) close();
}

void Listener::start(Handler handler) {
    asio::dispatch(state_->loop(), [state = state_, handler = std::move(handler)]() mutable { state->start(std::move(handler)); });
}

void Listener::close() {
    asio::dispatch(state_->loop(), [state = state_] { state->close(); });
}

tcp::endpoint Listener::endpoint() const { return state_->endpoint(); }

}  // namespace thurn::net
