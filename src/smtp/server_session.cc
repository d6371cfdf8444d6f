// How a session moves. Between two commands its Stage says what may come (conversation.cc holds the table); its Mode says how the next
// octets are read: as command lines, as lines of an AUTH exchange, or as content. An event that waits for its answer is `open`, and nothing
// is read meanwhile: so pipelined commands keep their order, and each meets the state its forerunner left.
//
//   receive() ─▶ input ─▶ advance(): one line or one piece of content ─▶ events ─▶ next_event()
//                              └───▶ output (replies the session knows itself)
//   answer() ─▶ settle(): output and the next stage
#include "smtp/server_state.h"

namespace thurn::smtp {

using namespace replies;
using server::Mode;
using server::Open;

namespace {

bool is_bdat(std::string_view text) { return split_command(text.substr(0, 5)).verb == Verb::bdat; }
bool is_auth(std::string_view text) { return split_command(text.substr(0, 5)).verb == Verb::auth; }

}  // namespace

// ---- Reading

bool ServerSession::State::advance() {
    if (group_ended && tell_improper_pipelining()) return true;
    switch (mode) {
        case Mode::greeting:
            return false;
        case Mode::command:
            return read_command();
        case Mode::auth:
            return read_auth_line();
        case Mode::content:
            return read_content();
        case Mode::chunk:
            return read_chunk();
        case Mode::handshake:
        case Mode::closed:
            input.clear();
    }
    return false;
}

bool ServerSession::State::tell_improper_pipelining() {
    if (input.unread().empty() || std::exchange(improper_told, true)) return false;
    events.emplace_back(ImproperPipelining{verb_name(current)});
    return true;
}

/// An AUTH command may carry a long initial response (RFC 4954 §4).
std::size_t ServerSession::State::command_limit() const {
    return auth_possible() && is_auth(input.unread()) ? std::max(options.auth_line, options.command_line) : options.command_line;
}

bool ServerSession::State::read_command() {
    if (const auto* reply = other_protocol_begins()) {
        current = Verb::unknown;
        say_and_close(*reply);
        return true;
    }
    const auto found = input.find_line(command_limit());
    current = Verb::unknown;
    if (found != InputBuffer::Found::line) return on_no_line(found, is_auth(input.head()) ? kAuthLineTooLong : kLineTooLong);
    on_line(input.line());
    input.take_line();
    if (stopping && open == Open::none && mode == Mode::command && !in_content()) say_and_close(kShuttingDown);
    return true;
}

bool ServerSession::State::read_auth_line() {
    const auto found = input.find_line(options.auth_line);
    if (found == InputBuffer::Found::incomplete) return false;
    if (found != InputBuffer::Found::line) {
        auth.reset();
        mode = Mode::command;
        return on_no_line(found, kAuthLineTooLong);
    }
    on_auth_outcome(auth->answer(input.line()));
    input.take_line();
    return true;
}

/// False when octets are missing, or all is over. Behind a BDAT that cannot be read comes content, which must not become commands.
bool ServerSession::State::on_no_line(InputBuffer::Found found, const FixedReply& too_long) {
    if (found == InputBuffer::Found::bare_lf) on_bad_line(input.broken_line(), kBareLf);
    if (found == InputBuffer::Found::too_long) on_bad_line(input.head(), is_bdat(input.head()) ? kLineTooLong : too_long);
    if (found == InputBuffer::Found::endless) say_and_close(kEndlessLine);
    return found != InputBuffer::Found::incomplete && mode != Mode::closed;
}

/// Other programs end their lines with LF, or have long ones; behind both may come what would be taken for commands.
void ServerSession::State::on_bad_line(std::string_view begin, const FixedReply& fault) {
    if (const auto* other = other_protocol(split_command(begin))) return say_and_close(*other);
    is_bdat(begin) ? say_and_close(fault) : refuse(fault);
}

// ---- Events and replies

void ServerSession::State::ask(Open what, ServerEvent event) {
    open = what;
    events.push_back(std::move(event));
}

void ServerSession::State::refuse(const FixedReply& reply) { refuse(verb_name(current), reply); }

/// Permanent refusals count as errors; 4yz is our trouble or our limit, not the client's fault.
void ServerSession::State::refuse(std::string_view what, const FixedReply& reply) {
    auto full = to_reply(reply);
    output += render_reply(full);
    if (full.permanent()) ++errors;
    events.emplace_back(CommandRefused{.verb = std::string(what), .reply = std::move(full)});
}

void ServerSession::State::say_and_close(const FixedReply& reply) {
    refuse(verb_name(current), reply);
    close();
}

void ServerSession::State::close() {
    if (std::exchange(receiving, false)) events.emplace_back(ContentDropped{"the connection is closing"});
    mode = Mode::closed;
    open = Open::none;
    auth.reset();
}

void ServerSession::State::end_transaction() {
    recipients = 0;
    if (in_transaction()) stage = Stage::ready;
}

void ServerSession::State::reset_transaction() {
    if (std::exchange(receiving, false))
        events.emplace_back(ContentDropped{"the client gave up between two chunks"});
    else if (in_transaction())
        events.emplace_back(TransactionReset{});
    end_transaction();
}

/// What an answer does to the state.
void ServerSession::State::settle(bool positive) {
    switch (const auto what = std::exchange(open, Open::none)) {
        case Open::hello:
            if (!positive) break;  // as if it had not been said: a transaction stays, too (RFC 5321 §4.1.4)
            reset_transaction();
            helo_name = std::move(pending_name);
            extended = pending_extended;
            stage = Stage::ready;
            break;
        case Open::secret:
            auth.reset();
            break;
        case Open::credentials:
            auth.reset();
            authenticated = positive;
            break;
        case Open::xclient:
            if (positive) become_proxied();
            break;
        case Open::none:
        case Open::question:
            break;
        default:
            settle_transaction(what, positive);
    }
    if (stopping && mode == Mode::command && !in_content()) say_and_close(kShuttingDown);
}

/// As if another had just connected (XCLIENT_README).
void ServerSession::State::become_proxied() {
    stage = Stage::fresh;
    extended = false;
    helo_name.clear();
    messages = 0;
    authenticated = proxied_login;
    certificate.clear();  // the proxy's
}

void ServerSession::State::settle_transaction(Open what, bool positive) {
    switch (what) {
        case Open::sender:
            if (!positive) break;
            stage = Stage::sender;
            ++messages;
            break;
        case Open::recipient:
            if (!positive) break;
            stage = Stage::recipients;
            ++recipients;
            break;
        case Open::content_begin:
            if (positive) {
                begin_content();
            } else {
                end_transaction();
                chunk.refused = true;
                chunks_follow = true;
            }
            break;
        default:
            end_transaction();
            if (positive) errors = 0;  // a client that delivers mail may err again
    }
}

std::optional<ServerEvent> ServerSession::State::take_event() {
    if (next == events.size()) return std::nullopt;
    std::optional<ServerEvent> event(std::move(events[next++]));
    if (next == events.size()) {
        events.clear();
        next = 0;
    }
    return event;
}

// ---- The session

ServerSession::ServerSession(ServerOptions options) : state_(std::make_unique<State>(std::move(options))) {}
ServerSession::~ServerSession() = default;
ServerSession::ServerSession(ServerSession&&) noexcept = default;
ServerSession& ServerSession::operator=(ServerSession&&) noexcept = default;

void ServerSession::greet() {
    if (state_->mode != Mode::greeting) return;
    state_->output += state_->greeting();
    state_->mode = Mode::command;
}

void ServerSession::greet_with_refusal(const Reply& reply) {
    state_->output += state_->render(reply);
    state_->close();
}

void ServerSession::receive(std::string_view octets) {
    if (state_->mode == Mode::closed || state_->mode == Mode::handshake || octets.empty()) return;
    if (state_->mode == Mode::greeting && state_->input.unread().empty()) state_->events.emplace_back(EarlyTalk{});
    state_->input.append(octets);
}

std::optional<ServerEvent> ServerSession::next_event() {
    for (;;) {
        if (auto event = state_->take_event()) return event;
        if (state_->open != Open::none || !state_->advance()) break;
    }
    auto event = state_->take_event();  // the last step may have closed with a word on it
    if (!event) state_->input.release();
    return event;
}

void ServerSession::accept() {
    if (state_->open == Open::none) return;
    state_->say_for_all(state_->usual_reply());
    state_->settle(true);
}

void ServerSession::accept(std::string text) {
    if (state_->open == Open::none) return;
    state_->say_for_all(state_->usual_reply(std::move(text)));
    state_->settle(true);
}

void ServerSession::answer(const Reply& reply) {
    if (state_->open == Open::none) return;  // timed out or shut down meanwhile
    if (state_->open == Open::credentials && reply.code == kAuthFailedCode && state_->explain_refusal()) return;
    const bool go_on = state_->open == Open::content_begin && reply.intermediate() && state_->mode == Mode::chunk;
    if (!go_on) state_->say_for_all(state_->render(reply));
    if (reply.permanent()) ++state_->errors;
    // Where nobody can be asked now, no password was wrong (RFC 4954 §6, 454).
    if (reply.permanent() && state_->open == Open::credentials) ++state_->auth_failures;
    if (reply.code == 421)
        state_->close();
    else
        state_->settle(reply.positive() || reply.intermediate());
}

void ServerSession::answer_each(const std::vector<Reply>& replies) {
    State& state = *state_;
    if (state.open != Open::content_end) return;  // timed out or shut down meanwhile
    bool any_positive = false;
    for (std::size_t index = 0; index < state.recipients; ++index) {
        const auto reply = index < replies.size() ? replies[index] : to_reply(kNotAnswered);
        state.output += state.render(reply);
        if (reply.permanent()) ++state.errors;
        any_positive = any_positive || reply.positive();
    }
    state.settle(any_positive);
}

void ServerSession::give_secret(sasl::Secret secret) {
    State& state = *state_;
    if (state.open != Open::secret) return;  // timed out or shut down meanwhile
    state.open = Open::none;
    state.on_auth_outcome(state.auth->give(std::move(secret)));
    if (state.stopping && state.open == Open::none) state.say_and_close(kShuttingDown);
}

void ServerSession::offer(ServerExtensions extensions) { state_->options.extensions = std::move(extensions); }

void ServerSession::bind_channel(sasl::ChannelBindings bindings) { state_->bindings = std::move(bindings); }

void ServerSession::certificate_shown(std::vector<std::string> mailboxes) { state_->certificate = std::move(mailboxes); }

void ServerSession::tls_started() {
    State& state = *state_;
    state.input.clear();
    state.options.tls = TlsState::active;
    state.mode = Mode::command;
    state.stage = Stage::fresh;
    state.extended = false;
    state.helo_name.clear();
    state.authenticated = false;  // by XCLIENT in clear; AUTH is not possible there
    state.recipients = 0;
}

void ServerSession::timed_out() {
    if (state_->mode == Mode::handshake) return state_->close();
    if (state_->mode != Mode::closed) state_->say_and_close(kTimedOut);
}

void ServerSession::shut_down() {
    State& state = *state_;
    if (state.mode == Mode::handshake) return state.close();
    if (state.mode == Mode::closed) return;
    state.stopping = true;
    if (state.open == Open::none && !state.in_content()) state.say_and_close(kShuttingDown);
}

bool ServerSession::has_output() const { return !state_->output.empty(); }
std::string ServerSession::take_output() {
    if (state_->open == Open::none) state_->group_ended = false;
    return std::exchange(state_->output, {});
}

std::chrono::seconds ServerSession::time_limit() const {
    return in_content() ? state_->options.content_timeout : state_->options.command_timeout;
}

bool ServerSession::in_transaction() const { return state_->in_transaction(); }
bool ServerSession::in_content() const { return state_->in_content(); }
bool ServerSession::closed() const { return state_->mode == Mode::closed; }
bool ServerSession::extended() const { return state_->extended; }
const std::string& ServerSession::helo_name() const { return state_->helo_name; }

}  // namespace thurn::smtp
