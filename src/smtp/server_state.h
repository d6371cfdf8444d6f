#pragma once

#include "smtp/auth_exchange.h"
#include "smtp/command.h"
#include "smtp/conversation.h"
#include "smtp/dot_codec.h"
#include "smtp/help.h"
#include "smtp/input_buffer.h"
#include "smtp/server_replies.h"
#include "smtp/server_session.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// The inside of ServerSession, for its own files only. server_session.cc tells how it moves; server_commands.cc what each command does,
// server_content.cc how DATA and BDAT are read, server_answers.cc what is said when an event is accepted.
namespace thurn::smtp {

namespace server {

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
    question,  // its answer changes nothing
    xclient,
};

/// Octets of one BDAT that have not come yet. `last`: they end the content. `refused`: answered already, and dropped as they come.
struct Chunk {
    std::uint64_t left = 0;
    bool last = false;
    bool refused = false;
};

}  // namespace server

struct ServerSession::State {
    using Mode = server::Mode;
    using Open = server::Open;
    using Chunk = server::Chunk;

    explicit State(ServerOptions given) : options(std::move(given)) {}

    // One step of the conversation; false when it needs more octets or an answer.
    bool advance();
    bool read_command();
    bool read_auth_line();
    bool read_content();
    bool read_chunk();
    bool on_no_line(InputBuffer::Found found, const FixedReply& too_long);
    void on_bad_line(std::string_view begin, const FixedReply& fault);
    [[nodiscard]] std::size_t command_limit() const;

    // Commands
    void on_line(std::string_view line);
    void on_command(const CommandLine& line);
    [[nodiscard]] const FixedReply* other_protocol_begins() const;
    [[nodiscard]] const FixedReply* other_protocol(const CommandLine& command) const;
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
    void on(NoopCommand&) { output += replies::kOk; }
    void on(QuitCommand&);
    void on(VrfyCommand& command);
    void on(ExpnCommand& command);
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
    [[nodiscard]] std::string login_of_certificate(std::string_view authorization) const;
    [[nodiscard]] bool explain_refusal();

    // Content
    void begin_content();
    [[nodiscard]] bool take_content(std::string_view octets);
    [[nodiscard]] bool drop_refused(std::size_t octets);
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
    [[nodiscard]] Utf8 reply_utf8() const;
    [[nodiscard]] std::string render(const Reply& reply) const;
    [[nodiscard]] std::optional<ServerEvent> take_event();
    [[nodiscard]] std::string hello_reply(std::string_view words) const;
    [[nodiscard]] std::string usual_reply() const;
    [[nodiscard]] std::string usual_reply(std::string text) const;

    [[nodiscard]] sasl::ServerContext auth_context() const {
        return {.random = options.random,
                .bindings = bindings,
                .hostname = options.hostname,
                .certificate = !certificate.empty(),
                .tokens = options.tokens,
                .scram = options.scram,
                .cram_md5 = options.cram_md5};
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

    Utf8 utf8 = Utf8::refused;           // of the transaction
    Utf8 question_utf8 = Utf8::refused;  // of the VRFY or EXPN that is open
    std::size_t recipients = 0;
    std::size_t messages = 0;
    std::size_t commands = 0;
    std::size_t errors = 0;
    std::size_t auth_failures = 0;

    bool proxied_login = false;  // of the XclientGiven that is open
    bool group_ended = false;    // by a command whose reply is not taken yet
    bool improper_told = false;
    Verb current = Verb::unknown;  // of the command being answered

    std::unique_ptr<AuthExchange> auth;
    std::string auth_mechanism;
    sasl::ChannelBindings bindings;
    std::vector<std::string> certificate;  // the mailboxes it names

    mail::BodyType body = mail::BodyType::seven_bit;  // of the transaction
    Chunk chunk;
    bool chunks_follow = false;  // a chunk was refused; those that were on their way behind it are no fault of the client
    DotDecoder decoder;
    std::uint64_t content_octets = 0;
    std::uint64_t refused_so_far = 0;  // octets of refused content
    bool receiving = false;            // ContentBegins was accepted, and neither ContentEnded nor ContentDropped told
    const FixedReply* content_refusal = nullptr;
};

}  // namespace thurn::smtp
