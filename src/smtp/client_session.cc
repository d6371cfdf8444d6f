// The client knows at every moment which command's reply comes next: that is `awaiting`, its whole state. With PIPELINING several commands
// are on their way, but their replies come in order (RFC 2920 §3.2), so `awaiting` walks through them one by one:
//
//   greeting ─▶ ehlo (─▶ helo) ─▶ starttls ─▶ handshake ─▶ ehlo ─▶ auth ─▶ nothing (ready)
//   begin():    rset ─▶ mail ─▶ rcpt … rcpt ─▶ data ─▶ content() … content_end() ─▶ content ─▶ nothing
//                                     │          └─▶ (354, but no recipient) dot ─▶ nothing
//                                     └─▶ (by BDAT) content(), each piece a chunk … content_end() ─▶ content ─▶ nothing
//
// Without PIPELINING a command leaves when `awaiting` comes to it, and a refusal ends the walk early.
#include "smtp/client_session.h"

#include "base/base64.h"
#include "smtp/dot_codec.h"
#include "smtp/offered_parameters.h"
#include "smtp/wipe.h"
#include "smtp/words.h"

#include <algorithm>
#include <deque>
#include <utility>

namespace thurn::smtp {

namespace {

using base::ErrorKind;

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

bool has_utf8(const mail::Mailbox& mailbox) { return beyond_ascii(mailbox.local); }

/// Domains are in A-labels, so only a local part can need SMTPUTF8 (RFC 6531 §3.2).
bool needs_utf8(const Transaction& transaction) {
    return (transaction.sender.mailbox && has_utf8(*transaction.sender.mailbox)) ||
           std::ranges::any_of(transaction.recipients, has_utf8, &Recipient::mailbox);
}

struct Chunk {
    std::string octets;
    bool last;
};

Reply too_big(base::Octets size, base::Octets limit) {
    return make_reply(552, {5, 3, 4},
                      "message of " + std::to_string(size.count) + " octets, the server takes " + std::to_string(limit.count));
}

}  // namespace

struct ClientSession::State {
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
    void say_chunk(std::string_view octets, bool last);
    void send_chunk(std::string_view octets, bool last);
    void add_content(std::string_view octets);
    void finish_content();
    [[nodiscard]] bool any_accepted() const;
    void decide(Reply reply);
    void end_transaction();

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
    std::deque<Chunk> held_chunks;  // wait for replies, without PIPELINING
};

// ---- Saying hello

void ClientSession::State::on_greeting(Reply reply) {
    if (reply.code == 220) return say_hello(hello_verb(), Awaiting::ehlo);
    if (reply.transient() || reply.permanent()) return fail_refused("the server refused the connection", std::move(reply));
    fail_unexpected(std::move(reply));
}

void ClientSession::State::say_hello(std::string_view verb, Awaiting reply) {
    output.append(verb).append(" ").append(options.hello_name).append("\r\n");
    awaiting = reply;
}

void ClientSession::State::on_ehlo(Reply reply) {
    if (reply.positive()) {
        extensions = parse_extensions(reply);
        return after_hello();
    }
    if (reply.permanent() && !is_lmtp()) return say_hello("HELO", Awaiting::helo);  // RFC 5321 §3.2
    if (reply.transient() || reply.permanent()) return fail_refused("the server refused EHLO", std::move(reply));
    fail_unexpected(std::move(reply));
}

void ClientSession::State::on_helo(Reply reply) {
    extensions = Extensions{};
    if (reply.positive()) return after_hello();
    if (reply.transient() || reply.permanent()) return fail_refused("the server refused HELO", std::move(reply));
    fail_unexpected(std::move(reply));
}

void ClientSession::State::after_hello() {
    if (!under_tls && options.starttls != StartTls::never) {
        if (extensions.starttls) {
            output += "STARTTLS\r\n";
            awaiting = Awaiting::starttls;
            return;
        }
        if (options.starttls == StartTls::must) return fail(ErrorKind::refused, "the server does not offer STARTTLS");
    }
    if (options.credentials) return log_in(*options.credentials);
    become_ready();
}

/// Octets behind the 220 came in clear and could be anyone's (CVE-2021-38371).
void ClientSession::State::on_starttls(Reply reply) {
    if (reply.code == 220) {
        if (reader.has_leftover()) return fail(ErrorKind::invalid, "plaintext behind the answer to STARTTLS");
        awaiting = Awaiting::handshake;
        return yield(ClientTlsWanted{});
    }
    if (!reply.transient() && !reply.permanent()) return fail_unexpected(std::move(reply));
    if (options.starttls == StartTls::must) return fail_refused("the server refused STARTTLS", std::move(reply));
    if (options.credentials) return log_in(*options.credentials);
    become_ready();
}

void ClientSession::State::log_in(const ClientCredentials& credentials) {
    if (!under_tls) return fail(ErrorKind::refused, "a password is sent under TLS only");
    sasl::ClientContext context{
        .login = credentials.login, .password = credentials.password, .random = options.random, .bindings = bindings};
    const auto chosen = std::ranges::find_if(sasl::kClientMechanisms, [&](std::string_view name) {
        return std::ranges::find(extensions.auth, name) != extensions.auth.end() && sasl::is_possible(name, context);
    });
    if (chosen == sasl::kClientMechanisms.end()) return fail(ErrorKind::refused, "the server offers no AUTH mechanism that we have");
    mechanism = sasl::make_client_mechanism(*chosen, context);
    wipe(context.password);
    if (!mechanism) return fail(ErrorKind::invalid, "these credentials cannot be sent");
    output.append("AUTH ").append(*chosen);
    if (auto initial = mechanism->initial()) {
        output.append(" ").append(initial->empty() ? "=" : base::encode_base64(*initial));
        wipe(*initial);
    }
    output += "\r\n";
    awaiting = Awaiting::auth;
}

void ClientSession::State::on_auth(Reply reply) {
    if (reply.code == 334) return answer_challenge(reply);
    const auto spoken = std::exchange(mechanism, nullptr);
    if (auth_problem) return fail(auth_problem->kind, auth_problem->detail, std::move(reply));
    if (reply.positive() && !spoken->complete())
        return fail(ErrorKind::refused, "the server has not proved that it knows the password", std::move(reply));
    if (reply.positive()) return become_ready();
    if (reply.transient() || reply.permanent()) return fail_refused("the server refused the login", std::move(reply));
    fail_unexpected(std::move(reply));
}

/// A challenge that nobody can answer is cancelled; its refusal ends the session (RFC 4954 §4).
void ClientSession::State::answer_challenge(const Reply& reply) {
    if (auth_problem) return fail_unexpected(reply);  // cancelled already, and it goes on
    auto challenge = base::decode_base64(reply.lines.front());
    auto response = challenge ? mechanism->respond(*challenge) : base::fail(ErrorKind::syntax, "a challenge is not base64");
    if (response) {
        output += base::encode_base64(*response);
        wipe(*response);
    } else {
        output += '*';
        auth_problem = std::move(response).error();
    }
    output += "\r\n";
}

void ClientSession::State::become_ready() {
    awaiting = Awaiting::nothing;
    if (options.credentials) wipe(options.credentials->password);
    yield(Ready{extensions});
}

// ---- A transaction

/// What came unasked since the last reply would be taken for the reply to MAIL, and so on to the end: success for a message not sent.
void ClientSession::State::read_unasked() {
    while (awaiting == Awaiting::nothing && reader.has_leftover() && read_reply()) {}
    if (awaiting == Awaiting::nothing && reader.has_leftover()) fail(ErrorKind::syntax, "the server talks unasked");
}

void ClientSession::State::begin(Transaction given) {
    read_unasked();
    if (awaiting != Awaiting::nothing) return;
    transaction = std::move(given);
    refusals.clear();
    refusals.reserve(transaction.recipients.size());
    decision.reset();
    mail_refused = false;
    early_reply = false;
    next_final = 0;
    if (const auto refusal = refused_here()) {
        yield(TransactionEnded{std::vector<Reply>(transaction.recipients.size(), *refusal)});
        return;
    }
    if (needs_utf8(transaction)) transaction.parameters.smtputf8 = true;
    chunked = extensions.chunking && (options.chunking == Chunking::when_offered || transaction.parameters.body == mail::BodyType::binary);
    encoder = DotEncoder(chunked ? Dots::plain : Dots::stuffed);
    chunks_unanswered = 0;
    held_chunks.clear();
    last_said = false;
    awaiting = needs_rset ? Awaiting::rset : Awaiting::mail;
    if (extensions.pipelining) return say_all();
    say(awaiting, 0);
}

std::optional<Reply> ClientSession::State::refused_here() const {
    const MailParameters& given = transaction.parameters;
    if (given.size && extensions.size && extensions.size->count != 0 && *given.size > *extensions.size)
        return too_big(*given.size, *extensions.size);
    if (!extensions.smtputf8 && needs_utf8(transaction)) return make_reply(550, {5, 6, 7}, "the server does not offer SMTPUTF8");
    if (given.require_tls && !(extensions.require_tls && under_tls))
        return make_reply(550, {5, 7, 30}, "the server does not offer REQUIRETLS");
    if (given.body == mail::BodyType::binary && !(extensions.chunking && extensions.binary_mime))
        return make_reply(550, {5, 6, 3}, "the server does not offer BINARYMIME");
    return std::nullopt;
}

void ClientSession::State::say_all() {
    if (needs_rset) say(Awaiting::rset, 0);
    say(Awaiting::mail, 0);
    for (std::size_t recipient = 0; recipient < transaction.recipients.size(); ++recipient) say(Awaiting::rcpt, recipient);
    if (!chunked) say(Awaiting::data, 0);
}

void ClientSession::State::say(Awaiting command, std::size_t recipient) {
    switch (command) {
        case Awaiting::rset:
            output += "RSET\r\n";
            break;
        case Awaiting::mail:
            say_mail();
            break;
        case Awaiting::rcpt:
            output.append("RCPT TO:<").append(mail::render_mailbox(transaction.recipients[recipient].mailbox)).append(">");
            append_parameters(transaction.recipients[recipient].parameters, extensions, output);
            output += "\r\n";
            break;
        default:
            output += "DATA\r\n";
    }
}

void ClientSession::State::say_mail() {
    output.append("MAIL FROM:<").append(mail::render_path(transaction.sender)).append(">");
    append_parameters(transaction.parameters, extensions, output);
    output += "\r\n";
}

void ClientSession::State::await_in_transaction(Awaiting next) {
    awaiting = next;
    if (!extensions.pipelining) say(next, refusals.size());
}

void ClientSession::State::on_rset(const Reply& reply) {
    if (!reply.positive()) return fail_refused("the server refused RSET", reply);
    needs_rset = false;
    await_in_transaction(Awaiting::mail);
}

/// With PIPELINING the other replies are on their way and say nothing new; they are read all the same.
void ClientSession::State::on_mail(Reply reply) {
    needs_rset = true;
    if (reply.intermediate()) return fail_unexpected(std::move(reply));
    mail_refused = !reply.positive();
    if (mail_refused) decision = std::move(reply);
    if (mail_refused && !extensions.pipelining) return end_transaction();
    await_in_transaction(Awaiting::rcpt);
}

void ClientSession::State::on_rcpt(Reply reply) {
    if (reply.intermediate()) return fail_unexpected(std::move(reply));
    refusals.emplace_back(reply.positive() ? std::nullopt : std::optional(std::move(reply)));
    if (refusals.size() < transaction.recipients.size()) return await_in_transaction(Awaiting::rcpt);
    if (chunked) return any_accepted() ? want_content() : end_transaction();
    if (!any_accepted() && !extensions.pipelining) return end_transaction();
    await_in_transaction(Awaiting::data);
}

bool ClientSession::State::any_accepted() const {
    return !mail_refused && std::ranges::any_of(refusals, [](const auto& refusal) { return !refusal; });
}

void ClientSession::State::on_data(Reply reply) {
    if (reply.positive()) return fail_unexpected(std::move(reply));
    if (reply.intermediate() && any_accepted()) {
        want_content();
    } else if (reply.intermediate()) {
        encoder.finish(output);  // an empty content: the server waits for it, nobody gets it
        if (!is_lmtp()) {
            awaiting = Awaiting::dot;
            return;
        }
        end_transaction();  // RFC 2033 §4.2 has a 503 here, and no reply where there is no recipient
        fail_unexpected(std::move(reply));
    } else {
        decide(std::move(reply));
        end_transaction();
    }
}

void ClientSession::State::want_content() {
    awaiting = Awaiting::pieces;
    yield(ContentWanted{});
}

void ClientSession::State::on_content(Reply reply) {
    if (chunks_unanswered > 0) return on_chunk(std::move(reply));
    if (awaiting == Awaiting::pieces) return on_last_words(std::move(reply));
    if (reply.intermediate() || (early_reply && reply.positive())) return fail_unexpected(std::move(reply));
    if (is_lmtp() && !decision) return on_final(std::move(reply));
    needs_rset = !reply.positive() || decision;
    decide(std::move(reply));
    end_transaction();
}

/// LMTP: the reply to the content for the next recipient that was accepted (RFC 2033 §4.2).
void ClientSession::State::on_final(Reply reply) {
    const auto waiting_from = [this](std::size_t from) {
        while (from < refusals.size() && refusals[from]) ++from;
        return from;
    };
    needs_rset = (next_final > 0 && needs_rset) || !reply.positive();
    const auto index = waiting_from(next_final);
    refusals[index] = std::move(reply);
    next_final = index + 1;
    if (waiting_from(next_final) == refusals.size()) end_transaction();
}

// ---- Chunks

/// Once one is refused, those on their way are refused too (RFC 3030 §2), and no more leave.
void ClientSession::State::on_chunk(Reply reply) {
    if (reply.intermediate()) return fail_unexpected(std::move(reply));
    --chunks_unanswered;
    if (!reply.positive()) {
        decide(std::move(reply));
        held_chunks.clear();
    } else if (!held_chunks.empty()) {
        send_chunk(held_chunks.front().octets, held_chunks.front().last);
        held_chunks.pop_front();
    }
    if (decision && chunks_unanswered == 0 && !last_said) end_transaction();
}

/// Replies that are there already belong to what was said before; whatever comes before the chunk has left is no reply to it.
void ClientSession::State::say_chunk(std::string_view octets, bool last) {
    while (chunks_unanswered > 0 && reads_replies() && read_reply()) {}
    if (awaiting != Awaiting::pieces || decision) return;
    if (chunks_unanswered == 0 && reader.has_leftover()) early_reply = true;
    if (chunks_unanswered > 0 && !extensions.pipelining) return held_chunks.push_back({.octets = std::string(octets), .last = last});
    send_chunk(octets, last);
}

void ClientSession::State::send_chunk(std::string_view octets, bool last) {
    output.append("BDAT ").append(std::to_string(octets.size())).append(last ? " LAST\r\n" : "\r\n").append(octets);
    if (last)
        last_said = true;
    else
        ++chunks_unanswered;
}

void ClientSession::State::add_content(std::string_view octets) {
    if (!chunked) return encoder.encode(octets, output);
    if (transaction.parameters.body == mail::BodyType::binary) {
        if (!octets.empty()) say_chunk(octets, false);
        return;
    }
    std::string lines;
    encoder.encode(octets, lines);
    if (!lines.empty()) say_chunk(lines, false);
}

void ClientSession::State::finish_content() {
    if (chunked) {
        std::string rest;
        if (transaction.parameters.body != mail::BodyType::binary) encoder.finish(rest);
        say_chunk(rest, true);
    } else {
        early_reply = reader.has_leftover();
        encoder.finish(output);
    }
    if (awaiting == Awaiting::pieces) awaiting = Awaiting::content;
}
/// For all that are not refused yet. What MAIL decided stays decided.
void ClientSession::State::decide(Reply reply) {
    if (!decision) decision = std::move(reply);
}

void ClientSession::State::end_transaction() {
    TransactionEnded result;
    result.replies.reserve(transaction.recipients.size());
    refusals.resize(transaction.recipients.size());
    for (auto& refusal : refusals) {
        if (refusal && !mail_refused)
            result.replies.push_back(*std::move(refusal));
        else if (decision)
            result.replies.push_back(*decision);
    }
    awaiting = Awaiting::nothing;
    transaction = Transaction{};
    yield(std::move(result));
}

// ---- Ends

void ClientSession::State::on_reply(Reply reply) {
    if (reply.code == 421 && awaiting != Awaiting::quit) return on_last_words(std::move(reply));
    switch (awaiting) {
        case Awaiting::greeting:
            return on_greeting(std::move(reply));
        case Awaiting::ehlo:
            return on_ehlo(std::move(reply));
        case Awaiting::helo:
            return on_helo(std::move(reply));
        case Awaiting::starttls:
            return on_starttls(std::move(reply));
        case Awaiting::auth:
            return on_auth(std::move(reply));
        case Awaiting::rset:
            return on_rset(reply);
        case Awaiting::mail:
            return on_mail(std::move(reply));
        case Awaiting::rcpt:
            return on_rcpt(std::move(reply));
        case Awaiting::data:
            return on_data(std::move(reply));
        case Awaiting::pieces:
        case Awaiting::content:
            return on_content(std::move(reply));
        case Awaiting::dot:
            return end_transaction();
        case Awaiting::quit:
            awaiting = Awaiting::closed;
            return;
        case Awaiting::nothing:
            return fail_unexpected(std::move(reply));
        case Awaiting::handshake:
        case Awaiting::closed:
            return;
    }
}

/// The server closes: 421, or a refusal before the dot behind which the peer was gone. What is known of the transaction is told first. A
/// reply that claims success for what was never ended is no success.
void ClientSession::State::on_last_words(Reply reply) {
    if (in_transaction() && (reply.transient() || reply.permanent())) {
        decide(reply);
        end_transaction();
    }
    fail_refused("the server ended the session", std::move(reply));
}

void ClientSession::State::fail(ErrorKind kind, std::string detail, std::optional<Reply> reply) {
    awaiting = Awaiting::closed;
    mechanism.reset();
    if (options.credentials) wipe(options.credentials->password);
    yield(ClientFailed{{kind, std::move(detail)}, std::move(reply)});
}

void ClientSession::State::peer_ended(base::Error error) {
    if (awaiting == Awaiting::quit) awaiting = Awaiting::closed;
    if (awaiting != Awaiting::closed && !ended) ended = std::move(error);
}

/// False when there is none.
bool ClientSession::State::read_reply() {
    auto reply = reader.next();
    if (!reply) {
        fail(reply.error().kind, reply.error().detail);
        return true;
    }
    auto& complete = *reply;
    if (!complete) return false;
    on_reply(*std::move(complete));
    return true;
}

// ---- The session

ClientSession::ClientSession(ClientOptions options) : state_(std::make_unique<State>(std::move(options))) {}
ClientSession::~ClientSession() = default;
ClientSession::ClientSession(ClientSession&&) noexcept = default;
ClientSession& ClientSession::operator=(ClientSession&&) noexcept = default;

void ClientSession::receive(std::string_view octets) {
    if (state_->awaiting == Awaiting::closed || octets.empty()) return;
    if (state_->awaiting == Awaiting::handshake) return state_->fail(ErrorKind::invalid, "plaintext behind the answer to STARTTLS");
    state_->reader.receive(octets);
}

void ClientSession::peer_closed() { state_->peer_ended({ErrorKind::peer_gone, "the server closed the connection"}); }

void ClientSession::timed_out() { state_->peer_ended({ErrorKind::timed_out, "the server was silent"}); }

std::optional<ClientEvent> ClientSession::next_event() {
    State& state = *state_;
    while (state.events.empty() && state.reads_replies() && state.read_reply()) {}
    if (state.events.empty() && state.ended && state.awaiting != Awaiting::closed) state.fail(state.ended->kind, state.ended->detail);
    if (state.events.empty()) return std::nullopt;
    ClientEvent event = std::move(state.events.front());
    state.events.erase(state.events.begin());
    return event;
}

void ClientSession::tls_started() {
    if (state_->awaiting != Awaiting::handshake) return;
    state_->under_tls = true;
    state_->extensions = Extensions{};  // what was said in clear is forgotten, RFC 3207 §4.2
    state_->reader = ReplyReader();
    state_->say_hello(state_->hello_verb(), Awaiting::ehlo);
}

void ClientSession::bind_channel(sasl::ChannelBindings bindings) { state_->bindings = std::move(bindings); }

void ClientSession::begin(Transaction transaction) { state_->begin(std::move(transaction)); }

void ClientSession::content(std::string_view octets) {
    if (state_->awaiting == Awaiting::pieces) state_->add_content(octets);
}

void ClientSession::content_end() {
    if (state_->awaiting == Awaiting::pieces) state_->finish_content();
}

void ClientSession::quit() {
    if (state_->awaiting != Awaiting::nothing) {
        state_->awaiting = Awaiting::closed;
        return;
    }
    state_->output += "QUIT\r\n";
    state_->awaiting = Awaiting::quit;
}

bool ClientSession::has_output() const { return !state_->output.empty(); }
std::string ClientSession::take_output() { return std::exchange(state_->output, {}); }

std::chrono::seconds ClientSession::time_limit() const {
    switch (state_->awaiting) {
        case Awaiting::greeting:
            return state_->options.greeting_timeout;
        case Awaiting::data:
            return state_->options.data_timeout;
        case Awaiting::pieces:
            return state_->options.content_timeout;
        case Awaiting::content:
        case Awaiting::dot:
            return state_->options.ending_timeout;
        default:
            return state_->options.command_timeout;
    }
}

bool ClientSession::ready() const { return state_->awaiting == Awaiting::nothing && !state_->ended; }
bool ClientSession::closed() const { return state_->awaiting == Awaiting::closed; }
const Extensions& ClientSession::extensions() const { return state_->extensions; }

}  // namespace thurn::smtp
