#pragma once

#include "sasl/mechanism.h"
#include "smtp/client_session.h"
#include "smtp/dot_codec.h"

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// The inside of ClientSession, for its own files only. client_session.cc tells how it moves; client_hello.cc goes as far as Ready,
// client_transaction.cc from there to the reply to the content.
namespace thurn::smtp {

namespace client {

enum class Awaiting {
    greeting,
    ehlo,
    helo,
    starttls,
    handshake,  // no reply: the driver's tls_started()
    auth,
    nothing,
    rset,
    mail,
    rcpt,
    data,
    pieces,   // the driver's content(); replies to chunks only
    content,  // what becomes of the message
    dot,      // the same for an empty one that nobody gets
    quit,
    closed,
};

/// A chunk that waits for the reply to the one before it.
struct Chunk {
    std::string octets;
    bool last;
};

}  // namespace client

struct ClientSession::State {
    using Awaiting = client::Awaiting;
    using Chunk = client::Chunk;
    using ErrorKind = base::ErrorKind;

    explicit State(ClientOptions given) : options(std::move(given)), under_tls(options.tls_active) {}

    // Saying hello
    void on_greeting(Reply reply);
    void on_ehlo(Reply reply);
    void on_helo(Reply reply);
    void on_starttls(Reply reply);
    void on_auth(Reply reply);
    void say_hello(std::string_view verb, Awaiting reply);
    [[nodiscard]] bool is_lmtp() const { return options.protocol == Protocol::lmtp; }
    [[nodiscard]] std::string_view hello_verb() const { return is_lmtp() ? "LHLO" : "EHLO"; }
    void after_hello();
    void log_in(const ClientCredentials& credentials);
    void answer_challenge(const Reply& reply);
    void become_ready();

    // A transaction
    void begin(Transaction given);
    [[nodiscard]] std::optional<Reply> refused_here() const;
    void read_unasked();
    void await_in_transaction(Awaiting next);
    void say_all();
    void say(Awaiting command, std::size_t recipient);
    void say_mail();
    void on_rset(const Reply& reply);
    void on_mail(Reply reply);
    void on_rcpt(Reply reply);
    void on_data(Reply reply);
    void on_content(Reply reply);
    void on_final(Reply reply);
    void want_content();
    void on_chunk(Reply reply);
    void read_chunk_replies();
    void say_chunk(std::string_view octets, bool last);
    void send_chunk(std::string_view octets, bool last);
    void add_content(std::string_view octets);
    void add_chunk(std::string octets);
    void finish_content();
    [[nodiscard]] bool asks() const { return transaction.purpose == Transaction::Purpose::ask; }
    [[nodiscard]] bool any_accepted() const;
    void decide(Reply reply);
    void end_transaction(std::vector<std::size_t> unanswered = {});
    void tell_finals();

    // Ends
    void on_reply(Reply reply);
    void on_last_words(Reply reply);
    void fail(ErrorKind kind, std::string detail, std::optional<Reply> reply = std::nullopt);
    void fail_unexpected(Reply reply) { fail(ErrorKind::syntax, "a reply that does not fit the command", std::move(reply)); }
    void fail_refused(std::string detail, Reply reply) { fail(ErrorKind::refused, std::move(detail), std::move(reply)); }
    void peer_ended(base::Error error);
    [[nodiscard]] bool read_reply();

    [[nodiscard]] bool in_transaction() const { return awaiting >= Awaiting::mail && awaiting <= Awaiting::dot; }
    [[nodiscard]] bool reads_replies() const {
        if (awaiting == Awaiting::pieces)
            return ended.has_value() || chunks_unanswered > 0;  // an early reply belongs to the dot, unless no dot can be sent any more
        return awaiting != Awaiting::handshake && awaiting != Awaiting::closed;
    }
    void yield(ClientEvent event) {
        const bool is_end = std::holds_alternative<TransactionEnded>(event) || std::holds_alternative<ClientFailed>(event);
        if (!ended || is_end) events.push_back(std::move(event));  // to a peer that is gone, nothing can be said
    }

    ClientOptions options;
    Awaiting awaiting = Awaiting::greeting;
    bool under_tls;
    Extensions extensions;
    ReplyReader reader;
    std::string output;
    std::vector<ClientEvent> events;
    std::optional<base::Error> ended;  // the peer is gone or silent; replies that came before are still read
    std::unique_ptr<sasl::ClientMechanism> mechanism;
    std::optional<base::Error> auth_problem;  // why the exchange was cancelled
    sasl::ChannelBindings bindings;

    Transaction transaction;
    std::vector<std::optional<Reply>> refusals;  // per recipient answered: empty when accepted
    std::optional<Reply> decision;               // of MAIL, DATA or the content, for all others
    bool mail_refused = false;
    bool needs_rset = false;
    bool early_reply = false;  // something came before the dot left: it cannot be a 250 for the message
    DotEncoder encoder;
    std::size_t next_final = 0;  // LMTP: recipients before this one have their reply to the content

    bool chunked = false;               // this content goes by BDAT
    std::size_t chunks_unanswered = 0;  // the last one excepted, whose reply is that to the content
    bool last_said = false;
    std::string next_chunk;         // the latest piece: it may be the last, whose command says so
    std::deque<Chunk> held_chunks;  // wait for replies, without PIPELINING
};

}  // namespace thurn::smtp
