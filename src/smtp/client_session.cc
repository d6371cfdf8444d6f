// The client knows at every moment which command's reply comes next: that is `awaiting`, its whole state. With PIPELINING several commands
// are on their way, but their replies come in order (RFC 2920 §3.2), so `awaiting` walks through them one by one:
//
//   greeting ─▶ ehlo (─▶ helo) ─▶ starttls ─▶ handshake ─▶ ehlo ─▶ auth ─▶ nothing (ready)
//   begin():    rset ─▶ mail ─▶ rcpt … rcpt ─▶ data ─▶ content() … content_end() ─▶ content ─▶ nothing
//                                     │          └─▶ (354, but no recipient) dot ─▶ nothing
//                                     └─▶ (by BDAT) content(), each piece a chunk … content_end() ─▶ content ─▶ nothing
//
// Without PIPELINING a command leaves when `awaiting` comes to it, and a refusal ends the walk early.
#include "smtp/client_state.h"
#include "smtp/wipe.h"

namespace thurn::smtp {

using base::ErrorKind;
using client::Awaiting;

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

/// In LMTP some recipients may have the message for good when the conversation breaks: who is told only that it broke would send it again.
void ClientSession::State::tell_finals() {
    if (awaiting != Awaiting::content || next_final == 0) return;
    std::vector<std::size_t> unanswered;
    for (std::size_t index = next_final; index < refusals.size(); ++index)
        if (!refusals[index]) unanswered.push_back(index);
    decide(make_reply(451, {4, 4, 2}, "no reply came for this recipient"));
    end_transaction(std::move(unanswered));
}

void ClientSession::State::fail(ErrorKind kind, std::string detail, std::optional<Reply> reply) {
    tell_finals();
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

bool ClientSession::wants_content() const { return state_->awaiting == Awaiting::pieces && !state_->decision; }

bool ClientSession::awaits_chunk_reply() {
    state_->read_chunk_replies();
    return wants_content() && state_->chunks_unanswered > 0 && !state_->extensions.pipelining;
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
        case Awaiting::ehlo:
        case Awaiting::helo:
            return state_->options.hello_timeout;
        case Awaiting::mail:
            return state_->options.mail_timeout;
        case Awaiting::rcpt:
            return state_->options.rcpt_timeout;
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
