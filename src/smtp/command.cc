#include "smtp/command.h"

#include "base/xtext.h"

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
constexpr FixedReply kBadParameter{501, {5, 5, 4}, "Bad parameter syntax"};
constexpr FixedReply kTwiceParameter{501, {5, 5, 4}, "Parameter given twice"};
constexpr FixedReply kUnknownParameter{555, {5, 5, 4}, "Unknown parameter"};
constexpr FixedReply kBadSize{501, {5, 5, 4}, "Bad SIZE value"};
constexpr FixedReply kUnknownBody{504, {5, 5, 4}, "BODY must be 7BIT or 8BITMIME"};
constexpr FixedReply kBadAuthParameter{501, {5, 5, 4}, "Bad AUTH value"};
constexpr FixedReply kNoArgument{501, {5, 5, 4}, "This command takes no argument"};
constexpr FixedReply kNeedArgument{501, {5, 5, 4}, "An argument is needed"};
constexpr FixedReply kAuthSyntax{501, {5, 5, 4}, "Syntax: AUTH mechanism [initial-response]"};

constexpr std::size_t kHelloName = 255;  // RFC 5321 §4.5.3.1.2

using Outcome = std::expected<Command, FixedReply>;

std::unexpected<FixedReply> refuse(const FixedReply& reply) { return std::unexpected(reply); }

char to_upper(char octet) { return octet >= 'a' && octet <= 'z' ? static_cast<char>(octet - 'a' + 'A') : octet; }

bool same_word(std::string_view text, std::string_view upper) {
    return text.size() == upper.size() && std::ranges::equal(text, upper, {}, to_upper);
}

bool is_blank(char octet) { return octet == ' ' || octet == '\t'; }

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
    return text;
}

/// Takes `FROM:` or `TO:` and the spaces behind it.
bool skip_label(std::string_view& text, std::string_view label) {
    if (!same_word(text.substr(0, label.size()), label)) return false;
    text = trimmed(text.substr(label.size()));
    return true;
}

bool beyond_ascii(std::string_view text) {
    return std::ranges::any_of(text, [](char octet) { return static_cast<unsigned char>(octet) > 127; });
}

struct Parameter {
    std::string_view keyword;
    std::optional<std::string_view> value;
};

bool is_keyword(std::string_view text) {
    const auto inside = [](char octet) {
        const char upper = to_upper(octet);
        return (upper >= 'A' && upper <= 'Z') || (octet >= '0' && octet <= '9') || octet == '-';
    };
    return !text.empty() && text.front() != '-' && std::ranges::all_of(text, inside);
}

/// Takes the next parameter behind a path: SP keyword [= value], RFC 5321 §4.1.2.
std::expected<Parameter, FixedReply> take_parameter(std::string_view& text) {
    if (!is_blank(text.front())) return refuse(kBadParameter);
    text = trimmed(text);
    const auto word = text.substr(0, std::min(text.find_first_of(" \t"), text.size()));
    text.remove_prefix(word.size());
    const auto equals = word.find('=');
    Parameter parameter{.keyword = word.substr(0, equals), .value = std::nullopt};
    if (equals != std::string_view::npos) parameter.value = word.substr(equals + 1);
    if (!is_keyword(parameter.keyword) || (parameter.value && parameter.value->empty())) return refuse(kBadParameter);
    return parameter;
}

/// Up to 20 digits (RFC 1870 §3); what does not fit 64 bits is larger than any limit.
std::expected<base::Octets, FixedReply> parse_size(const std::optional<std::string_view>& value) {
    if (!value || value->size() > 20) return refuse(kBadSize);
    base::Octets size;
    const auto [end, failure] = std::from_chars(value->data(), value->data() + value->size(), size.count);
    if (end != value->data() + value->size() || failure == std::errc::invalid_argument) return refuse(kBadSize);
    if (failure == std::errc::result_out_of_range) size.count = UINT64_MAX;
    return size;
}

std::expected<BodyType, FixedReply> parse_body(const std::optional<std::string_view>& value) {
    if (value && same_word(*value, "7BIT")) return BodyType::seven_bit;
    if (value && same_word(*value, "8BITMIME")) return BodyType::eight_bit;
    return refuse(kUnknownBody);
}

/// The parameters of one MAIL, each at most once.
class MailParameters {
public:
    MailParameters(MailCommand& command, AuthParameter auth) : command_(command), auth_(auth) {}

    std::optional<FixedReply> take(const Parameter& parameter) {
        if (same_word(parameter.keyword, "SIZE")) return take_size(parameter.value);
        if (same_word(parameter.keyword, "BODY")) return take_body(parameter.value);
        if (auth_ == AuthParameter::known && same_word(parameter.keyword, "AUTH")) return take_auth(parameter.value);
        return kUnknownParameter;
    }

private:
    std::optional<FixedReply> take_size(const std::optional<std::string_view>& value) {
        if (command_.size) return kTwiceParameter;
        const auto size = parse_size(value);
        if (!size) return size.error();
        command_.size = *size;
        return std::nullopt;
    }
    std::optional<FixedReply> take_body(const std::optional<std::string_view>& value) {
        if (std::exchange(body_seen_, true)) return kTwiceParameter;
        const auto body = parse_body(value);
        if (!body) return body.error();
        command_.body = *body;
        return std::nullopt;
    }
    /// Checked and forgotten: we trust no client with another's identity (RFC 4954 §5 lets a server do so).
    std::optional<FixedReply> take_auth(const std::optional<std::string_view>& value) {
        if (std::exchange(auth_seen_, true)) return kTwiceParameter;
        if (!value || !base::decode_xtext(*value)) return kBadAuthParameter;
        return std::nullopt;
    }

    MailCommand& command_;
    AuthParameter auth_;
    bool body_seen_ = false;
    bool auth_seen_ = false;
};

Outcome parse_mail(std::string_view argument, AuthParameter auth) {
    if (!skip_label(argument, "FROM:")) return refuse(kNeedFrom);
    auto taken = mail::take_reverse_path(argument, mail::Charset::ascii);
    if (!taken) return refuse(beyond_ascii(argument) ? kNoUtf8Address : kBadSender);
    MailCommand command{.path = std::move(taken->path), .size = std::nullopt, .body = BodyType::seven_bit};
    MailParameters parameters(command, auth);
    for (auto rest = taken->rest; !rest.empty();) {
        const auto parameter = take_parameter(rest);
        if (!parameter) return refuse(parameter.error());
        if (const auto wrong = parameters.take(*parameter)) return refuse(*wrong);
    }
    return command;
}

Outcome parse_rcpt(std::string_view argument) {
    if (!skip_label(argument, "TO:")) return refuse(kNeedTo);
    auto taken = mail::take_forward_path(argument, mail::Charset::ascii);
    if (!taken) return refuse(beyond_ascii(argument) ? kNoUtf8Address : kBadRecipient);
    if (auto rest = taken->rest; !rest.empty()) {
        const auto parameter = take_parameter(rest);
        return refuse(parameter ? kUnknownParameter : parameter.error());
    }
    return RcptCommand{std::move(taken->path)};
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

Outcome bare(std::string_view argument, Command command) {
    if (!argument.empty()) return refuse(kNoArgument);
    return command;
}

Outcome with_argument(std::string_view argument, Command command) {
    if (argument.empty()) return refuse(kNeedArgument);
    return command;
}

constexpr std::array<std::string_view, kVerbs> kVerbNames{"HELO", "EHLO", "MAIL", "RCPT", "DATA",     "RSET", "NOOP",
                                                          "QUIT", "VRFY", "EXPN", "HELP", "STARTTLS", "AUTH", "unknown"};

}  // namespace

Reply to_reply(const FixedReply& fixed) { return make_reply(fixed.code, fixed.status, std::string(fixed.text)); }

std::string_view verb_name(Verb verb) { return kVerbNames[static_cast<std::size_t>(verb)]; }

CommandLine split_command(std::string_view line) {
    const auto cut = std::min(line.find_first_of(" \t"), line.size());
    CommandLine command{.verb = Verb::unknown, .word = line.substr(0, cut), .argument = trimmed(line.substr(cut))};
    for (std::size_t index = 0; index + 1 < kVerbs; ++index) {
        if (same_word(command.word, kVerbNames[index])) command.verb = static_cast<Verb>(index);
    }
    return command;
}

bool is_http_method(std::string_view word) {
    constexpr std::array<std::string_view, 10> kMethods{"GET",     "POST",   "PUT",   "HEAD",  "CONNECT",
                                                        "OPTIONS", "DELETE", "PATCH", "TRACE", "PRI"};
    return std::ranges::any_of(kMethods, [word](std::string_view method) { return same_word(word, method); });
}

std::expected<Command, FixedReply> parse_command(const CommandLine& line, AuthParameter auth) {
    switch (line.verb) {
        case Verb::helo:
            return parse_hello<HeloCommand>(line.argument);
        case Verb::ehlo:
            return parse_hello<EhloCommand>(line.argument);
        case Verb::mail:
            return parse_mail(line.argument, auth);
        case Verb::rcpt:
            return parse_rcpt(line.argument);
        case Verb::data:
            return bare(line.argument, DataCommand{});
        case Verb::rset:
            return bare(line.argument, RsetCommand{});
        case Verb::noop:
            return NoopCommand{};
        case Verb::quit:
            return bare(line.argument, QuitCommand{});
        case Verb::vrfy:
            return with_argument(line.argument, VrfyCommand{});
        case Verb::expn:
            return with_argument(line.argument, ExpnCommand{});
        case Verb::help:
            return HelpCommand{};
        case Verb::starttls:
            return bare(line.argument, StartTlsCommand{});
        case Verb::auth:
            return parse_auth(line.argument);
        case Verb::unknown:
            break;
    }
    return UnknownCommand{};
}

}  // namespace thurn::smtp
