// What the server would find out about a message, and do with it, without sending any.
#include "app/authentication.h"
#include "app/command.h"
#include "app/explain_conversation.h"
#include "app/explain_printing.h"
#include "app/stores.h"
#include "app/system.h"
#include "app/tool_message.h"
#include "app/tool_resolver.h"
#include "directory/resolve.h"
#include "inbound/client_network.h"
#include "mailauth/findings.h"
#include "net/endpoint.h"

#include <fmt/format.h>
#include <unistd.h>

namespace thurn::app {

namespace {

base::Result<std::optional<mail::Mailbox>> read_mailbox(std::string_view option, const std::string& text) {
    if (text.empty()) return std::nullopt;
    auto mailbox = mail::parse_mailbox(text, mail::Charset::utf8);
    if (!mailbox) return base::fail(base::ErrorKind::syntax, fmt::format("{}: \"{}\": {}", option, text, mailbox.error().detail));
    return *std::move(mailbox);
}

/// What the command line has, read.
struct Asked {
    mailauth::MessageOrigin origin;
    std::optional<mail::Mailbox> sender, recipient;
};

base::Result<Asked> read_asked(const ExplainCommand& command, const config::Config& config) {
    const auto client = dns::parse_ip(command.ip);
    if (!client) return base::fail(base::ErrorKind::syntax, fmt::format("--ip: \"{}\" is no IP address", command.ip));
    const auto path = command.from == "<>" ? std::string() : command.from;
    auto sender = read_mailbox("--from", path);
    if (!sender) return base::pass_on(sender);
    auto recipient = read_mailbox("--to", command.to);
    if (!recipient) return base::pass_on(recipient);
    return Asked{.origin = {.client = dns::unmapped(*client),
                            .helo = command.helo.empty() ? fmt::format("[{}]", command.ip) : command.helo,
                            .reverse_path = path,
                            .receiver = config.hostname,
                            .now = SystemClock().now()},
                 .sender = *std::move(sender),
                 .recipient = *std::move(recipient)};
}

/// Where the client comes to.
struct Door {
    config::ListenerConfig listener;
    std::uint16_t port = 0;
};

/// `--port`, or the first listener for what is to be done. Where none is configured, one as it would be.
base::Result<Door> find_door(const ExplainCommand& command, const config::Config& config) {
    const auto role = command.login.empty() ? policy::Role::mx : policy::Role::submission;
    for (const auto& listener : config.listeners)
        for (const auto& bound : listener.bind) {
            const auto endpoint = bound.starts_with(config::kLocalSocket) ? std::nullopt : std::optional(net::parse_endpoint(bound, 25));
            const auto port = endpoint && *endpoint ? (*endpoint)->port() : std::uint16_t{0};
            if (command.port ? port == *command.port : listener.role == role) return Door{listener, port};
        }
    if (command.port)
        return base::fail(base::ErrorKind::invalid, fmt::format("--port: there is no [[listener]] at port {}", *command.port));
    return Door{.listener = {.bind = {}, .role = role}};
}

/// Nothing: there is none. Nobody who just wants to know about a sender has to end standard input.
base::Result<std::optional<ToolMessage>> read_content(const ExplainCommand& command) {
    if (!command.file.empty() && command.file != "-") {
        auto message = read_message(command.file);
        if (!message) return base::pass_on(message);
        return *std::move(message);
    }
    if (command.file.empty() && ::isatty(STDIN_FILENO) == 1) return std::nullopt;
    auto message = read_message();
    if (message.octets.empty() && command.file.empty()) return std::nullopt;
    return message;
}

/// As inbound::Authentication does it beside a conversation, one question after the other.
base::Result<mailauth::OriginFindings> check_origin(const mailauth::MessageOrigin& asked, ToolResolver& resolver) {
    mailauth::OriginCheck origin(asked);
    if (auto answered = resolver.answer_all(origin); !answered) return base::pass_on(answered);
    return origin.take();
}

base::Result<mailauth::Findings> check_message(const mailauth::MessageOrigin& asked, mailauth::OriginFindings origin,
                                               const ToolMessage& message, const inbound::AuthenticationOptions& options,
                                               ToolResolver& resolver) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(asked.now.time_since_epoch());
    mailauth::SignatureCheck signatures(std::string(message.header()), {.now = seconds, .policy = options.signatures});
    signatures.feed(message.body());
    signatures.finish();
    if (auto answered = resolver.answer_all(signatures); !answered) return base::pass_on(answered);
    mailauth::Findings findings{
        .asked = asked, .origin = std::move(origin), .signatures = signatures.take(), .dmarc = {}, .dmarc_lookups = {}};
    if (const auto& author = findings.signatures.author; author.problem) {
        findings.dmarc = {.result = mailauth::DmarcResult::none, .reason = std::string(author_problem_text(*author.problem))};
        return findings;
    }
    mailauth::Logged<mailauth::DmarcCheck> dmarc(mailauth::dmarc_request(findings.origin, findings.signatures), options.suffixes.get());
    if (auto answered = resolver.answer_all(dmarc); !answered) return base::pass_on(answered);
    findings.dmarc = dmarc.take();
    findings.dmarc_lookups = dmarc.take_lookups();
    return findings;
}

/// Opened when it is asked for the first time: without --to and --login, and rules that ask for it, it need not be there.
class LazyDirectory {
public:
    explicit LazyDirectory(const config::Config& config) : config_(config) {}
    base::Result<directory::Directory*> open() {
        if (opened_) return opened_.get();
        auto opened = open_directory(config_);
        if (!opened) return std::unexpected(opened.error());
        opened_ = *std::move(opened);
        return opened_.get();
    }

private:
    const config::Config& config_;
    std::unique_ptr<directory::Directory> opened_;
};

}  // namespace

int explain(const CommandContext& context, const ExplainCommand& command) {
    const auto loaded = load_configuration(context);
    if (!loaded) return complain(loaded.error());
    const auto& config = loaded->config;
    const auto asked = read_asked(command, config);
    if (!asked) return complain({base::ErrorKind::invalid, asked.error().detail});
    const auto door = find_door(command, config);
    if (!door) return complain(door.error());
    const auto options = authentication_options(config, nullptr);
    if (!options) return complain(options.error());
    const auto countries = open_countries(config);
    if (!countries) return complain(countries.error());
    const auto message = read_content(command);
    if (!message) return complain(message.error());
    ToolResolver resolver(!command.resolver.empty() ? command.resolver : config.dns_servers.empty() ? "" : config.dns_servers.front());
    auto origin = check_origin(asked->origin, resolver);
    if (!origin) return complain(origin.error());
    const auto client_name = origin->iprev.result == mailauth::IprevResult::pass ? origin->iprev.name : std::string();
    auto checks = mailauth::tell(asked->origin, *origin);
    std::optional<mailauth::Findings> findings;
    if (*message) {
        auto found = check_message(asked->origin, *std::move(origin), **message, **options, resolver);
        if (!found) return complain(found.error());
        findings = *std::move(found);
        checks = mailauth::tell(*findings);
    }
    LazyDirectory directory(config);
    SavedState saved(config.data_dir);
    const auto login = directory::fold_address(command.login);
    const bool stranger = door->listener.role == policy::Role::mx && command.login.empty() &&
                          !(door->listener.relay && inbound::is_among(config.relay_networks, command.ip));
    const bool checked = findings && config.authentication.check && stranger;
    ConversationExplanation conversation(
        {.listener = door->listener,
         .port = door->port,
         .origin = asked->origin,
         .login = login,
         .sender = asked->sender,
         .recipient = asked->recipient,
         .message = *message ? &**message : nullptr,
         .findings = checked ? &*findings : nullptr,
         .client_name = client_name,
         .countries = countries->get()},
        {.config = config, .directory = [&] { return directory.open(); }, .saved = saved, .resolver = resolver});
    if (auto done = conversation.run(); !done) return complain(done.error());
    const auto& story = conversation.story();
    if (context.json)
        print_story_as_json(story, checks);
    else
        print_story(story, checks, {.recipient = asked->recipient.has_value(), .content = message->has_value()});
    return story.refusal ? exit_no : exit_ok;
}

}  // namespace thurn::app
