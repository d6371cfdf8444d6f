// What each command does. Its legal order is the table of conversation.cc, its syntax command.cc.
#include "base/ascii.h"
#include "smtp/server_state.h"
#include "smtp/wipe.h"

#include <algorithm>
#include <array>
#include <span>

namespace thurn::smtp {

using namespace replies;

namespace {

/// Also of a method we have not heard of: its body could hold commands.
bool is_http_request(const CommandLine& command) {
    if (command.verb != Verb::unknown) return false;
    return is_http_method(command.word) || command.argument.starts_with("HTTP/") || command.argument.contains(" HTTP/");
}

bool is_one_of(std::string_view word, std::span<const std::string_view> words) {
    return std::ranges::any_of(words, [word](auto known) { return base::equal_ignoring_case(word, known); });
}

/// What a server should never hear first: a header field, of a request whose beginning was lost or of a message without its envelope; the
/// word of a load balancer we do not listen to; SSH; POP3 or FTP; IMAP, whose commands stand behind a tag.
bool is_other_opening(const CommandLine& command) {
    static constexpr std::array<std::string_view, 6> kWords{"PROXY", "USER", "CAPA", "APOP", "STLS", "FEAT"};
    static constexpr std::array<std::string_view, 7> kTagged{"LOGIN", "CAPABILITY", "AUTHENTICATE", "STARTTLS", "ID", "NOOP", "LOGOUT"};
    if (command.verb != Verb::unknown || command.word.empty()) return false;
    const auto behind_tag = command.argument.substr(0, command.argument.find(' '));
    return is_one_of(command.word, kWords) || is_one_of(behind_tag, kTagged) || command.word.starts_with("SSH-") ||
           (command.word.size() > 1 && command.word.ends_with(':'));
}

constexpr char kTlsRecord = 0x16;  // of a handshake: what a ClientHello begins with (RFC 8446 §5.1)

bool is_control(char octet) {
    const auto value = static_cast<unsigned char>(octet);
    return (value < 0x20 && octet != '\t') || value == 0x7f;
}

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

}  // namespace

/// Judged before a line is there, which a binary protocol may never end: no command begins with anything but a letter. (White space and an
/// empty line are a matter of on_command(): some program may have them by mistake.)
const FixedReply* ServerSession::State::other_protocol_begins() const {
    if (stage != Stage::fresh || !input.at_line_start() || input.unread().empty()) return nullptr;
    const char first = input.unread().front();
    if (base::is_letter(first) || std::string_view(" \t\r\n").contains(first)) return nullptr;
    return first == kTlsRecord ? &kTls : &kNotSmtp;
}

const FixedReply* ServerSession::State::other_protocol(const CommandLine& command) const {
    if (is_http_request(command)) return &kHttp;
    return stage == Stage::fresh && is_other_opening(command) ? &kNotSmtp : nullptr;
}

const FixedReply* ServerSession::State::limit_reached() const {
    if (commands >= options.commands) return &kTooManyCommands;
    if (errors >= options.errors) return &kTooManyErrors;
    if (auth_failures >= options.auth_failures) return &kTooManyLogins;
    return nullptr;
}

void ServerSession::State::on_line(std::string_view line) {
    const auto command = split_command(line);
    if (const auto* limit = limit_reached(); limit && command.verb != Verb::quit) return say_and_close(*limit);
    current = command.verb;
    if (stage != Stage::chunks || current != Verb::bdat) ++commands;  // further chunks count by what they bring: on(BdatCommand&)
    if (!extended || ends_group(current)) group_ended = true;
    if (current != Verb::bdat) chunks_follow = false;
    if (const auto* reply = other_protocol(command)) return say_and_close(*reply);
    if (std::ranges::any_of(line, is_control)) return command.verb == Verb::bdat ? say_and_close(kControlOctet) : refuse(kControlOctet);
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
            .utf8 = utf8,
            .addresses = options.addresses};
}

void ServerSession::State::hello(std::string name, bool with_extensions) {
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
    question_utf8 = command.utf8;
    ask(Open::question, VerifyWanted{.text = std::move(command.text), .utf8 = command.utf8});
}

void ServerSession::State::on(ExpnCommand& command) {
    question_utf8 = command.utf8;
    ask(Open::question, ExpandWanted{.text = std::move(command.text), .utf8 = command.utf8});
}

void ServerSession::State::on(XclientCommand& command) {
    const auto* login = find_attribute(command.attributes, ProxyAttribute::Name::login);
    proxied_login = login && login->known == ProxyAttribute::Known::given;
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
    if (auto* wanted = std::get_if<sasl::CramMd5SecretWanted>(&outcome))
        return ask(Open::secret, SecretWanted{.mechanism = auth_mechanism, .login = std::move(wanted->login), .hash = sasl::Hash::md5});
    if (auto* claim = std::get_if<sasl::Claim>(&outcome)) return on_claim(*claim);
    auth.reset();
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
    } else if (auto* shown = std::get_if<sasl::CertificateClaim>(&claim)) {
        given.login = login_of_certificate(shown->authorization);
        given.authorization = std::move(shown->authorization);
        given.proof = CredentialsGiven::Proof::certificate;
    } else if (auto* token = std::get_if<sasl::TokenClaim>(&claim)) {
        given.authorization = std::move(token->authorization);
        given.password = std::move(token->token);
        given.proof = CredentialsGiven::Proof::token;
        wipe(token->token);
    }
    ask(Open::credentials, std::move(given));
}

/// Of several mailboxes, the one that the client wants to be.
std::string ServerSession::State::login_of_certificate(std::string_view authorization) const {
    const auto wanted = std::ranges::find_if(
        certificate, [authorization](const auto& mailbox) { return base::equal_ignoring_case(mailbox, authorization); });
    return wanted == certificate.end() ? certificate.front() : *wanted;
}

/// What is wrong with a token is told in a last challenge, and 535 only after its answer (RFC 7628 §3.2.3).
bool ServerSession::State::explain_refusal() {
    const auto line = auth && !stopping ? auth->refuse() : std::nullopt;
    if (!line) return false;
    open = Open::none;
    mode = Mode::auth;
    output += *line;
    return true;
}

}  // namespace thurn::smtp
