#pragma once

#include "base/octets.h"
#include "delivery/failure.h"
#include "delivery/in_doubt_mark.h"
#include "net/loops.h"
#include "net/proxy_out.h"
#include "net/stream.h"
#include "net/tls.h"
#include "route/hosts.h"
#include "route/next_hop.h"
#include "smtp/client_session.h"
#include "spool/message.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

namespace thurn::delivery {

/// `session.starttls` and `session.tls_active` follow from `tls` and `implicit_tls`, except that StartTls::never is kept.
struct ConnectionOptions {
    route::HostAddress host;
    route::TlsDemand tls = route::TlsDemand::may;
    bool implicit_tls = false;
    std::shared_ptr<const net::TlsContext> tls_context;
    std::chrono::milliseconds connect_timeout{30000};            // for the TLS handshake once more
    std::vector<boost::asio::ip::address> sources = {};          // to connect from, at most one of each family
    std::shared_ptr<const net::ProxyOut> proxy = {};             // null: straight
    route::ProxyHeader proxy_header = route::ProxyHeader::none;  // what the connection begins with
    smtp::ClientOptions session;
};

/// `mx1.example [192.0.2.1]:25`, or the path of a local socket
[[nodiscard]] std::string render_host(const route::HostAddress& host);
[[nodiscard]] boost::asio::ip::tcp::endpoint endpoint_of(const route::HostAddress& host);
[[nodiscard]] boost::asio::ip::address ip_address_of(const route::Address& address);

/// One connection to an SMTP server: net::Stream and smtp::ClientSession, joined.
///
/// Threads  The loop it was opened on; one call at a time.
class Connection {
public:
    template <class Value>
    using Outcome = std::expected<Value, Failure>;

    /// Connects: straight, through a proxy, or to a local socket.
    [[nodiscard]] static boost::asio::awaitable<base::Result<net::Tunnel>> async_dial(const ConnectionOptions& options);
    /// Greets, makes TLS as demanded, logs in.
    [[nodiscard]] static boost::asio::awaitable<Outcome<std::unique_ptr<Connection>>> async_begin(ConnectionOptions options,
                                                                                                  net::Tunnel tunnel);
    /// async_dial(), then async_begin().
    [[nodiscard]] static boost::asio::awaitable<Outcome<std::unique_ptr<Connection>>> async_open(ConnectionOptions options);

    /// A reply per recipient. `ended`: the connection came to its end with that, by a 421, a refusal before the dot had left, or a loss in the
    /// midst of LMTP's replies: `unanswered`, as TransactionEnded has it.
    struct HandedOver {
        std::vector<smtp::Reply> replies;
        std::optional<Failure> ended = std::nullopt;
        std::vector<std::size_t> unanswered = {};
    };
    /// Hands one message over. After a failure the connection is only good to be destroyed.
    /// `mark` is begun with the envelope and awaited before the final dot leaves. `pool`: where content that is not in memory is read.
    [[nodiscard]] boost::asio::awaitable<Outcome<HandedOver>> async_hand_over(smtp::Transaction transaction,
                                                                              std::shared_ptr<const spool::Content> content,
                                                                              InDoubtMark& mark, net::BlockingPool& pool);

    /// Whether the host would take mail for the recipient: its reply to RCPT.
    struct Answered {
        smtp::Reply reply;
        bool of_sender = false;  // it was MAIL that was refused
    };
    [[nodiscard]] boost::asio::awaitable<Outcome<Answered>> async_ask(mail::Mailbox recipient);

    /// Says QUIT. The answer is not waited for: nothing depends on it, and the host's slot is free sooner.
    [[nodiscard]] boost::asio::awaitable<void> async_quit();

    /// Whether another message may be handed over.
    [[nodiscard]] bool reusable() const { return session_.ready(); }
    [[nodiscard]] std::size_t messages() const { return messages_; }  // handed over, well or badly, and the connection still stood
    [[nodiscard]] const smtp::Extensions& extensions() const { return session_.extensions(); }
    [[nodiscard]] const route::HostAddress& host() const { return options_.host; }
    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] const std::string& tls() const { return tls_; }  // version, cipher and verification; empty without

    Connection(ConnectionOptions options, net::Stream stream);  // for async_begin()

private:
    using Failed = std::optional<Failure>;
    boost::asio::awaitable<Failed> async_introduce(std::string early);
    boost::asio::awaitable<Failed> async_greet();
    Outcome<HandedOver> conclude(smtp::ClientEvent event);
    boost::asio::awaitable<Failed> async_secure();
    boost::asio::awaitable<Failed> async_send_content(std::shared_ptr<const spool::Content> content, InDoubtMark& mark,
                                                      net::BlockingPool& pool);
    boost::asio::awaitable<void> async_hear_of_chunk();
    boost::asio::awaitable<smtp::ClientEvent> async_event();
    boost::asio::awaitable<base::Result<void>> async_flush();
    enum class Received { nothing, octets, line };
    boost::asio::awaitable<Received> async_receive(net::Deadline deadline);
    void tell_session(const base::Error& error);
    [[nodiscard]] Failure failure_of(smtp::ClientFailed failed) const;

    ConnectionOptions options_;
    std::string name_;
    std::string tls_;
    net::Stream stream_;
    smtp::ClientSession session_;
    Stage stage_ = Stage::opening;
    std::size_t messages_ = 0;
    std::optional<base::Error> broken_;  // why the stream can no longer be used
    std::array<char, 4096> input_;
};

}  // namespace thurn::delivery
