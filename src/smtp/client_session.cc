// The client knows at every moment which command's reply comes next: that is `awaiting`, its whole state. With PIPELINING several commands
// are on their way, but their replies come in order (RFC 2920 §3.2), so `awaiting` walks through them one by one:
//
//   greeting ─▶ ehlo (─▶ helo) ─▶ starttls ─▶ handshake ─▶ ehlo ─▶ auth ─▶ nothing (ready)
//   begin():    rset ─▶ mail ─▶ rcpt … rcpt ─▶ data ─▶ content() … content_end() ─▶ content ─▶ nothing
//                                                └─▶ (354, but no recipient) dot ─▶ nothing
//
// Without PIPELINING a command leaves when `awaiting` comes to it, and a refusal ends the walk early.
#include "smtp/client_session.h"

#include "base/base64.h"
#include "smtp/dot_codec.h"
#include "smtp/wipe.h"

#include <algorithm>
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
    pieces,   // no reply: the driver's content()
    content,  // what becomes of the message
    dot,      // the same for an empty one that nobody gets
    quit,
    closed,
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
    void after_hello();
    void log_in(const ClientCredentials& credentials);
    void answer_challenge(const Reply& reply);
    void become_ready();

    // A transaction
    void begin(Transaction given);
    void await_in_transaction(Awaiting next);
    void say_all();
    void say(Awaiting command, std::size_t recipient);
    void say_mail();
    void on_rset(const Reply& reply);
    void on_mail(Reply reply);
    void on_rcpt(Reply reply);
    void on_data(Reply reply);
    void on_content(Reply reply);
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
            return ended.has_value();  // an early reply belongs to the dot, unless no dot can be sent any more
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
};

// ---- Saying hello

void ClientSession::State::on_greeting(Reply reply) {
    if (reply.code == 220) return say_hello("EHLO", Awaiting::ehlo);
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
    if (reply.permanent()) return say_hello("HELO", Awaiting::helo);  // RFC 5321 §3.2
    if (reply.transient()) return fail_refused("the server refused EHLO", std::move(reply));
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

void ClientSession::State::begin(Transaction given) {
    transaction = std::move(given);
    refusals.clear();
    refusals.reserve(transaction.recipients.size());
    decision.reset();
    mail_refused = false;
    early_reply = false;
    if (extensions.size && extensions.size->count != 0 && transaction.size > *extensions.size) {
        yield(TransactionEnded{std::vector<Reply>(transaction.recipients.size(), too_big(transaction.size, *extensions.size))});
        return;
    }
    awaiting = needs_rset ? Awaiting::rset : Awaiting::mail;
    if (extensions.pipelining) return say_all();
    say(awaiting, 0);
}

void ClientSession::State::say_all() {
    if (needs_rset) say(Awaiting::rset, 0);
    say(Awaiting::mail, 0);
    for (std::size_t recipient = 0; recipient < transaction.recipients.size(); ++recipient) say(Awaiting::rcpt, recipient);
    say(Awaiting::data, 0);
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
            output.append("RCPT TO:<").append(mail::render_mailbox(transaction.recipients[recipient])).append(">\r\n");
            break;
        default:
            output += "DATA\r\n";
    }
}

void ClientSession::State::say_mail() {
    output.append("MAIL FROM:<").append(mail::render_path(transaction.sender)).append(">");
    if (extensions.size && transaction.size.count != 0) output.append(" SIZE=").append(std::to_string(transaction.size.count));
    if (extensions.eight_bit_mime && transaction.body == mail::BodyType::eight_bit) output += " BODY=8BITMIME";
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
    if (!any_accepted() && !extensions.pipelining) return end_transaction();
    await_in_transaction(Awaiting::data);
}

bool ClientSession::State::any_accepted() const {
    return !mail_refused && std::ranges::any_of(refusals, [](const auto& refusal) { return !refusal; });
}

void ClientSession::State::on_data(Reply reply) {
    if (reply.positive()) return fail_unexpected(std::move(reply));
    if (reply.intermediate() && any_accepted()) {
        awaiting = Awaiting::pieces;
        yield(ContentWanted{});
    } else if (reply.intermediate()) {
        encoder.finish(output);  // an empty content: the server waits for it, nobody gets it
        awaiting = Awaiting::dot;
    } else {
        decide(std::move(reply));
        end_transaction();
    }
}

void ClientSession::State::on_content(Reply reply) {
    if (reply.intermediate() || (early_reply && reply.positive())) return fail_unexpected(std::move(reply));
    needs_rset = !reply.positive();
    decide(std::move(reply));
    end_transaction();
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
            return on_last_words(std::move(reply));
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
    state_->say_hello("EHLO", Awaiting::ehlo);
}

void ClientSession::bind_channel(sasl::ChannelBindings bindings) { state_->bindings = std::move(bindings); }

void ClientSession::begin(Transaction transaction) { state_->begin(std::move(transaction)); }

void ClientSession::content(std::string_view octets) {
    if (state_->awaiting == Awaiting::pieces) state_->encoder.encode(octets, state_->output);
}

void ClientSession::content_end() {
    if (state_->awaiting != Awaiting::pieces) return;
    state_->early_reply = state_->reader.has_leftover();
    state_->encoder.finish(state_->output);
    state_->awaiting = Awaiting::content;
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
