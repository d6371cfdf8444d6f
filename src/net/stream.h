#pragma once

#include "base/result.h"
#include "net/tls.h"

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace thurn::net {

namespace asio = boost::asio;
using Deadline = std::chrono::steady_clock::time_point;
[[nodiscard]] inline Deadline within(std::chrono::milliseconds time) { return std::chrono::steady_clock::now() + time; }

/// A connected socket, TCP or local, in clear or under TLS, with a limit on every wait.
///
/// TLS      OpenSSL works on the descriptor itself, with SSL_MODE_RELEASE_BUFFERS. The end of TLS is the end of the connection:
///          close_notify reads as peer_gone.
/// Memory   Under 1 KiB without TLS when idle; no buffer of its own.
/// Waits    One at a time: a reader and a writer at once are not supported.
/// Errors   `timed_out` once the deadline has passed; `peer_gone` on close, reset or a broken TLS record; `refused`: the peer's certificate
///          is not trusted; `stopping` after cancel(). After an error other than `stopping` and a read's `timed_out` the stream is only
///          good to be closed.
/// Threads  The loop it was made on. It may be moved and destroyed while something waits on it, which then wakes with `peer_gone`.
class Stream {
public:
    explicit Stream(asio::generic::stream_protocol::socket socket);  // takes tcp::socket, too; sets TCP_NODELAY and non-blocking
    ~Stream();                                                       // closes
    Stream(Stream&&) noexcept;
    Stream& operator=(Stream&&) = delete;

    /// Suspends until something can be read, be it the peer's end, without holding a buffer: what an idle connection should wait in.
    [[nodiscard]] asio::awaitable<base::Result<void>> async_wait_readable(Deadline deadline);
    /// Reads at least one octet. Tries at once before it waits.
    [[nodiscard]] asio::awaitable<base::Result<std::size_t>> async_read(std::span<char> into, Deadline deadline);
    /// Reads what is there, without a wait. Under TLS, what is there of content.
    /// Errors   `timed_out`: nothing is.
    [[nodiscard]] base::Result<std::size_t> try_read(std::span<char> into);
    /// Reads at least one octet and leaves what it read to be read again: for what comes before TLS in the same packet. Precondition: no TLS.
    [[nodiscard]] asio::awaitable<base::Result<std::size_t>> async_peek(std::span<char> into, Deadline deadline);
    /// Writes all of it; the pieces leave in one gathered write where they can.
    [[nodiscard]] asio::awaitable<base::Result<void>> async_write(std::string_view octets, Deadline deadline);
    [[nodiscard]] asio::awaitable<base::Result<void>> async_write(std::span<const std::string_view> pieces, Deadline deadline);

    [[nodiscard]] asio::awaitable<base::Result<void>> async_accept_tls(std::shared_ptr<const TlsContext> context, Deadline deadline,
                                                                       ClientCertificate client = ClientCertificate::ignored);
    /// `name`: for SNI, and for verification when the context asks for it.
    [[nodiscard]] asio::awaitable<base::Result<void>> async_connect_tls(std::shared_ptr<const TlsContext> context, std::string name,
                                                                        Deadline deadline);

    /// Ends what we say (close_notify, FIN), throws away what the peer still says until it ends too, the deadline passes or more than `most`
    /// octets came, and closes. A plain close() while the peer is sending has the kernel send a reset, which may cost the peer our last
    /// words (RFC 1122 §4.2.2.13; the lingering close of RFC 9112 §9.6).
    [[nodiscard]] asio::awaitable<void> async_hang_up(Deadline deadline, std::size_t most);
    /// Sends close_notify if it can at once, and closes. What waits on the stream wakes with `peer_gone`.
    void close();
    /// Wakes what waits now with `stopping`; does nothing to later waits. From the stream's own loop.
    void cancel();

    [[nodiscard]] bool tls_active() const;
    [[nodiscard]] std::optional<TlsFacts> tls_facts() const;
    [[nodiscard]] TlsBindings tls_bindings() const;  // empty without TLS
    /// Of a local socket: 0.0.0.0:0, as local() is.
    [[nodiscard]] const asio::ip::tcp::endpoint& peer() const;
    [[nodiscard]] const asio::ip::tcp::endpoint& local() const;
    [[nodiscard]] asio::any_io_executor executor();

private:
    struct State;
    std::shared_ptr<State> state_;  // shared with what waits on the stream, so that it may be destroyed meanwhile
};

/// Connects, or says why not. `source`: the local address to use, if one is given.
/// Errors  `refused`: the peer or the system said no; `timed_out`; `full`: no descriptors left; `peer_gone`: no way there; `stopping`.
///         `detail` names the endpoint.
[[nodiscard]] asio::awaitable<base::Result<Stream>> async_connect(asio::ip::tcp::endpoint to, std::optional<asio::ip::address> source,
                                                                  Deadline deadline);

/// Connects to a socket of this machine by its path, of at most 107 octets. One whose queue is full is tried again until the deadline.
/// Errors   As above.
[[nodiscard]] asio::awaitable<base::Result<Stream>> async_connect_local(std::string path, Deadline deadline);

}  // namespace thurn::net
