#pragma once

#include "base/octets.h"
#include "mail/mailbox.h"
#include "sasl/mechanism.h"
#include "smtp/extensions.h"
#include "smtp/parameters.h"
#include "smtp/protocol.h"
#include "smtp/reply.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace thurn::smtp {

struct Recipient {
    mail::Mailbox mailbox;
    RcptParameters parameters = {};
};

/// One envelope to hand over.
///
/// Shape    Parameters are said only where the server offers their extension. What cannot be sent without it is refused here for all
///          recipients: 550 5.6.7 a local part beyond US-ASCII without SMTPUTF8 (domains are A-labels anyway), 550 5.7.30 REQUIRETLS,
///          550 5.6.3 binary content without BINARYMIME, 552 5.3.4 more than the server's SIZE. Everything else that is lost by leaving a
///          parameter out is the driver's decision, by extensions().
/// Purpose  `ask`: no content; it ends with the replies to RCPT, and the server is left without a message.
struct Transaction {
    enum class Purpose { hand_over, ask };
    mail::ReversePath sender;
    std::vector<Recipient> recipients;  // never empty
    MailParameters parameters;          // `size`: of the content
    Purpose purpose = Purpose::hand_over;
};

/// What became of it: a reply per recipient, in the order given.
/// Shape    For a recipient refused at RCPT that reply; for all others the reply to MAIL, DATA or the content, whichever decided; in LMTP each
///          has its own after the content. `unanswered`: in LMTP, positions of recipients whose own reply did not come before the session
///          failed while that of others had; the reply that stands there is ours.
struct TransactionEnded {
    std::vector<Reply> replies;
    std::vector<std::size_t> unanswered = {};
    bool sender_refused = false;  // all replies are that to MAIL
};
/// Greeting, EHLO (HELO where EHLO was refused) and, if asked, AUTH are done: begin() may be called.
struct Ready {
    Extensions extensions;
};
/// STARTTLS got its 220: shake hands, then tls_started(); EHLO is said anew.
struct ClientTlsWanted {};
/// The server waits for content: call content() until the last piece.
struct ContentWanted {};
/// The conversation is over before it could end well. `reply`: what the server said (421, 5yz greeting, refused EHLO…), if anything.
struct ClientFailed {
    base::Error error;
    std::optional<Reply> reply;
};

using ClientEvent = std::variant<Ready, ClientTlsWanted, ContentWanted, TransactionEnded, ClientFailed>;

/// When content goes by BDAT rather than DATA. Binary content does so always.
enum class Chunking { when_needed, when_offered };

/// When to say STARTTLS. `may`: if offered. `must`: fail without it.
enum class StartTls { never, may, must };

struct ClientCredentials {
    std::string login;
    std::string password;
};

struct ClientOptions {
    std::string hello_name;
    Protocol protocol = Protocol::smtp;
    StartTls starttls = StartTls::may;
    Chunking chunking = Chunking::when_needed;
    bool tls_active = false;  // implicit TLS
    std::optional<ClientCredentials> credentials =
        std::nullopt;                            // AUTH by the best mechanism offered, only under TLS; `refused` when none is
    base::Random* random = nullptr;              // for SCRAM, which is not used without it
    std::chrono::seconds greeting_timeout{300};  // RFC 5321 §4.5.3.2 and below
    std::chrono::seconds hello_timeout{300};
    std::chrono::seconds mail_timeout{300};
    std::chrono::seconds rcpt_timeout{300};
    std::chrono::seconds command_timeout{300};  // STARTTLS, AUTH, RSET
    std::chrono::seconds data_timeout{120};     // for the 354
    std::chrono::seconds content_timeout{180};
    std::chrono::seconds ending_timeout{600};
};

/// Client side of one SMTP connection, without I/O (RFC 5321 §3, RFC 2920, RFC 3030, RFC 3207; RFC 2033).
///
/// Loop     next_event() until empty → take_output() → send → read → receive().
/// Pipeline With PIPELINING, MAIL, all RCPT and DATA leave in one piece. Without recipients accepted, a 354 is answered by an empty content
///          (RFC 2920 §3.1).
/// Content  Dot-stuffed here; ends with CRLF. Every bare CR or LF becomes CRLF: nothing we send can be taken for an early end. The driver
///          may take_output() as often as it likes between two pieces. BODY= is said only where it is offered; what to do with 8-bit
///          content elsewhere is the driver's decision. By BDAT each piece given is a chunk, which leaves when the next one is given or the
///          end; where PIPELINING is missing, chunks wait here for the replies to those before them. When a chunk is refused, the rest is swallowed. Binary content goes as it is.
/// Reuse    After TransactionEnded, begin() again (a RSET is said when the last transaction ended badly), or quit().
/// Ends     A 421 within a transaction ends it with what is known, TransactionEnded, and then the session, ClientFailed. Replies that came
///          before peer_closed() or timed_out() are still read. After ClientFailed the session is closed and yields nothing more.
/// Threads  One at a time.
class ClientSession {
public:
    explicit ClientSession(ClientOptions options);
    ~ClientSession();
    ClientSession(ClientSession&&) noexcept;
    ClientSession& operator=(ClientSession&&) noexcept;

    void receive(std::string_view octets);
    void peer_closed();  // yields ClientFailed with peer_gone unless quitting
    void timed_out();    // yields ClientFailed with timed_out
    [[nodiscard]] std::optional<ClientEvent> next_event();
    void tls_started();
    /// What the TLS connection can be known by; after the handshake, before tls_started() or the first receive(). Without it SCRAM does
    /// not bind the channel.
    void bind_channel(sasl::ChannelBindings bindings);
    void begin(Transaction transaction);    // Precondition: ready()
    void content(std::string_view octets);  // Precondition: ContentWanted was yielded, the end not given
    void content_end();
    /// Between ContentWanted and the end: false once a chunk is refused, and the rest is of no use.
    [[nodiscard]] bool wants_content() const;
    /// Whether a chunk is on its way to a host without PIPELINING: more content would wait here until the reply comes.
    [[nodiscard]] bool awaits_chunk_reply();
    /// Gives up on STARTTLS after a failed handshake is the driver's business: it opens a new connection with StartTls::never.
    void quit();

    [[nodiscard]] bool has_output() const;
    [[nodiscard]] std::string take_output();
    [[nodiscard]] std::chrono::seconds time_limit() const;
    [[nodiscard]] bool ready() const;  // between transactions
    [[nodiscard]] bool closed() const;
    [[nodiscard]] const Extensions& extensions() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace thurn::smtp
