#include "net/stream.h"

#include "net/pieces.h"
#include "net/tls_session.h"
#include "net/watched_socket.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include <boost/asio/deferred.hpp>
#include <boost/asio/post.hpp>
#include <sys/socket.h>

namespace thurn::net {

namespace {

constexpr std::size_t kMostPieces = 64;             // of one gathered write
constexpr unsigned kMostReadsAtOnce = 16;           // then other connections of the loop have their turn
constexpr std::size_t kDiscardAtClose = 1U << 20U;  // octets

Step failed_with(int system_error) { return Step::fail(base::ErrorKind::peer_gone, std::generic_category().message(system_error)); }

Step receive(int descriptor, std::span<char> into, int flags) {
    const ssize_t got = ::recv(descriptor, into.data(), into.size(), flags);
    if (got > 0) return Step::done(static_cast<std::size_t>(got));
    if (got == 0) return Step::fail(base::ErrorKind::peer_gone, "peer closed the connection");
    if (errno == EAGAIN || errno == EINTR) return Step::wait_for(Step::Kind::want_read);
    return failed_with(errno);
}

Step send(int descriptor, const Pieces& pieces) {
    std::array<iovec, kMostPieces> vectors;
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = pieces.gather(vectors);
    const ssize_t sent = ::sendmsg(descriptor, &message, MSG_NOSIGNAL);
    if (sent >= 0) return Step::done(static_cast<std::size_t>(sent));
    if (errno == EAGAIN || errno == EINTR) return Step::wait_for(Step::Kind::want_write);
    return failed_with(errno);
}

asio::ip::tcp::endpoint internet_endpoint(const asio::generic::stream_protocol::endpoint& given) {
    asio::ip::tcp::endpoint endpoint;
    const int family = given.protocol().family();
    if ((family != AF_INET && family != AF_INET6) || given.size() > endpoint.capacity()) return endpoint;
    std::memcpy(endpoint.data(), given.data(), given.size());
    const auto address = endpoint.address();
    if (!address.is_v6() || !address.to_v6().is_v4_mapped()) return endpoint;
    return {asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()), endpoint.port()};
}

}  // namespace

/// Invariant: `tls` is set from the beginning of a handshake on; a failed one leaves the stream good for nothing but close().
struct Stream::State final : WatchedSocket {
    using WatchedSocket::WatchedSocket;

    [[nodiscard]] Step check_readable();
    [[nodiscard]] Step read(std::span<char> into);
    [[nodiscard]] Step write(const Pieces& pieces) { return tls ? tls->write(pieces) : send(descriptor(), pieces); }
    [[nodiscard]] bool input_likely() const { return last_read_was_full || (tls && tls->holds_input()); }
    [[nodiscard]] asio::awaitable<base::Result<void>> async_after(Step step, Deadline deadline);
    [[nodiscard]] asio::awaitable<base::Result<void>> async_before_read(Deadline deadline);
    void hang_up();

    // Each keeps the state alive while it waits, for the Stream may be destroyed meanwhile.
    static asio::awaitable<base::Result<void>> async_wait_readable(std::shared_ptr<State> self, Deadline deadline);
    static asio::awaitable<base::Result<std::size_t>> async_read(std::shared_ptr<State> self, std::span<char> into, Deadline deadline);
    static asio::awaitable<base::Result<std::size_t>> async_peek(std::shared_ptr<State> self, std::span<char> into, Deadline deadline);
    static asio::awaitable<base::Result<void>> async_write(std::shared_ptr<State> self, std::span<const std::string_view> list,
                                                           Deadline deadline);
    static asio::awaitable<base::Result<void>> async_write_one(std::shared_ptr<State> self, std::string_view octets, Deadline deadline);
    static asio::awaitable<base::Result<void>> async_handshake(std::shared_ptr<State> self, Deadline deadline);
    static asio::awaitable<void> async_linger(std::shared_ptr<State> self, Deadline deadline, std::size_t most);

    std::unique_ptr<TlsSession> tls;
    bool shaken = false;             // the handshake has succeeded
    bool last_read_was_full = true;  // true at first: many clients talk at once
    unsigned reads_at_once = 0;      // since the last wait
    asio::ip::tcp::endpoint peer;
    asio::ip::tcp::endpoint local;
};

Step Stream::State::check_readable() {
    if (tls) return tls->peek();
    char octet = 0;
    return receive(descriptor(), {&octet, 1}, MSG_PEEK);
}

Step Stream::State::read(std::span<char> into) {
    Step step = tls ? tls->read(into) : receive(descriptor(), into, 0);
    last_read_was_full = step.kind == Step::Kind::done && step.count == into.size();
    return step;
}

/// Waits for what the step asks for; the caller then tries again.
asio::awaitable<base::Result<void>> Stream::State::async_after(Step step, Deadline deadline) {
    if (step.kind == Step::Kind::failed) co_return std::unexpected(std::move(step.error));
    reads_at_once = 0;
    co_return co_await async_wait(step.kind == Step::Kind::want_write ? Wait::wait_write : Wait::wait_read, deadline);
}

// A read that finds nothing costs a system call, and between a reply and the next command there is nearly always nothing. So a read is
// tried at once only when there is a sign of more; otherwise it begins with the wait. That loses nothing: asio arms the descriptor anew for
// each async_wait(), which reports what has come before it. A peer that sends faster than we read would never let go of the loop, hence
// kMostReadsAtOnce.
asio::awaitable<base::Result<void>> Stream::State::async_before_read(Deadline deadline) {
    if (!input_likely()) co_return co_await async_after(Step::wait_for(Step::Kind::want_read), deadline);
    if (++reads_at_once > kMostReadsAtOnce) {
        reads_at_once = 0;
        co_await asio::post(socket().get_executor(), asio::deferred);
    }
    co_return base::Result<void>();
}

asio::awaitable<base::Result<void>> Stream::State::async_wait_readable(std::shared_ptr<State> self, Deadline deadline) {
    const bool tried = self->input_likely();
    if (auto ready = co_await self->async_before_read(deadline); !ready) co_return ready;
    // In clear the wait has said it already; under TLS what came may be no content.
    while (tried || self->tls) {
        Step step = self->check_readable();
        if (step.kind == Step::Kind::done) break;
        if (auto woken = co_await self->async_after(std::move(step), deadline); !woken) co_return woken;
    }
    self->last_read_was_full = true;
    co_return base::Result<void>();
}

asio::awaitable<base::Result<std::size_t>> Stream::State::async_read(std::shared_ptr<State> self, std::span<char> into, Deadline deadline) {
    if (auto ready = co_await self->async_before_read(deadline); !ready) co_return base::pass_on(ready);
    while (true) {
        Step step = self->read(into);
        if (step.kind == Step::Kind::done) co_return step.count;
        if (auto woken = co_await self->async_after(std::move(step), deadline); !woken) co_return base::pass_on(woken);
    }
}

asio::awaitable<base::Result<std::size_t>> Stream::State::async_peek(std::shared_ptr<State> self, std::span<char> into, Deadline deadline) {
    while (true) {
        Step step = receive(self->descriptor(), into, MSG_PEEK);
        if (step.kind == Step::Kind::done) co_return step.count;
        if (auto woken = co_await self->async_after(std::move(step), deadline); !woken) co_return base::pass_on(woken);
    }
}

asio::awaitable<base::Result<void>> Stream::State::async_write(std::shared_ptr<State> self, std::span<const std::string_view> list,
                                                               Deadline deadline) {
    Pieces pieces(list);
    while (!pieces.empty()) {
        Step step = self->write(pieces);
        if (step.kind == Step::Kind::done) {
            pieces.advance(step.count);
        } else if (auto woken = co_await self->async_after(std::move(step), deadline); !woken) {
            co_return woken;
        }
    }
    co_return base::Result<void>();
}

asio::awaitable<base::Result<void>> Stream::State::async_write_one(std::shared_ptr<State> self, std::string_view octets,
                                                                   Deadline deadline) {
    co_return co_await async_write(std::move(self), {&octets, 1}, deadline);
}

asio::awaitable<base::Result<void>> Stream::State::async_handshake(std::shared_ptr<State> self, Deadline deadline) {
    while (true) {
        if (!self->tls) co_return base::fail(base::ErrorKind::peer_gone, "connection was closed here");
        Step step = self->tls->shake_hands();
        if (step.kind == Step::Kind::done) break;
        if (auto woken = co_await self->async_after(std::move(step), deadline); !woken) co_return woken;
    }
    self->shaken = true;
    co_return base::Result<void>();
}

// Closing with octets unread makes the kernel send a reset, which may overtake our last reply. What has come already is therefore
// discarded.
void Stream::State::hang_up() {
    if (closed()) return;
    if (tls) tls->say_goodbye();
    ::recv(descriptor(), nullptr, kDiscardAtClose, MSG_TRUNC | MSG_DONTWAIT);  // tcp(7): MSG_TRUNC discards without copying
    tls.reset();
    close();
}

// The octets are TLS records or not: nobody reads them any more. A small block, since a local socket knows no MSG_TRUNC.
asio::awaitable<void> Stream::State::async_linger(std::shared_ptr<State> self, Deadline deadline, std::size_t most) {
    if (self->closed()) co_return;
    if (self->tls) self->tls->say_goodbye();
    ::shutdown(self->descriptor(), SHUT_WR);
    std::array<char, 4096> block;
    for (std::size_t discarded = 0; discarded <= most;) {
        Step step = receive(self->descriptor(), block, 0);
        if (step.kind == Step::Kind::done) {
            discarded += step.count;
        } else if (!co_await self->async_after(std::move(step), deadline)) {
            break;
        }
    }
    self->tls.reset();
    self->close();
}

Stream::Stream(asio::generic::stream_protocol::socket socket) : state_(std::make_shared<State>(std::move(socket))) {
    boost::system::error_code ignored;  // a peer that has gone already shows at the first read
    state_->socket().set_option(asio::ip::tcp::no_delay(true), ignored);
    state_->socket().non_blocking(true, ignored);
    state_->peer = internet_endpoint(state_->socket().remote_endpoint(ignored));
    state_->local = internet_endpoint(state_->socket().local_endpoint(ignored));
}

Stream::~Stream() {
    if (state_) state_->hang_up();
}

Stream::Stream(Stream&&) noexcept = default;

asio::awaitable<base::Result<void>> Stream::async_wait_readable(Deadline deadline) { return State::async_wait_readable(state_, deadline); }

asio::awaitable<base::Result<std::size_t>> Stream::async_read(std::span<char> into, Deadline deadline) {
    return State::async_read(state_, into, deadline);
}

base::Result<std::size_t> Stream::try_read(std::span<char> into) {
    Step step = state_->read(into);
    if (step.kind == Step::Kind::done) return step.count;
    if (step.kind == Step::Kind::failed) return std::unexpected(std::move(step.error));
    return base::fail(base::ErrorKind::timed_out, "nothing is there");
}

asio::awaitable<base::Result<std::size_t>> Stream::async_peek(std::span<char> into, Deadline deadline) {
    return State::async_peek(state_, into, deadline);
}

asio::awaitable<base::Result<void>> Stream::async_write(std::string_view octets, Deadline deadline) {
    return State::async_write_one(state_, octets, deadline);
}

asio::awaitable<base::Result<void>> Stream::async_write(std::span<const std::string_view> pieces, Deadline deadline) {
    return State::async_write(state_, pieces, deadline);
}

asio::awaitable<base::Result<void>> Stream::async_accept_tls(std::shared_ptr<const TlsContext> context, Deadline deadline,
                                                             ClientCertificate client) {
    const auto state = state_;
    auto session = TlsSession::for_server(std::move(context), state->descriptor(), state->local.port(), client);
    if (!session) co_return base::pass_on(session);
    state->tls = *std::move(session);
    co_return co_await State::async_handshake(state, deadline);
}

asio::awaitable<base::Result<void>> Stream::async_connect_tls(std::shared_ptr<const TlsContext> context, std::string name,
                                                              Deadline deadline) {
    const auto state = state_;
    auto session = TlsSession::for_client(std::move(context), state->descriptor(), std::move(name), state->peer.port());
    if (!session) co_return base::pass_on(session);
    state->tls = *std::move(session);
    co_return co_await State::async_handshake(state, deadline);
}

asio::awaitable<void> Stream::async_hang_up(Deadline deadline, std::size_t most) { return State::async_linger(state_, deadline, most); }

void Stream::close() { state_->hang_up(); }

void Stream::cancel() { state_->cancel(); }

bool Stream::tls_active() const { return state_->shaken && state_->tls; }

std::optional<TlsFacts> Stream::tls_facts() const {
    if (!tls_active()) return std::nullopt;
    return state_->tls->facts();
}

TlsBindings Stream::tls_bindings() const { return tls_active() ? state_->tls->bindings() : TlsBindings{}; }

const asio::ip::tcp::endpoint& Stream::peer() const { return state_->peer; }

const asio::ip::tcp::endpoint& Stream::local() const { return state_->local; }

asio::any_io_executor Stream::executor() { return state_->socket().get_executor(); }

}  // namespace thurn::net
