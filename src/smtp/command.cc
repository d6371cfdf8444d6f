#include "smtp/command.h"

#include "smtp/lenient_path.h"
#include "smtp/words.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace thurn::smtp {

namespace {

constexpr FixedReply kBadName{501, {5, 5, 4}, "A host name or an address literal is needed"};
constexpr FixedReply kNeedFrom{501, {5, 5, 4}, "Syntax: MAIL FROM:<address>"};
constexpr FixedReply kNeedTo{501, {5, 5, 4}, "Syntax: RCPT TO:<address>"};
constexpr FixedReply kBadSender{501, {5, 1, 7}, "Bad sender address syntax"};
constexpr FixedReply kBadRecipient{501, {5, 1, 3}, "Bad recipient address syntax"};
constexpr FixedReply kNoUtf8Address{553, {5, 6, 7}, "Addresses with octets over 127 are not supported"};
constexpr FixedReply kNeedsSmtpUtf8{553, {5, 6, 7}, "Addresses with octets over 127 need SMTPUTF8"};  // RFC 6531 §3.5
constexpr FixedReply kNoArgument{501, {5, 5, 4}, "This command takes no argument"};
constexpr FixedReply kNeedArgument{501, {5, 5, 4}, "An argument is needed"};
constexpr FixedReply kEtrnSyntax{501, {5, 5, 4}, "Syntax: ETRN domain | @domain | #queue"};
constexpr FixedReply kBdatSyntax{501, {5, 5, 4}, "Syntax: BDAT size [LAST]"};
constexpr FixedReply kAuthSyntax{501, {5, 5, 4}, "Syntax: AUTH mechanism [initial-response]"};

constexpr std::size_t kHelloName = 255;  // RFC 5321 §4.5.3.1.2

using Outcome = std::expected<Command, FixedReply>;

std::unexpected<FixedReply> refuse(const FixedReply& reply) { return std::unexpected(reply); }

/// Takes `FROM:` or `TO:` and the spaces behind it.
bool skip_label(std::string_view& text, std::string_view label) {
    if (!same_word(text.substr(0, label.size()), label)) return false;
    text = trimmed(text.substr(label.size()));
    return true;
}

/// Why a path cannot be read.
std::unexpected<FixedReply> refuse_path(std::string_view argument, const ParameterRules& rules, const FixedReply& bad) {
    if (!beyond_ascii(argument)) return refuse(bad);
    if (!rules.extensions.smtputf8) return refuse(kNoUtf8Address);
    return refuse(rules.utf8 == Utf8::allowed ? bad : kNeedsSmtpUtf8);
}

std::size_t longest_local(const ParameterRules& rules) {
    return rules.addresses == AddressSyntax::lenient ? mail::kLongestPath : mail::kLongestLocal;
}

/// SMTPUTF8 stands behind the path that needs it: so the path is read as if it did, and judged afterwards.
Outcome parse_mail(std::string_view argument, const ParameterRules& rules) {
    if (!skip_label(argument, "FROM:")) return refuse(kNeedFrom);
    std::string mended;
    if (rules.addresses == AddressSyntax::lenient) argument = mended = mend_path(argument);
    auto taken =
        mail::take_reverse_path(argument, rules.extensions.smtputf8 ? mail::Charset::utf8 : mail::Charset::ascii, longest_local(rules));
    if (!taken) return refuse_path(argument, {.extensions = rules.extensions, .utf8 = Utf8::allowed}, kBadSender);
    auto parameters = parse_mail_parameters(taken->rest, rules);
    if (!parameters) return refuse(parameters.error());
    const auto path = argument.substr(0, argument.size() - taken->rest.size());
    if (rules.extensions.smtputf8 && !parameters->smtputf8 && beyond_ascii(path)) return refuse(kNeedsSmtpUtf8);
    return MailCommand{.path = std::move(taken->path), .parameters = *std::move(parameters)};
}

Outcome parse_rcpt(std::string_view argument, const ParameterRules& rules) {
    if (!skip_label(argument, "TO:")) return refuse(kNeedTo);
    std::string mended;
    if (rules.addresses == AddressSyntax::lenient) argument = mended = mend_path(argument);
    auto taken =
        mail::take_forward_path(argument, rules.utf8 == Utf8::allowed ? mail::Charset::utf8 : mail::Charset::ascii, longest_local(rules));
    if (!taken) return refuse_path(argument, rules, kBadRecipient);
    auto parameters = parse_rcpt_parameters(taken->rest, rules);
    if (!parameters) return refuse(parameters.error());
    return RcptCommand{.mailbox = std::move(taken->path), .parameters = *std::move(parameters)};
}

/// Any one word of printable US-ASCII: real clients call themselves many things, and the name is never trusted (RFC 5321 §4.1.4).
template <class Hello>
Outcome parse_hello(std::string_view argument) {
    const bool printable = std::ranges::all_of(argument, [](char octet) { return octet > ' ' && octet < 0x7f; });
    if (argument.empty() || argument.size() > kHelloName || !printable) return refuse(kBadName);
    return Hello{std::string(argument)};
}

Outcome parse_auth(std::string_view argument) {
    const auto cut = std::min(argument.find_first_of(" \t"), argument.size());
    AuthCommand command{.mechanism = std::string(argument.substr(0, cut)), .initial = std::nullopt};
    std::ranges::transform(command.mechanism, command.mechanism.begin(), to_upper);
    const auto rest = trimmed(argument.substr(cut));
    if (command.mechanism.empty() || rest.find_first_of(" \t") != std::string_view::npos) return refuse(kAuthSyntax);
    if (!rest.empty()) command.initial = rest;
    return command;
}

/// A size of over 18 digits is none: nobody means it, and no sum of such sizes can overflow.
Outcome parse_bdat(std::string_view argument) {
    constexpr std::size_t kDigits = 18;
    const auto size = take_word(argument);
    const auto last = trimmed(argument);
    const bool number = !size.empty() && size.size() <= kDigits && std::ranges::all_of(size, base::is_digit);
    if (!number || !(last.empty() || same_word(last, "LAST"))) return refuse(kBdatSyntax);
    BdatCommand command{.size = {}, .last = !last.empty()};
    std::from_chars(size.data(), size.data() + size.size(), command.size.count);
    return command;
}

Outcome bare(std::string_view argument, Command command) {
    if (!argument.empty()) return refuse(kNoArgument);
    return command;
}

/// VRFY and EXPN: `text [SMTPUTF8]`, RFC 6531 §3.7.4.2.
template <class Lookup>
Outcome parse_lookup(std::string_view argument, const ParameterRules& rules) {
    Lookup command;
    const auto cut = argument.find_last_of(" \t");
    if (rules.extensions.smtputf8 && cut != std::string_view::npos && same_word(argument.substr(cut + 1), "SMTPUTF8")) {
        command.utf8 = Utf8::allowed;
        argument = trimmed(argument.substr(0, cut));
    }
    if (argument.empty()) return refuse(kNeedArgument);
    if (command.utf8 == Utf8::refused && beyond_ascii(argument)) return refuse(rules.extensions.smtputf8 ? kNeedsSmtpUtf8 : kNoUtf8Address);
    command.text = argument;
    return command;
}

Outcome parse_etrn(std::string_view argument) {
    using Scope = EtrnCommand::Scope;
    EtrnCommand command;
    if (argument.starts_with('@')) command.scope = Scope::domain;
    if (argument.starts_with('#')) command.scope = Scope::queue;
    if (command.scope != Scope::host) argument.remove_prefix(1);
    if (command.scope == Scope::queue) {
        command.name = argument;
        const bool word = !argument.empty() && std::ranges::all_of(argument, [](char c) { return c > ' ' && c <= '~'; });
        return word ? Outcome(std::move(command)) : refuse(kEtrnSyntax);
    }
    const auto domain = mail::parse_domain(argument);
    if (!domain) return refuse(kEtrnSyntax);
    command.name = domain->text();
    return command;
}

template <class Proxy>
Outcome parse_proxy(std::string_view argument, ProxyCommand which) {
    auto attributes = parse_attributes(argument, which);
    if (!attributes) return refuse(attributes.error());
    return Proxy{*std::move(attributes)};
}

constexpr std::array<std::string_view, kVerbs> kVerbNames{"HELO",     "EHLO", "LHLO",    "MAIL",     "RCPT",   "DATA", "BDAT",
                                                          "RSET",     "NOOP", "QUIT",    "VRFY",     "EXPN",   "HELP", "ETRN",
                                                          "STARTTLS", "AUTH", "XCLIENT", "XFORWARD", "unknown"};

}  // namespace

Reply to_reply(const FixedReply& fixed) { return make_reply(fixed.code, fixed.status, std::string(fixed.text)); }

std::string_view verb_name(Verb verb) { return kVerbNames[static_cast<std::size_t>(verb)]; }

CommandLine split_command(std::string_view line) {
    const auto cut = std::min(line.find_first_of(" \t"), line.size());
    CommandLine command{.verb = Verb::unknown, .word = line.substr(0, cut), .argument = trimmed(line.substr(cut))};
    for (std::size_t index = 0; index + 1 < kVerbs && command.verb == Verb::unknown; ++index) {
        if (same_word(command.word, kVerbNames[index])) command.verb = static_cast<Verb>(index);
    }
    return command;
}

bool is_http_method(std::string_view word) {
    constexpr std::array<std::string_view, 10> kMethods{"GET",     "POST",   "PUT",   "HEAD",  "CONNECT",
                                                        "OPTIONS", "DELETE", "PATCH", "TRACE", "PRI"};
    return std::ranges::any_of(kMethods, [word](std::string_view method) { return same_word(word, method); });
}

std::expected<Command, FixedReply> parse_command(const CommandLine& line, const ParameterRules& rules) {
    switch (line.verb) {
        case Verb::helo:
            return parse_hello<HeloCommand>(line.argument);
        case Verb::ehlo:
            return parse_hello<EhloCommand>(line.argument);
        case Verb::lhlo:
            return parse_hello<LhloCommand>(line.argument);
        case Verb::mail:
            return parse_mail(line.argument, rules);
        case Verb::rcpt:
            return parse_rcpt(line.argument, rules);
        case Verb::data:
            return bare(line.argument, DataCommand{});
        case Verb::bdat:
            return parse_bdat(line.argument);
        case Verb::rset:
            return bare(line.argument, RsetCommand{});
        case Verb::noop:
            return NoopCommand{};
        case Verb::quit:
            return bare(line.argument, QuitCommand{});
        case Verb::vrfy:
            return parse_lookup<VrfyCommand>(line.argument, rules);
        case Verb::expn:
            return parse_lookup<ExpnCommand>(line.argument, rules);
        case Verb::help:
            return HelpCommand{line.argument};
        case Verb::etrn:
            return parse_etrn(line.argument);
        case Verb::starttls:
            return bare(line.argument, StartTlsCommand{});
        case Verb::auth:
            return parse_auth(line.argument);
        case Verb::xclient:
            return parse_proxy<XclientCommand>(line.argument, ProxyCommand::xclient);
        case Verb::xforward:
            return parse_proxy<XforwardCommand>(line.argument, ProxyCommand::xforward);
        case Verb::unknown:
            break;
    }
    return UnknownCommand{};
}

}  // namespace thurn::smtp
