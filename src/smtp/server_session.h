#pragma once

#include "base/octets.h"
#include "mail/mailbox.h"
#include "sasl/mechanism.h"
#include "smtp/command.h"
#include "smtp/parameters.h"
#include "smtp/protocol.h"
#include "smtp/proxy_attributes.h"
#include "smtp/reply.h"
#include "smtp/server_extensions.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace thurn::smtp {

/// The client said EHLO or HELO. Answered by the session unless refused: accept() lists the extensions.
struct HelloGiven {
    std::string name;
    bool extended;
};
/// SCRAM, or CRAM-MD5 where `hash` is md5, asks for what is stored of the login's password: give_secret() of its kind, or answer() with a
/// refusal (454 4.7.0). Nobody's login is given a decoy (sasl::make_decoy_secret()), or the client learns who exists.
struct SecretWanted {
    std::string mechanism;
    std::string login;
    sasl::Hash hash;
};
/// AUTH is complete. The password must be wiped by whoever is done with it. accept() says 235 2.7.0, refuse otherwise (535 5.7.8).
struct CredentialsGiven {
    /// `claimed`: the password is to be checked. `proven`: the mechanism has done so, and there is no password. `certificate`: the client's
    /// names the login. `token`: `password` is a token, which says who it is; there is no login.
    enum class Proof { claimed, proven, certificate, token };
    std::string mechanism;
    std::string authorization;
    std::string login;
    std::string password;
    Proof proof = Proof::claimed;
};
struct SenderGiven {
    mail::ReversePath path;
    MailParameters parameters;
};
struct RecipientGiven {
    mail::Mailbox mailbox;
    RcptParameters parameters;
};
/// DATA or the first BDAT, with at least one accepted recipient; accept() says 354 to DATA and nothing to BDAT. When refused, the envelope
/// is gone as after ContentEnded; no TransactionReset.
struct ContentBegins {};
/// Dots removed; never a bare CR or LF, unless MAIL said BODY=BINARYMIME. The view is valid until the session is called again. Needs no answer.
struct ContentChunk {
    std::string_view octets;
};
/// The content is whole. accept() or answer() says what became of it; the envelope is gone then.
struct ContentEnded {};
/// The content will not come to a good end; drop what was stored, and the envelope. The session has answered, or the connection is closing. No answer.
struct ContentDropped {
    std::string reason;
};
/// RSET, or EHLO that was accepted in a transaction: the envelope is gone. No answer. Between chunks ContentDropped tells it instead.
struct TransactionReset {};
/// Take the output, send it, shake hands, then tls_started(). No answer.
struct TlsWanted {};
/// VRFY and EXPN (RFC 5321 §3.5): answer() with 250 and what is known, or a refusal; accept() says 252. Answers hold UTF-8 only where
/// `utf8` allows it.
struct VerifyWanted {
    std::string text;
    Utf8 utf8;
};
struct ExpandWanted {
    std::string text;
    Utf8 utf8;
};
/// ETRN: accept() says 250; answer() 251, 252, 253, 458 or 459 (RFC 1985 §5.3).
using QueueRunWanted = EtrnCommand;
/// XCLIENT: accept() says 220 and forgets all the client said so far, its login too; with a LOGIN it is authenticated. Refuse with 550 5.7.0.
struct XclientGiven {
    std::vector<ProxyAttribute> attributes;
};
/// XFORWARD, to be kept until the end of the next transaction.
struct XforwardGiven {
    std::vector<ProxyAttribute> attributes;
};
/// The client talked before it was greeted, as no honest one does: greet(), or greet_with_refusal() with 554 5.5.1. No answer.
struct EarlyTalk {};
/// The client did not wait for the reply to `verb`, which must be the last of its group, or was not told of PIPELINING at all (RFC 2920 §3.1).
/// Told once, and the command is handled as any. Depends on what came in one piece. No answer.
struct ImproperPipelining {
    std::string_view verb;  // constant
};
/// The session itself refused a command or hit a limit; for log and trace. No answer.
struct CommandRefused {
    std::string verb;
    Reply reply;
};

using ServerEvent = std::variant<HelloGiven, SecretWanted, CredentialsGiven, SenderGiven, RecipientGiven, ContentBegins, ContentChunk,
                                 ContentEnded, ContentDropped, TransactionReset, TlsWanted, VerifyWanted, ExpandWanted, QueueRunWanted,
                                 XclientGiven, XforwardGiven, EarlyTalk, ImproperPipelining, CommandRefused>;

enum class TlsState { unavailable, offered, active };
enum class AuthRule { off, offered, required };

struct ServerOptions {
    std::string hostname;
    std::string greeting = "ESMTP thurn";  // text after the host name in the 220
    Protocol protocol = Protocol::smtp;    // LMTP: LHLO, and a reply for each recipient (RFC 2033)
    TlsState tls = TlsState::unavailable;  // `active` for implicit TLS
    AuthRule auth = AuthRule::off;         // AUTH is offered only while TLS is active; `required` refuses MAIL before it (530 5.7.0)
    ServerExtensions extensions = {};      // beside STARTTLS and AUTH
    AddressSyntax addresses = AddressSyntax::strict;
    base::Random* random = nullptr;                   // for SCRAM and CRAM-MD5, which are not offered without it
    bool scram = true;                                // whether the driver has what SCRAM needs
    bool cram_md5 = false;                            // and what CRAM-MD5 needs
    bool tokens = false;                              // whether the driver can check those of OAUTHBEARER and XOAUTH2
    base::Octets message_size = base::mebibytes(50);  // 552 5.3.4, at SIZE= and during the transfer; 0: no limit
    std::size_t recipients = 1000;                    // 452 4.5.3 beyond (RFC 5321 §4.5.3.1.10)
    std::size_t command_line = 2048;                  // octets with CRLF; RFC 5321 §4.5.3.1.4 and the extensions' allowances; 500 5.5.2
    std::size_t auth_line = 12288;                    // RFC 4954 §4
    std::size_t content_line = 0;                     // 0: no limit on a content line beyond the message size; else 550 5.6.0 when over
    std::size_t messages = 0;                         // MAIL accepted, per connection; then 421 4.7.0; 0: no limit
    std::size_t commands = 10000;                     // per connection, further chunks of 1 KiB and more aside; then 421 4.7.0
    std::size_t errors = 20;                    // permanent refusals, ours or the driver's, since the last accepted message; then 421 4.7.0
    std::size_t auth_failures = 3;              // then 421 4.7.0
    std::chrono::seconds command_timeout{300};  // RFC 5321 §4.5.3.2.7
    std::chrono::seconds content_timeout{180};  // RFC 5321 §4.5.3.2.5
};

/// Refused content is read on, so that its sender hears why, but not for ever: so many octets of it, and then why and 421 4.7.0 at once,
/// wherever it is. Begins anew with each content that is let begin. 0: no limit, where messages have none.
[[nodiscard]] constexpr std::uint64_t refused_octets(base::Octets message_size) {
    return message_size.count == 0 ? 0 : 2 * message_size.count + base::mebibytes(16).count;
}

/// Server side of one SMTP connection, without I/O (RFC 5321 §3, RFC 2920, RFC 3030, RFC 3207, RFC 4954).
///
/// Loop     receive() → next_event() until empty → take_output() → send → read again.
/// Waits    HelloGiven, SecretWanted, CredentialsGiven, SenderGiven, RecipientGiven, ContentBegins, ContentEnded, VerifyWanted, ExpandWanted,
///          QueueRunWanted, XclientGiven and XforwardGiven stay open until accept() or answer(); until then next_event() yields nothing and
///          input is kept in order. A positive answer() to ContentBegins must be 354.
/// Refusals Legal order is one table (conversation.h). Only CRLF ends a line: a command with a bare LF is refused and all up to the next
///          CRLF dropped. A fault or excess in content is told by ContentDropped at once and answered at the content's true end; see
///          refused_octets().
/// Before   Until greet() nothing is read; what comes is kept, and told by EarlyTalk. The driver then reads no more before it decides.
/// LMTP     accept() and answer() to ContentEnded speak for every accepted recipient, answer_each() for each of them.
/// Chunks   What BDAT has counted is content and nothing else, refused or not; where its size cannot be read, the session closes. A fault or
///          excess is answered at the end of its chunk, and the transaction is over. Text that does not end with CRLF is given one.
/// Closing  After closed() a last ContentDropped or CommandRefused may still come; answers to events that were open are ignored.
/// Limits   Holds at most one command line of unfinished input beyond what one receive() brought; see ServerOptions. Passwords are wiped
///          from the input when read. Replies hold `?` for octets over 127 unless SMTPUTF8 was asked for. An idle session holds under 1 KiB.
/// Threads  One at a time.
class ServerSession {
public:
    explicit ServerSession(ServerOptions options);
    ~ServerSession();
    ServerSession(ServerSession&&) noexcept;
    ServerSession& operator=(ServerSession&&) noexcept;

    /// Puts the 220 into the output; call once. With a reply, refuses the connection (421 or 554) and closes.
    void greet();
    void greet_with_refusal(const Reply& reply);

    void receive(std::string_view octets);  // any split, any size
    [[nodiscard]] std::optional<ServerEvent> next_event();
    void accept();                  // the usual positive reply. Precondition: an event is open
    void accept(std::string text);  // the same with other words: `2.0.0 queued as …`
    /// LMTP: one reply for each recipient accepted, in their order. Precondition: ContentEnded is open
    void answer_each(const std::vector<Reply>& replies);
    void answer(const Reply& reply);        // Precondition: an event is open
    void give_secret(sasl::Secret secret);  // Precondition: SecretWanted is open
    /// What the TLS connection can be known by; after each handshake, before tls_started() or greet(). Without it there is no -PLUS.
    void bind_channel(sasl::ChannelBindings bindings);
    void offer(ServerExtensions extensions);  // from now on; for who becomes another by XCLIENT
    /// The mailboxes in a client's certificate that is trusted: EXTERNAL is offered then. When bind_channel() is called.
    void certificate_shown(std::vector<std::string> mailboxes);
    void tls_started();  // forgets EHLO, envelope, a login by XCLIENT and unread plaintext, RFC 3207 §4.2
    void timed_out();    // time_limit() has passed: says 421 4.4.2, closes
    void shut_down();    // we are stopping: says 421 4.3.2 and closes; at once, or after the content being received is answered

    [[nodiscard]] bool has_output() const;
    [[nodiscard]] std::string take_output();
    [[nodiscard]] std::chrono::seconds time_limit() const;  // for the next octet, RFC 5321 §4.5.3.2
    [[nodiscard]] bool in_transaction() const;              // between MAIL and what ends it
    [[nodiscard]] bool in_content() const;                  // between 354 and the end, or the first BDAT and the last
    [[nodiscard]] bool closed() const;                      // send the output, then close
    [[nodiscard]] bool extended() const;                    // EHLO, not HELO
    [[nodiscard]] const std::string& helo_name() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace thurn::smtp
