#include "delivery/connection.h"

#include "net/proxy_header_v2_render.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace thurn::delivery {

namespace asio = boost::asio;
using smtp::ClientFailed;

namespace {

constexpr std::size_t kPiece = std::size_t{256} << 10;  // of content, in one write
constexpr std::chrono::milliseconds kLastWords{1000};   // how long a reply may take that explains a failed write
constexpr std::chrono::milliseconds kQuitLimit{1000};

smtp::StartTls starttls_for(const ConnectionOptions& options) {
    if (options.implicit_tls || options.tls == route::TlsDemand::none) return smtp::StartTls::never;
    return options.tls == route::TlsDemand::may ? options.session.starttls : smtp::StartTls::must;
}

smtp::ClientOptions session_options(const ConnectionOptions& options) {
    smtp::ClientOptions session = options.session;
    session.starttls = starttls_for(options);
    session.tls_active = options.implicit_tls;
    return session;
}

base::Result<std::string> read_piece(const spool::Content& content, std::uint64_t offset) {
    std::string piece;
    base::Result<std::size_t> count = 0U;
    piece.resize_and_overwrite(std::min<std::uint64_t>(kPiece, content.size().count - offset), [&](char* into, std::size_t size) {
        count = content.read(offset, {into, size});
        return count.value_or(0);
    });
    if (!count) return base::pass_on(count);
    if (piece.empty()) return base::fail(base::ErrorKind::corrupt, "content ends early");
    return piece;
}

}  // namespace

asio::ip::address ip_address_of(const route::Address& address) {
    if (const auto* v4 = std::get_if<dns::Ipv4>(&address)) return asio::ip::address_v4(v4->octets);
    return asio::ip::address_v6(std::get<dns::Ipv6>(address).octets);
}

asio::ip::tcp::endpoint endpoint_of(const route::HostAddress& host) { return {ip_address_of(host.address), host.port}; }

std::string render_host(const route::HostAddress& host) {
    if (!host.socket.empty()) return host.socket;
    return fmt::format("{} [{}]:{}", host.host, endpoint_of(host).address().to_string(), host.port);
}

Connection::Connection(ConnectionOptions options, net::Stream stream)
    : options_(std::move(options)), name_(render_host(options_.host)), stream_(std::move(stream)), session_(session_options(options_)) {}

asio::awaitable<base::Result<net::Tunnel>> Connection::async_dial(const ConnectionOptions& options) {
    const auto deadline = net::within(options.connect_timeout);
    const auto endpoint = endpoint_of(options.host);
    if (options.proxy) {
        auto proxy = *options.proxy;
        auto sources = options.sources;
        co_return co_await net::async_connect_through(std::move(proxy), endpoint, std::move(sources), deadline);
    }
    auto stream = options.host.socket.empty() ? co_await net::async_connect(endpoint, net::source_for(options.sources, endpoint), deadline)
                                              : co_await net::async_connect_local(options.host.socket, deadline);
    if (!stream) co_return base::pass_on(stream);
    co_return net::Tunnel{.stream = *std::move(stream)};
}

asio::awaitable<Connection::Outcome<std::unique_ptr<Connection>>> Connection::async_open(ConnectionOptions options) {
    auto tunnel = co_await async_dial(options);
    if (!tunnel) co_return std::unexpected(Failure{Stage::connecting, std::move(tunnel).error(), std::nullopt});
    co_return co_await async_begin(std::move(options), *std::move(tunnel));
}

asio::awaitable<Connection::Outcome<std::unique_ptr<Connection>>> Connection::async_begin(ConnectionOptions options, net::Tunnel tunnel) {
    auto connection = std::make_unique<Connection>(std::move(options), std::move(tunnel.stream));
    if (auto failed = co_await connection->async_introduce(std::move(tunnel.early))) co_return std::unexpected(*std::move(failed));
    if (connection->options_.implicit_tls) {
        if (auto failed = co_await connection->async_secure()) co_return std::unexpected(*std::move(failed));
    }
    if (auto failed = co_await connection->async_greet()) co_return std::unexpected(*std::move(failed));
    co_return connection;
}

/// What comes before SMTP. `early`: what the host has said already, which under implicit TLS cannot have been the host.
asio::awaitable<Connection::Failed> Connection::async_introduce(std::string early) {
    if (options_.proxy_header == route::ProxyHeader::v2) {
        const auto header = net::render_proxy_header_v2(stream_.local(), stream_.peer());
        auto written = co_await stream_.async_write(header, net::within(options_.connect_timeout));
        if (!written) co_return Failure{Stage::connecting, std::move(written).error(), std::nullopt};
    }
    if (!early.empty() && options_.implicit_tls)
        co_return Failure{Stage::securing, {base::ErrorKind::syntax, "octets in clear before TLS"}, std::nullopt};
    session_.receive(early);
    co_return std::nullopt;
}

asio::awaitable<Connection::Failed> Connection::async_greet() {
    while (true) {
        auto event = co_await async_event();
        if (std::holds_alternative<smtp::Ready>(event)) co_return std::nullopt;
        if (auto* failed = std::get_if<ClientFailed>(&event)) co_return failure_of(std::move(*failed));
        if (!std::holds_alternative<smtp::ClientTlsWanted>(event)) continue;
        if (auto failed = co_await async_secure()) co_return failed;
        session_.tls_started();
        stage_ = Stage::securing;  // until Ready: a broken TLS often shows only in the first exchange under it
    }
}

asio::awaitable<Connection::Failed> Connection::async_secure() {
    auto shaken = co_await stream_.async_connect_tls(options_.tls_context, options_.host.host, net::within(options_.connect_timeout));
    if (!shaken) co_return Failure{Stage::securing, std::move(shaken).error(), std::nullopt};
    const auto facts = stream_.tls_facts();
    if (!facts) co_return Failure{Stage::securing, {base::ErrorKind::refused, "TLS did not begin"}, std::nullopt};
    // The context refuses such a peer already; were it ever handed over wrongly, mail must still not go to a stranger.
    if (options_.tls == route::TlsDemand::verify && !facts->verified)
        co_return Failure{Stage::securing, {base::ErrorKind::refused, "certificate is not verified"}, std::nullopt};
    tls_ = fmt::format("{} with {}{}", facts->version, facts->cipher, facts->verified ? ", certificate verified" : "");
    auto bindings = stream_.tls_bindings();
    session_.bind_channel({.exporter = std::move(bindings.exporter), .server_end_point = std::move(bindings.server_end_point)});
    co_return std::nullopt;
}

asio::awaitable<Connection::Outcome<Connection::HandedOver>> Connection::async_hand_over(smtp::Transaction transaction,
                                                                                         std::shared_ptr<const spool::Content> content,
                                                                                         InDoubtMark& mark, net::BlockingPool& pool) {
    stage_ = Stage::envelope;
    session_.begin(std::move(transaction));
    mark.start();
    auto event = co_await async_event();
    if (std::holds_alternative<smtp::ContentWanted>(event)) {
        stage_ = Stage::content;
        if (auto failed = co_await async_send_content(std::move(content), mark, pool)) co_return std::unexpected(*std::move(failed));
        event = co_await async_event();
    }
    co_return conclude(std::move(event));
}

asio::awaitable<Connection::Outcome<Connection::Answered>> Connection::async_ask(mail::Mailbox recipient) {
    stage_ = Stage::envelope;
    smtp::Transaction question{.sender = {}, .recipients = {}, .parameters = {}, .purpose = smtp::Transaction::Purpose::ask};
    question.recipients.push_back({.mailbox = std::move(recipient)});
    session_.begin(std::move(question));
    auto event = co_await async_event();
    if (auto* failed = std::get_if<ClientFailed>(&event)) co_return std::unexpected(failure_of(std::move(*failed)));
    auto* ended = std::get_if<smtp::TransactionEnded>(&event);
    if (!ended) co_return std::unexpected(Failure{stage_, {base::ErrorKind::invalid, "conversation out of order"}, std::nullopt});
    co_return Answered{.reply = std::move(ended->replies.front()), .of_sender = ended->sender_refused};
}

Connection::Outcome<Connection::HandedOver> Connection::conclude(smtp::ClientEvent event) {
    auto* ended = std::get_if<smtp::TransactionEnded>(&event);
    if (!ended) {
        auto* failed = std::get_if<ClientFailed>(&event);
        if (failed) return std::unexpected(failure_of(std::move(*failed)));
        return std::unexpected(Failure{stage_, {base::ErrorKind::invalid, "conversation out of order"}, std::nullopt});
    }
    // Whoever says 250 before the dot has left cannot mean our message.
    if (stage_ != Stage::ending && std::ranges::any_of(ended->replies, &smtp::Reply::positive))
        return std::unexpected(Failure{stage_, {base::ErrorKind::syntax, "success before the end of the content"}, std::nullopt});
    HandedOver handed{.replies = std::move(ended->replies), .unanswered = std::move(ended->unanswered)};
    if (session_.ready()) {
        ++messages_;
    } else {
        auto last = session_.next_event();
        auto* failed = last ? std::get_if<ClientFailed>(&*last) : nullptr;
        handed.ended = failure_of(failed ? std::move(*failed) : ClientFailed{{base::ErrorKind::peer_gone, "the connection ended"}, {}});
    }
    return handed;
}

asio::awaitable<Connection::Failed> Connection::async_send_content(std::shared_ptr<const spool::Content> content, InDoubtMark& mark,
                                                                   net::BlockingPool& pool) {
    const auto whole = content->in_memory();
    const std::uint64_t size = whole ? whole->size() : content->size().count;
    std::uint64_t offset = 0;
    do {
        std::string from_disk;
        std::string_view piece = whole ? whole->substr(offset, kPiece) : std::string_view();
        if (!whole && size > 0) {
            auto work = [content, offset] { return read_piece(*content, offset); };
            auto read = co_await pool.async_run(std::move(work));
            // Without its end the content must not be ended: closing the connection is the only way out (RFC 5321 §4.1.1.4).
            if (!read) co_return Failure{Stage::content, std::move(read).error(), std::nullopt};
            from_disk = *std::move(read);
            piece = from_disk;
        }
        offset += piece.size();
        session_.content(piece);
        if (offset < size) static_cast<void>(co_await async_flush());
        if (!broken_) co_await async_hear_of_chunk();
    } while (offset < size && !broken_ && session_.wants_content());
    if (broken_) co_return std::nullopt;  // the session tells why
    co_await mark.async_wait();
    session_.content_end();
    // The dot is the last octet of what is left: while that has not gone whole, the host cannot have seen it.
    if (co_await async_flush()) stage_ = Stage::ending;
    co_return std::nullopt;
}

/// What is given sooner than the host may hear it would fill our memory.
asio::awaitable<void> Connection::async_hear_of_chunk() {
    if (session_.awaits_chunk_reply()) static_cast<void>(co_await async_flush());
    std::optional<net::Deadline> deadline;
    while (!broken_ && session_.awaits_chunk_reply()) {
        if (!deadline) deadline = net::within(session_.time_limit());
        if (co_await async_receive(*deadline) == Received::line) deadline.reset();
    }
}

asio::awaitable<void> Connection::async_quit() {
    if (broken_ || session_.closed()) co_return;
    session_.quit();
    const std::string octets = session_.take_output();
    static_cast<void>(co_await stream_.async_write(octets, net::within(kQuitLimit)));
}

asio::awaitable<smtp::ClientEvent> Connection::async_event() {
    std::optional<net::Deadline> deadline;
    while (true) {
        if (auto event = session_.next_event()) co_return *std::move(event);
        if (broken_) co_return ClientFailed{*broken_, std::nullopt};
        if (session_.has_output()) {
            if (auto flushed = co_await async_flush(); !flushed) continue;
            deadline.reset();
        }
        if (!deadline) deadline = net::within(session_.time_limit());  // behind next_event(): which reply is next is known there
        // A whole line is worth more time, an octet is not: else a host could keep us for ever with one now and then.
        if (co_await async_receive(*deadline) == Received::line) deadline.reset();
    }
}

asio::awaitable<base::Result<void>> Connection::async_flush() {
    const std::string octets = session_.take_output();
    auto written = co_await stream_.async_write(octets, net::within(session_.time_limit()));
    if (written) co_return written;
    // A peer that will not take what we send may have said why.
    const auto count = co_await stream_.async_read(input_, net::within(kLastWords));
    if (count) session_.receive({input_.data(), *count});
    tell_session(written.error());
    co_return written;
}

asio::awaitable<Connection::Received> Connection::async_receive(net::Deadline deadline) {
    const auto count = co_await stream_.async_read(input_, deadline);
    if (!count) {
        tell_session(count.error());
        co_return Received::nothing;
    }
    const std::string_view octets(input_.data(), *count);
    session_.receive(octets);
    co_return octets.contains('\n') ? Received::line : Received::octets;
}

void Connection::tell_session(const base::Error& error) {
    broken_ = error;
    if (error.kind == base::ErrorKind::timed_out)
        session_.timed_out();
    else
        session_.peer_closed();
}

Failure Connection::failure_of(ClientFailed failed) const {
    Failure failure{stage_, broken_ ? *broken_ : std::move(failed.error), std::move(failed.reply)};
    // Behind EHLO a session that must have TLS has nothing to be refused but STARTTLS.
    const bool needs_tls = options_.tls != route::TlsDemand::may && options_.tls != route::TlsDemand::none && tls_.empty();
    if (stage_ == Stage::opening && failure.error.kind == base::ErrorKind::refused && needs_tls && extensions().extended)
        failure.stage = Stage::securing;
    return failure;
}

}  // namespace thurn::delivery
