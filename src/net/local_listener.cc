#include "net/local_listener.h"

#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace thurn::net {

namespace asio = boost::asio;
using Local = asio::local::stream_protocol;

namespace {

constexpr auto kRest = std::chrono::milliseconds(100);
constexpr auto kLogEvery = std::chrono::seconds(10);

std::unexpected<base::Error> cannot_listen(const std::string& path, std::string_view why) {
    return base::fail(base::ErrorKind::refused, fmt::format("cannot listen on {}: {}", path, why));
}

std::unexpected<base::Error> cannot_listen(const std::string& path, int system_error) {
    return cannot_listen(path, std::generic_category().message(system_error));
}

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    return address;
}

int local_socket() { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }

/// A server that was killed leaves its socket behind.
base::Result<void> clear_way(const std::string& path) {
    struct stat found{};
    if (::lstat(path.c_str(), &found) != 0) return {};
    if (!S_ISSOCK(found.st_mode)) return cannot_listen(path, "there is a file that is no socket");
    const int probe = local_socket();
    if (probe < 0) return cannot_listen(path, errno);
    const auto address = address_of(path);
    const bool dead = ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 && errno == ECONNREFUSED;
    ::close(probe);
    if (!dead) return cannot_listen(path, "another process listens there");
    if (::unlink(path.c_str()) != 0) return cannot_listen(path, errno);
    return {};
}

/// The socket's own mode limits that of the path bind() makes, so that nobody slips in before the chmod().
bool prepare(int descriptor, const LocalListenerOptions& options) {
    const auto address = address_of(options.path);
    return ::fchmod(descriptor, 0600) == 0 && ::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
           ::chmod(options.path.c_str(), options.mode) == 0 && ::listen(descriptor, options.backlog) == 0;
}

}  // namespace

class LocalListener::State : public std::enable_shared_from_this<State> {
public:
    State(asio::io_context& loop, int descriptor, std::string path, base::Log& log)
        : loop_(loop), acceptor_(loop, Local(), descriptor), rest_(loop), path_(std::move(path)), log_(log) {}

    void start(Handler handler) {
        handler_ = std::move(handler);
        wait();
    }
    void close();
    [[nodiscard]] asio::io_context& loop() { return loop_; }

private:
    void wait();
    void take(const boost::system::error_code& ec, Local::socket connection);
    void rest(const boost::system::error_code& ec);

    asio::io_context& loop_;
    Local::acceptor acceptor_;
    asio::steady_timer rest_;
    std::string path_;
    base::Log& log_;
    Handler handler_;
    std::chrono::steady_clock::time_point logged_{};
};

void LocalListener::State::close() {
    if (!acceptor_.is_open()) return;
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    rest_.cancel();
    ::unlink(path_.c_str());  // may fail after privileges were dropped; the next start replaces it
}

void LocalListener::State::wait() {
    if (!acceptor_.is_open()) return;
    acceptor_.async_accept([self = shared_from_this()](const boost::system::error_code& ec, Local::socket connection) {
        self->take(ec, std::move(connection));
    });
}

void LocalListener::State::take(const boost::system::error_code& ec, Local::socket connection) {
    if (!acceptor_.is_open()) return;
    if (ec && ec != asio::error::connection_aborted) return rest(ec);
    if (!ec) handler_(std::move(connection));
    wait();
}

void LocalListener::State::rest(const boost::system::error_code& ec) {
    const auto now = std::chrono::steady_clock::now();
    if (now - logged_ >= kLogEvery) log_.error("accept_failed", {{"listener", path_}, {"reason", ec.message()}});
    logged_ = now - logged_ >= kLogEvery ? now : logged_;
    rest_.expires_after(kRest);
    rest_.async_wait([self = shared_from_this()](const boost::system::error_code& cancelled) {
        if (!cancelled) self->wait();
    });
}

base::Result<LocalListener> LocalListener::bind(asio::io_context& loop, const LocalListenerOptions& options, base::Log& log) {
    if (options.path.size() > kMostSocketPath) return cannot_listen(options.path, "the path is too long for a socket");
    if (auto clear = clear_way(options.path); !clear) return base::pass_on(clear);
    const int descriptor = local_socket();
    if (descriptor < 0) return cannot_listen(options.path, errno);
    if (!prepare(descriptor, options)) {
        const auto failure = cannot_listen(options.path, errno);
        ::close(descriptor);
        return failure;
    }
    return LocalListener(std::make_shared<State>(loop, descriptor, options.path, log));
}

LocalListener::LocalListener(std::shared_ptr<State> state) : state_(std::move(state)) {}
LocalListener::LocalListener(LocalListener&&) noexcept = default;

LocalListener::~LocalListener() {
    if (state_) close();
}

void LocalListener::start(Handler handler) {
    asio::dispatch(state_->loop(), [state = state_, handler = std::move(handler)]() mutable { state->start(std::move(handler)); });
}

void LocalListener::close() {
    asio::dispatch(state_->loop(), [state = state_] { state->close(); });
}

}  // namespace thurn::net
