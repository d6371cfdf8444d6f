// How a session moves. Between two commands its Stage says what may come (conversation.cc holds the table); its Mode says how the next
// octets are read: as command lines, as lines of an AUTH exchange, or as content. An event that waits for its answer is `open`, and nothing
// is read meanwhile: so pipelined commands keep their order, and each meets the state its forerunner left.
//
//   receive() ─▶ input ─▶ advance(): one line or one piece of content ─▶ events ─▶ next_event()
//                              └───▶ output (replies the session knows itself)
//   answer() ─▶ settle(): output and the next stage
#include "smtp/server_session.h"

#include "base/ascii.h"
#include "smtp/auth_exchange.h"
#include "smtp/conversation.h"
#include "smtp/dot_codec.h"
#include "smtp/help.h"
#include "smtp/input_buffer.h"
#include "smtp/server_replies.h"
#include "smtp/wipe.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace thurn::smtp {

using namespace replies;

namespace {

/// How the next octets are read.
enum class Mode {
    greeting,  // not said yet; nothing is read
    command,
    auth,
    content,
    chunk,      // of content, or of what nobody wants
    handshake,  // 220 to STARTTLS is said; plaintext is discarded
    closed,
};

/// The event that waits for its answer.
enum class Open {
    none,
    hello,
    secret,
    credentials,
    sender,
    recipient,
    content_begin,
    content_end,
    question,
    xclient
};  // `question`: its answer changes nothing

bool is_control(char octet) {
    const auto value = static_cast<unsigned char>(octet);
    return (value < 0x20 && octet != '\t') || value == 0x7f;
}

/// Octets of one BDAT that have not come yet. `last`: they end the content. `refused`: answered already, and dropped as they come.
struct Chunk {
    std::uint64_t left = 0;
    bool last = false;
    bool refused = false;
};

/// Commands that a client must send as the last of a group (RFC 2920 §3.1; RFC 3207 §4; RFC 4954 §4).
bool ends_group(Verb verb) {
    switch (verb) {
        case Verb::helo:
        case Verb::ehlo:
        case Verb::lhlo:
        case Verb::data:
        case Verb::noop:
        case Verb::vrfy:
        case Verb::expn:
        case Verb::starttls:
        case Verb::auth:
        case Verb::xclient:
            return true;
        default:
            return false;
    }
}

bool is_bdat(std::string_view text) { return split_command(text.substr(0, 5)).verb == Verb::bdat; }
bool is_auth(std::string_view text) { return split_command(text.substr(0, 5)).verb == Verb::auth; }

}  // namespace

struct ServerSession::State {
    explicit State(ServerOptions given) : options(std::move(given)) {}

    // One step of the conversation; false when it needs more octets or an answer.
    bool advance();
    bool read_command();
    bool read_auth_line();
    bool read_content();
    bool read_chunk();
    bool on_no_line(InputBuffer::Found found, const FixedReply& too_long);
    [[nodiscard]] std::size_t command_limit() const;

    // Commands
    void on_line(std::string_view line);
    void on_command(const CommandLine& line);
    [[nodiscard]] const FixedReply* limit_reached() const;
    [[nodiscard]] const FixedReply* not_provided(Verb verb) const;
    [[nodiscard]] Provided provided() const;
    [[nodiscard]] bool tell_improper_pipelining();
    [[nodiscard]] ParameterRules parameter_rules() const;
    void on(HeloCommand& command) { hello(std::move(command.name), false); }
    void on(EhloCommand& command) { hello(std::move(command.name), true); }
    void on(LhloCommand& command) { hello(std::move(command.name), true); }
    void on(MailCommand& command);
    void on(RcptCommand& command);
    void on(DataCommand&);
    void on(BdatCommand& command);
    void on(RsetCommand&);
    void on(NoopCommand&) { output += kOk; }
    void on(QuitCommand&);
    void on(VrfyCommand& command);
    void on(ExpnCommand& command) { ask(Open::question, ExpandWanted{.text = std::move(command.text), .utf8 = command.utf8}); }
    void on(HelpCommand& command) { output += render_reply(help(command.topic, provided())); }
    void on(EtrnCommand& command) { ask(Open::question, QueueRunWanted(std::move(command))); }
    void on(XclientCommand& command);
    void on(XforwardCommand& command) { ask(Open::question, XforwardGiven{std::move(command.attributes)}); }
    void on(StartTlsCommand&);
    void on(AuthCommand& command);
    void on(UnknownCommand&) {}
    void hello(std::string name, bool with_extensions);
    [[nodiscard]] const FixedReply* mail_refused(const MailCommand& command) const;
    [[nodiscard]] const FixedReply* auth_refused() const;
    void on_auth_outcome(AuthExchange::Outcome outcome);
    void on_claim(sasl::Claim& claim);

    // Content
    void begin_content();
    [[nodiscard]] bool take_content(std::string_view octets);
    void on_content_end();
    void on_chunk_end();
    void skip_chunk(const CommandLine& line, const FixedReply& refusal);
    void end_text();
    void refuse_content();
    void drop_content(const FixedReply& reply);
    [[nodiscard]] const FixedReply& fault_reply() const;

    // Events and replies
    void ask(Open what, ServerEvent event);
    void refuse(const FixedReply& reply);
    void refuse(std::string_view what, const FixedReply& reply);
    void say_and_close(const FixedReply& reply);
    void close();
    void settle(bool positive);
    void say_for_all(std::string_view reply);
    void become_proxied();
    [[nodiscard]] std::string greeting() const;
    void settle_transaction(Open what, bool positive);
    void end_transaction();
    void reset_transaction();
    [[nodiscard]] std::optional<ServerEvent> take_event();
    [[nodiscard]] std::string hello_reply(std::string_view words) const;
    [[nodiscard]] std::string usual_reply() const;
    [[nodiscard]] std::string usual_reply(std::string text) const;

    [[nodiscard]] sasl::ServerContext auth_context() const {
        return {.random = options.random, .bindings = bindings, .hostname = options.hostname};
    }
    [[nodiscard]] bool auth_possible() const { return options.auth != AuthRule::off && options.tls == TlsState::active && !authenticated; }
    [[nodiscard]] bool in_transaction() const { return stage == Stage::sender || stage == Stage::recipients || stage == Stage::chunks; }
    [[nodiscard]] bool in_content() const { return mode == Mode::content || mode == Mode::chunk || stage == Stage::chunks; }

    ServerOptions options;
    InputBuffer input;
    std::string output;
    std::vector<ServerEvent> events;
    std::size_t next = 0;  // first of `events` not yet yielded

    Mode mode = Mode::greeting;
    Stage stage = Stage::fresh;
    Open open = Open::none;
    bool stopping = false;
    bool authenticated = false;
    bool extended = false;
    bool pending_extended = false;
    std::string helo_name;
    std::string pending_name;  // of the HelloGiven that is open

    Utf8 utf8 = Utf8::refused;  // of the transaction
    std::size_t recipients = 0;
    std::size_t messages = 0;
    std::size_t commands = 0;
    std::size_t errors = 0;
    std::size_t auth_failures = 0;

    std::optional<bool> proxied_login;  // of the XclientGiven that is open
    bool group_ended = false;           // by a command whose reply is not taken yet
    bool improper_told = false;
    Verb current = Verb::unknown;  // of the command being answered

    std::unique_ptr<AuthExchange> auth;
    std::string auth_mechanism;
    sasl::ChannelBindings bindings;

    mail::BodyType body = mail::BodyType::seven_bit;  // of the transaction
    Chunk chunk;
    bool chunks_follow = false;  // a chunk was refused; those that were on their way behind it are no fault of the client
    DotDecoder decoder;
    std::uint64_t content_octets = 0;
    bool receiving = false;  // ContentBegins was accepted, and neither ContentEnded nor ContentDropped told
    const FixedReply* content_refusal = nullptr;
};

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
    if (found == InputBuffer::Found::bare_lf) is_bdat(input.unread()) ? say_and_close(kBareLf) : refuse(kBareLf);
    if (found == InputBuffer::Found::too_long) is_bdat(input.head()) ? say_and_close(kLineTooLong) : refuse(too_long);
    if (found == InputBuffer::Found::endless) say_and_close(kEndlessLine);
    return found != InputBuffer::Found::incomplete && mode != Mode::closed;
}

// ---- Commands

const FixedReply* ServerSession::State::limit_reached() const {
    if (commands >= options.commands) return &kTooManyCommands;
    if (errors >= options.errors) return &kTooManyErrors;
    if (auth_failures >= options.auth_failures) return &kTooManyLogins;
    return nullptr;
}

void ServerSession::State::on_line(std::string_view line) {
    const auto command = split_command(line);
    if (const auto* limit = limit_reached(); limit && command.verb != Verb::quit) return say_and_close(*limit);
    ++commands;
    current = command.verb;
    if (!extended || ends_group(current)) group_ended = true;
    if (current != Verb::bdat) chunks_follow = false;
    if (std::ranges::any_of(line, is_control)) return command.verb == Verb::bdat ? say_and_close(kControlOctet) : refuse(kControlOctet);
    if (command.verb == Verb::unknown && is_http_method(command.word)) return say_and_close(kHttp);
    on_command(command);
}

const FixedReply* ServerSession::State::not_provided(Verb verb) const {
    const bool lmtp = options.protocol == Protocol::lmtp;
    const auto unknown_unless = [](bool known) { return known ? nullptr : &kUnknown; };
    switch (verb) {
        case Verb::helo:
        case Verb::ehlo:
            return unknown_unless(!lmtp);  // RFC 2033 §4.1
        case Verb::lhlo:
            return unknown_unless(lmtp);
        case Verb::data:
            return lmtp && stage == Stage::sender ? &kNoLmtpRecipients : nullptr;
        case Verb::bdat:
            return options.extensions.chunking ? nullptr : &kNoChunking;
        case Verb::expn:
            return options.extensions.expn ? nullptr : &kNoExpn;
        case Verb::etrn:
            return unknown_unless(options.extensions.etrn);
        case Verb::xclient:
            return unknown_unless(options.extensions.xclient);
        case Verb::xforward:
            return unknown_unless(options.extensions.xforward);
        default:
            return nullptr;
    }
}

Provided ServerSession::State::provided() const {
    Provided result{};
    for (std::size_t index = 0; index + 1 < kVerbs; ++index) {
        const auto verb = static_cast<Verb>(index);
        result[index] = verb == Verb::data || !not_provided(verb);
    }
    result[static_cast<std::size_t>(Verb::starttls)] = options.tls == TlsState::offered;
    result[static_cast<std::size_t>(Verb::auth)] = auth_possible();
    return result;
}

void ServerSession::State::on_command(const CommandLine& line) {
    const auto* refusal = not_provided(line.verb);
    if (!refusal) refusal = refused_now(stage, line.verb);
    if (refusal) return line.verb == Verb::bdat ? skip_chunk(line, *refusal) : refuse(*refusal);
    auto command = parse_command(line, parameter_rules());
    if (!command) return line.verb == Verb::bdat ? say_and_close(command.error()) : refuse(command.error());
    std::visit([this](auto& parsed) { on(parsed); }, *command);
}

ParameterRules ServerSession::State::parameter_rules() const {
    const bool under_tls = options.tls == TlsState::active;
    return {.extensions = options.extensions,
            .auth = under_tls && options.auth != AuthRule::off ? AuthParameter::known : AuthParameter::unknown,
            .transport = under_tls ? Transport::tls : Transport::clear,
            .utf8 = utf8};
}

void ServerSession::State::hello(std::string name, bool with_extensions) {
    reset_transaction();
    pending_name = name;
    pending_extended = with_extensions;
    ask(Open::hello, HelloGiven{.name = std::move(name), .extended = with_extensions});
}

const FixedReply* ServerSession::State::mail_refused(const MailCommand& command) const {
    if (options.auth == AuthRule::required && !authenticated) return options.tls == TlsState::offered ? &kTlsRequired : &kAuthRequired;
    const auto limit = options.message_size.count;
    if (limit != 0 && command.parameters.size && command.parameters.size->count > limit) return &kTooBig;
    return nullptr;
}

void ServerSession::State::on(MailCommand& command) {
    if (const auto* refusal = mail_refused(command)) return refuse(*refusal);
    if (options.messages != 0 && messages >= options.messages) return say_and_close(kTooManyMessages);
    body = command.parameters.body;
    utf8 = command.parameters.smtputf8 ? Utf8::allowed : Utf8::refused;
    ask(Open::sender, SenderGiven{.path = std::move(command.path), .parameters = std::move(command.parameters)});
}

void ServerSession::State::on(RcptCommand& command) {
    if (recipients >= options.recipients) return refuse(kTooManyRecipients);  // earlier ones stay, RFC 5321 §4.5.3.1.10
    ask(Open::recipient, RecipientGiven{.mailbox = std::move(command.mailbox), .parameters = std::move(command.parameters)});
}

void ServerSession::State::on(RsetCommand&) {
    reset_transaction();
    output += kOk;
}

void ServerSession::State::on(DataCommand&) {
    if (body == mail::BodyType::binary) return refuse(kBinaryByData);
    ask(Open::content_begin, ContentBegins{});
}

void ServerSession::State::on(VrfyCommand& command) {
    if (!options.extensions.vrfy) {
        output += kVerify;  // RFC 5321 §7.3
        return;
    }
    ask(Open::question, VerifyWanted{.text = std::move(command.text), .utf8 = command.utf8});
}

void ServerSession::State::on(XclientCommand& command) {
    const auto* login = find_attribute(command.attributes, ProxyAttribute::Name::login);
    proxied_login = login ? std::optional(login->known == ProxyAttribute::Known::given) : std::nullopt;
    ask(Open::xclient, XclientGiven{std::move(command.attributes)});
}

void ServerSession::State::on(QuitCommand&) {
    output.append("221 2.0.0 ").append(options.hostname).append(" closing connection\r\n");
    close();
}

void ServerSession::State::on(StartTlsCommand&) {
    if (options.tls == TlsState::unavailable) return refuse(kTlsNotAvailable);
    if (options.tls == TlsState::active) return refuse(kTlsActive);
    output += kStartTls;
    mode = Mode::handshake;
    events.emplace_back(TlsWanted{});
}

const FixedReply* ServerSession::State::auth_refused() const {
    if (options.auth == AuthRule::off) return &kAuthNotAvailable;
    if (options.tls != TlsState::active) return options.tls == TlsState::offered ? &kAuthNeedsTls : &kAuthNotAvailable;
    return authenticated ? &kAuthDone : nullptr;
}

void ServerSession::State::on(AuthCommand& command) {
    if (const auto* refusal = auth_refused()) return refuse(*refusal);
    const auto context = auth_context();
    const auto is_meant = [&](std::string_view name) { return base::equal_ignoring_case(name, command.mechanism); };
    if (std::ranges::none_of(sasl::offered_mechanisms(context), is_meant)) return refuse(kAuthMechanism);
    auth = std::make_unique<AuthExchange>(sasl::make_server_mechanism(command.mechanism, context));
    auth_mechanism = std::move(command.mechanism);
    on_auth_outcome(auth->begin(command.initial));
}

void ServerSession::State::on_auth_outcome(AuthExchange::Outcome outcome) {
    if (auto* challenge = std::get_if<std::string>(&outcome)) {
        output += *challenge;
        mode = Mode::auth;
        return;
    }
    mode = Mode::command;
    if (auto* wanted = std::get_if<sasl::ScramSecretWanted>(&outcome))
        return ask(Open::secret, SecretWanted{.mechanism = auth_mechanism, .login = std::move(wanted->login), .hash = wanted->hash});
    auth.reset();
    if (auto* claim = std::get_if<sasl::Claim>(&outcome)) return on_claim(*claim);
    const auto& reply = std::get<FixedReply>(outcome);
    if (reply.code == kAuthFailedCode) ++auth_failures;
    refuse("AUTH", reply);
}

/// Of the mechanisms that are offered.
void ServerSession::State::on_claim(sasl::Claim& claim) {
    CredentialsGiven given{.mechanism = std::move(auth_mechanism), .authorization = {}, .login = {}, .password = {}};
    if (auto* claimed = std::get_if<sasl::PasswordClaim>(&claim)) {
        given.authorization = std::move(claimed->authorization);
        given.login = std::move(claimed->login);
        given.password = std::move(claimed->password);
        wipe(claimed->password);
    } else if (auto* proven = std::get_if<sasl::IdentityProven>(&claim)) {
        given.authorization = std::move(proven->authorization);
        given.login = std::move(proven->login);
        given.proof = CredentialsGiven::Proof::proven;
    }
    ask(Open::credentials, std::move(given));
}

// ---- Content

void ServerSession::State::begin_content() {
    if (mode == Mode::command) mode = Mode::content;
    decoder = DotDecoder(options.content_line, mode == Mode::content ? Dots::stuffed : Dots::plain);
    content_octets = 0;
    content_refusal = nullptr;
    receiving = true;
}

/// Yields one piece, or finds out that none may come any more; either way the end is looked for.
bool ServerSession::State::read_content() {
    while (!input.unread().empty() && !decoder.ended()) {
        const auto step = decoder.step(input.unread());
        input.consume(step.consumed);
        if (take_content(step.content)) return true;
    }
    if (!decoder.ended()) return false;
    on_content_end();
    return true;
}

/// True when there is an event to tell.
bool ServerSession::State::take_content(std::string_view octets) {
    content_octets += octets.size();
    if (content_refusal) return false;
    if (decoder.fault() != ContentFault::none) {
        drop_content(fault_reply());
        return true;
    }
    if (options.message_size.count != 0 && content_octets > options.message_size.count) {
        drop_content(kTooBig);
        return true;
    }
    if (octets.empty()) return false;
    events.emplace_back(ContentChunk{octets});
    return true;
}

void ServerSession::State::on_content_end() {
    mode = Mode::command;
    if (stage == Stage::chunks) stage = Stage::recipients;
    if (content_refusal) return refuse_content();
    receiving = false;
    ask(Open::content_end, ContentEnded{});
}

/// The envelope goes with the content, RFC 5321 §4.1.1.4.
void ServerSession::State::refuse_content() {
    const bool for_each = options.protocol == Protocol::lmtp && (current == Verb::data || chunk.last);  // RFC 2033 §4.3
    const auto others = for_each ? recipients - 1 : 0;
    end_transaction();
    chunks_follow = true;
    const auto& reply = *std::exchange(content_refusal, nullptr);
    refuse(reply);
    for (std::size_t count = 0; count < others; ++count) output += render_reply(to_reply(reply));
    if (stopping) say_and_close(kShuttingDown);
}

// ---- Chunks (RFC 3030)

void ServerSession::State::on(BdatCommand& command) {
    chunk = {.left = command.size.count, .last = command.last, .refused = false};
    mode = Mode::chunk;
    if (stage == Stage::recipients) ask(Open::content_begin, ContentBegins{});
}

/// The chunk was sent with the command and is read whatever becomes of it: none of it is a command.
void ServerSession::State::skip_chunk(const CommandLine& line, const FixedReply& refusal) {
    const auto command = parse_command(line, parameter_rules());
    if (!command) return say_and_close(command.error());
    refuse(refusal);
    if (chunks_follow) --errors;
    chunk = {.left = std::get<BdatCommand>(*command).size.count, .last = false, .refused = true};
    mode = Mode::chunk;
}

bool ServerSession::State::read_chunk() {
    while (chunk.left > 0 && !input.unread().empty()) {
        const auto wire = input.unread().substr(0, chunk.left);
        const bool as_it_is = chunk.refused || content_refusal || body == mail::BodyType::binary;
        const auto step = as_it_is ? DotDecoder::Step{.content = wire, .consumed = wire.size()} : decoder.step(wire);
        input.consume(step.consumed);
        chunk.left -= step.consumed;
        if (!chunk.refused && take_content(step.content)) return true;
    }
    if (chunk.left > 0) return false;
    on_chunk_end();
    return true;
}

void ServerSession::State::on_chunk_end() {
    mode = Mode::command;
    if (chunk.refused) {
        if (stopping && stage != Stage::chunks) say_and_close(kShuttingDown);
        return;
    }
    stage = Stage::chunks;
    if (!content_refusal && !chunk.last) {
        output += kOk;
        return;
    }
    if (!content_refusal && body != mail::BodyType::binary) end_text();
    on_content_end();
}

/// Every line of a text ends (RFC 5321 §2.3.8), the last one too: what goes on from here goes by lines.
void ServerSession::State::end_text() { static_cast<void>(take_content(decoder.finish())); }

/// The reply waits for the true end: before it, every octet is content (RFC 5321 §4.5.3.1.9).
void ServerSession::State::drop_content(const FixedReply& reply) {
    content_refusal = &reply;
    receiving = false;
    events.emplace_back(ContentDropped{std::string(reply.text)});
}

const FixedReply& ServerSession::State::fault_reply() const {
    switch (decoder.fault()) {
        case ContentFault::nul:
            return kNulInContent;
        case ContentFault::line_too_long:
            return kContentLineTooLong;
        default:
            return kBareInContent;
    }
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
            if (!positive) break;  // as if it had not been said, RFC 5321 §4.1.4
            helo_name = std::move(pending_name);
            extended = pending_extended;
            stage = Stage::ready;
            break;
        case Open::secret:
            auth.reset();
            break;
        case Open::credentials:
            authenticated = positive;
            if (!positive) ++auth_failures;
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
    if (proxied_login) authenticated = *proxied_login;
}

/// To the end of content, and to a last chunk refused at once: for each recipient (RFC 2033 §4.2, §4.3). To all else, once.
void ServerSession::State::say_for_all(std::string_view reply) {
    const bool end = open == Open::content_end || (open == Open::content_begin && mode == Mode::chunk && chunk.last);
    const bool each = end && options.protocol == Protocol::lmtp;
    for (std::size_t count = each ? recipients : 1; count > 0; --count) output += reply;
}

std::string ServerSession::State::greeting() const {
    return render_reply({.code = 220, .status = std::nullopt, .lines = {options.hostname + ' ' + options.greeting}});
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

/// Lists only what is legal now: no STARTTLS under TLS, no AUTH without it or when it is done.
std::string ServerSession::State::hello_reply(std::string_view words) const {
    std::string first = options.hostname;
    if (!words.empty()) first.append(" ").append(words);
    Reply reply{.code = 250, .status = std::nullopt, .lines = {std::move(first)}};
    if (pending_extended) {
        append_extensions(options.extensions, {options.message_size, options.recipients, options.messages}, parameter_rules().transport,
                          reply.lines);
        if (options.tls == TlsState::offered) reply.lines.emplace_back("STARTTLS");
        if (auth_possible()) {
            auto& line = reply.lines.emplace_back("AUTH");
            for (const auto mechanism : sasl::offered_mechanisms(auth_context())) line.append(" ").append(mechanism);
        }
        reply.lines.emplace_back("ENHANCEDSTATUSCODES");
    }
    return render_reply(reply);
}

std::string ServerSession::State::usual_reply() const {
    switch (open) {
        case Open::hello:
            return hello_reply("");
        case Open::credentials:
            return std::string(kLoginOk);
        case Open::sender:
            return std::string(kSenderOk);
        case Open::recipient:
            return std::string(kRecipientOk);
        case Open::content_begin:
            return std::string(mode == Mode::chunk ? "" : kContentWanted);
        case Open::content_end:
            return std::string(kOk);
        case Open::question:
            return std::string(current == Verb::etrn ? kQueueRun : current == Verb::xforward ? kOk : kVerify);
        case Open::xclient:
            return greeting();
        case Open::secret:
        case Open::none:
            break;
    }
    return {};
}

/// The usual code and status with other words; words that bring a status of their own keep it.
std::string ServerSession::State::usual_reply(std::string text) const {
    if (open == Open::hello) return hello_reply(text);
    if (open == Open::content_begin && mode == Mode::chunk) return {};  // BDAT is answered at its end
    Reply reply{.code = 250, .status = mail::EnhancedStatus{2, 0, 0}, .lines = {}};
    switch (open) {
        case Open::credentials:
            reply.code = 235;
            reply.status = {2, 7, 0};
            break;
        case Open::sender:
            reply.status = {2, 1, 0};
            break;
        case Open::recipient:
            reply.status = {2, 1, 5};
            break;
        case Open::content_begin:
            reply.code = 354;
            reply.status.reset();
            break;
        case Open::xclient:
            reply.code = 220;
            reply.status.reset();
            break;
        default:
            break;
    }
    if (mail::leading_status(text)) reply.status.reset();
    reply.lines.push_back(std::move(text));
    return render_reply(reply);
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
    state_->output += render_reply(reply);
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
    const bool go_on = state_->open == Open::content_begin && reply.intermediate() && state_->mode == Mode::chunk;
    if (!go_on) state_->say_for_all(render_reply(reply));
    if (reply.permanent()) ++state_->errors;
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
        state.output += render_reply(reply);
        if (reply.permanent()) ++state.errors;
        any_positive = any_positive || reply.positive();
    }
    state.settle(any_positive);
}

void ServerSession::give_secret(sasl::ScramSecret secret) {
    State& state = *state_;
    if (state.open != Open::secret) return;  // timed out or shut down meanwhile
    state.open = Open::none;
    state.on_auth_outcome(state.auth->give(std::move(secret)));
    if (state.stopping && state.open == Open::none) state.say_and_close(kShuttingDown);
}

void ServerSession::bind_channel(sasl::ChannelBindings bindings) { state_->bindings = std::move(bindings); }

void ServerSession::tls_started() {
    State& state = *state_;
    state.input.clear();
    state.options.tls = TlsState::active;
    state.mode = Mode::command;
    state.stage = Stage::fresh;
    state.extended = false;
    state.helo_name.clear();
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

bool ServerSession::in_content() const { return state_->in_content(); }
bool ServerSession::closed() const { return state_->mode == Mode::closed; }
bool ServerSession::extended() const { return state_->extended; }
const std::string& ServerSession::helo_name() const { return state_->helo_name; }

}  // namespace thurn::smtp
