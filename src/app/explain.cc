// What the server would find out about a message, and do with it, without sending any.
#include "app/authentication.h"
#include "app/command.h"
#include "app/explain_rules.h"
#include "app/stores.h"
#include "app/system.h"
#include "app/tool_message.h"
#include "app/tool_resolver.h"
#include "inbound/client_network.h"
#include "mailauth/findings.h"
#include "policy/authentication_rule.h"
#include "policy/greylist.h"
#include "storage/policy_state.h"
#include "storage/posix_filesystem.h"

#include <algorithm>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

namespace thurn::app {

namespace json = boost::json;

namespace {

std::string_view name_of(policy::Decision::Kind kind) {
    if (kind == policy::Decision::Kind::accept) return "accept";
    return kind == policy::Decision::Kind::defer ? "defer" : "reject";
}

std::string_view name_of(policy::Filing filing) {
    if (filing == policy::Filing::inbox) return "inbox";
    return filing == policy::Filing::junk ? "junk" : "hold";
}

std::string reply_of(const policy::Decision& decision) {
    if (decision.kind == policy::Decision::Kind::accept) return {};
    const auto& [major, subject, detail] = decision.status;
    return fmt::format("{} {}.{}.{} {}", decision.code, major, subject, detail, decision.text);
}

base::Result<mailauth::MessageOrigin> read_origin(const ExplainCommand& command, const config::Config& config) {
    const auto client = dns::parse_ip(command.ip);
    if (!client) return base::fail(base::ErrorKind::syntax, fmt::format("--ip: \"{}\" is no IP address", command.ip));
    auto sender = command.from == "<>" ? std::string() : command.from;
    if (!sender.empty())
        if (const auto parsed = mail::parse_mailbox(sender, mail::Charset::utf8); !parsed)
            return base::fail(base::ErrorKind::syntax, fmt::format("--from: \"{}\": {}", sender, parsed.error().detail));
    return mailauth::MessageOrigin{.client = dns::unmapped(*client),
                                   .helo = command.helo.empty() ? fmt::format("[{}]", command.ip) : command.helo,
                                   .reverse_path = std::move(sender),
                                   .receiver = config.hostname,
                                   .now = SystemClock().now()};
}

/// As inbound::Authentication does it beside a conversation, one question after the other.
base::Result<mailauth::Findings> find_out(const mailauth::MessageOrigin& asked, const ToolMessage& message,
                                          const inbound::AuthenticationOptions& options, ToolResolver& resolver) {
    mailauth::OriginCheck origin(asked);
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(asked.now.time_since_epoch());
    mailauth::SignatureCheck signatures(std::string(message.header()), {.now = seconds, .policy = options.signatures});
    signatures.feed(message.body());
    signatures.finish();
    if (auto answered = resolver.answer_all(origin); !answered) return base::pass_on(answered);
    if (auto answered = resolver.answer_all(signatures); !answered) return base::pass_on(answered);
    mailauth::Findings findings{.asked = asked, .origin = origin.take(), .signatures = signatures.take(), .dmarc = {}, .dmarc_lookups = {}};
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

/// Opened when it is asked for the first time: without --to, and rules that ask for it, it need not be there.
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

/// What the built-in rules say of a recipient.
struct RecipientTold {
    mail::Mailbox mailbox;
    std::string_view kind;
    policy::Decision decision;
};

base::Result<RecipientTold> decide_recipient(const ExplainCommand& command, const config::Config& config, LazyDirectory& lazy) {
    auto mailbox = mail::parse_mailbox(command.to, mail::Charset::utf8);
    if (!mailbox) return base::fail(base::ErrorKind::syntax, fmt::format("--to: \"{}\": {}", command.to, mailbox.error().detail));
    auto directory = lazy.open();
    if (!directory) return base::pass_on(directory);
    auto resolution = (*directory)->resolve(*mailbox);
    if (!resolution) return base::pass_on(resolution);
    const bool relayed = std::ranges::find(config.relay_domains, mailbox->domain.text()) != config.relay_domains.end();
    auto decision = policy::decide_recipient(
        {.role = command.login.empty() ? policy::Role::mx : policy::Role::submission, .client_address = command.ip, .login = command.login},
        *resolution, relayed, config.relay_networks);
    return RecipientTold{*std::move(mailbox), policy::recipient_kind(*resolution, relayed), std::move(decision)};
}

/// What a Situation needs and the command line does not have as it is.
struct Parties {
    std::string network;
    std::optional<mail::Mailbox> sender;
};

Parties parties_of(const ExplainCommand& command, const mailauth::MessageOrigin& asked) {
    Parties parties{.network = inbound::client_network(command.ip), .sender = std::nullopt};
    if (!asked.reverse_path.empty()) parties.sender = *mail::parse_mailbox(asked.reverse_path, mail::Charset::utf8);
    return parties;
}

policy::Situation situation_of(const ExplainCommand& command, const config::Config& config, const mailauth::MessageOrigin& asked,
                               const ToolMessage& message, const Parties& parties, const policy::Countries* countries) {
    const bool ours = std::ranges::any_of(config.relay_networks, [&](const auto& network) { return network.contains(command.ip); });
    return {.listener = command.login.empty() ? "mx" : "submission",
            .hostname = config.hostname,
            .client_address = command.ip,
            .client_network = parties.network,
            .login = command.login,
            .stranger = command.login.empty() && !ours,
            .helo = asked.helo,
            .sender = parties.sender ? &*parties.sender : nullptr,
            .size = message.octets.size(),
            .header = message.header(),
            .countries = countries,
            .local_time = [at = asked.now] { return SystemClock().local(at); }};
}

/// By what the server saved last; nothing is noted.
base::Result<policy::FactValue> ask_greylist(const config::Config& config, const policy::Situation& now) {
    SystemClock clock;
    base::NullLog log;
    policy::Greylist greylist({.seed = 1});
    const auto folder = config.data_dir / "policy";
    std::error_code ignored;
    if (std::filesystem::exists(folder, ignored)) {
        auto files = storage::PosixFilesystem::open(folder.string());
        if (!files) return base::pass_on(files);
        storage::PolicyState(*std::move(files), log, clock).add("greylist", greylist);
    }
    return greylist.peek(policy::triplet_of(now), config.rulebook->greylist, clock.now()).wait();
}

std::string_view told(policy::Truth truth) {
    if (truth == policy::Truth::yes) return "applies";
    return truth == policy::Truth::unavailable ? "does not apply, since something is unavailable" : "does not apply";
}

void print_rules(const RuleExplanation& rules) {
    for (const auto& rule : rules.told())
        print_line(fmt::format("{:<9} rule {} ({}) {}{}{}", name_of(rule.stage), rule.rule, rule.origin, told(rule.truth),
                               rule.truth == policy::Truth::yes ? fmt::format(": {}", name_of(rule.action)) : "",
                               rule.facts.empty() ? "" : fmt::format("; {}", rule.facts)));
}

json::array as_json(const RuleExplanation& rules) {
    json::array all;
    for (const auto& rule : rules.told())
        all.push_back(json::object{{"stage", name_of(rule.stage)},
                                   {"rule", rule.rule},
                                   {"origin", rule.origin},
                                   {"applies", rule.truth == policy::Truth::yes},
                                   {"action", name_of(rule.action)},
                                   {"facts", rule.facts}});
    return all;
}

void print_decision(std::string_view stage, const policy::Decision& decision, std::string_view more) {
    print_line(fmt::format("{:<9} {} by {}{}: {}", stage, name_of(decision.kind), decision.rule, more, decision.reason));
    if (const auto reply = reply_of(decision); !reply.empty()) print_line(fmt::format("{:<9} {}", "", reply));
}

void print_findings(const mailauth::Findings& findings) {
    for (const auto& [what, detail] : mailauth::tell(findings))
        print_line(what == "asked" ? fmt::format("{:<9}   asked {}", "", detail) : fmt::format("{:<9} {}", what, detail));
}

json::object as_json(const policy::Decision& decision) {
    return {{"decision", name_of(decision.kind)}, {"rule", decision.rule}, {"reason", decision.reason}, {"reply", reply_of(decision)}};
}

json::array as_json(const mailauth::Findings& findings) {
    json::array checks;
    for (const auto& [what, detail] : mailauth::tell(findings)) checks.push_back(json::object{{"what", what}, {"detail", detail}});
    return checks;
}

}  // namespace

int explain(const CommandContext& context, const ExplainCommand& command) {
    auto loaded = load_configuration(context);
    if (!loaded) return complain(loaded.error());
    const auto& config = loaded->config;
    auto asked = read_origin(command, config);
    if (!asked) return complain({base::ErrorKind::invalid, asked.error().detail});
    auto options = authentication_options(config, nullptr);
    if (!options) return complain(options.error());
    const auto countries = open_countries(config);
    if (!countries) return complain(countries.error());
    LazyDirectory directory(config);
    std::optional<RecipientTold> recipient;
    if (!command.to.empty()) {
        auto decided = decide_recipient(command, config, directory);
        if (!decided) return complain(decided.error());
        recipient = *std::move(decided);
    }
    const auto message =
        command.file.empty() || command.file == "-" ? base::Result<ToolMessage>(read_message()) : read_message(command.file);
    if (!message) return complain(message.error());
    ToolResolver resolver(!command.resolver.empty() ? command.resolver : config.dns_servers.empty() ? "" : config.dns_servers.front());
    const auto findings = find_out(*asked, *message, **options, resolver);
    if (!findings) return complain(findings.error());
    const auto parties = parties_of(command, *asked);
    auto now = situation_of(command, config, *asked, *message, parties, countries->get());
    const bool checked = now.stranger && config.authentication.check;
    if (checked) now.findings = &*findings;
    RuleExplanation rules(
        *config.rulebook, config.scripts, resolver, [&] { return directory.open(); },
        [&](const policy::Situation& then) { return ask_greylist(config, then); });
    if (auto done = explain_all(rules, std::move(now), recipient ? std::optional(recipient->mailbox) : std::nullopt,
                                recipient ? recipient->kind : "");
        !done)
        return complain(done.error());
    const auto content = policy::decide_content(*findings, config.authentication.rules);
    if (context.json) {
        json::object all{{"checks", as_json(*findings)},
                         {"content", as_json(content.decision)},
                         {"filing", name_of(content.filing)},
                         {"rules", as_json(rules)},
                         {"score", rules.marks().score}};
        if (recipient) all["rcpt"] = as_json(recipient->decision);
        if (rules.refusal()) all["refused"] = as_json(*rules.refusal());
        print_json(all);
    } else {
        if (recipient) print_decision("rcpt", recipient->decision, "");
        print_findings(*findings);
        print_decision("content", content.decision,
                       content.filing == policy::Filing::inbox ? "" : fmt::format(", to {}", name_of(content.filing)));
        print_rules(rules);
        if (rules.refusal()) print_decision("refused", *rules.refusal(), "");
    }
    const bool refused = rules.refusal() || content.decision.kind != policy::Decision::Kind::accept ||
                         (recipient && recipient->decision.kind != policy::Decision::Kind::accept);
    return refused ? exit_no : exit_ok;
}

}  // namespace thurn::app
