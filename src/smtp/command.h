#pragma once

#include "mail/mailbox.h"
#include "smtp/fixed_reply.h"
#include "smtp/parameters.h"
#include "smtp/proxy_attributes.h"

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace thurn::smtp {

enum class Verb {
    helo,
    ehlo,
    lhlo,
    mail,
    rcpt,
    data,
    bdat,
    rset,
    noop,
    quit,
    vrfy,
    expn,
    help,
    etrn,
    starttls,
    auth,
    xclient,
    xforward,
    unknown
};
inline constexpr std::size_t kVerbs = static_cast<std::size_t>(Verb::unknown) + 1;
/// `MAIL`; `unknown` for what we do not know, whose own word may be a secret gone astray and is not repeated.
[[nodiscard]] std::string_view verb_name(Verb verb);

/// A command line cut at its first space, so that order can be judged before arguments.
struct CommandLine {
    Verb verb = Verb::unknown;
    std::string_view word;      // as the client wrote it
    std::string_view argument;  // without spaces and tabs at its ends
};
/// `line` is without its CRLF.
[[nodiscard]] CommandLine split_command(std::string_view line);
/// GET, POST, CONNECT, …: a browser or proxy made to talk to us (CVE-2021-3618 and kin).
[[nodiscard]] bool is_http_method(std::string_view word);

struct HeloCommand {
    std::string name;
};
struct EhloCommand {
    std::string name;
};
struct LhloCommand {
    std::string name;
};
struct MailCommand {
    mail::ReversePath path;
    MailParameters parameters;
};
struct RcptCommand {
    mail::Mailbox mailbox;
    RcptParameters parameters;
};
struct DataCommand {};
/// So many octets follow, which are content and never commands (RFC 3030 §2).
struct BdatCommand {
    base::Octets size;
    bool last = false;
};
struct RsetCommand {};
struct NoopCommand {};
struct QuitCommand {};
/// `utf8`: SMTPUTF8 was given, and the answer may hold UTF-8 (RFC 6531 §3.7.4.2).
struct VrfyCommand {
    std::string text;
    Utf8 utf8 = Utf8::refused;
};
struct ExpnCommand {
    std::string text;
    Utf8 utf8 = Utf8::refused;
};
struct HelpCommand {
    std::string_view topic;  // a view of the line
};
/// What waits for one host, for a domain and all below it (`@`), or in a queue that has a name of its own (`#`), RFC 1985 §5.
struct EtrnCommand {
    enum class Scope { host, domain, queue };
    Scope scope = Scope::host;
    std::string name;  // a domain in its normal form; of a queue, as it stands
};
struct XclientCommand {
    std::vector<ProxyAttribute> attributes;
};
struct XforwardCommand {
    std::vector<ProxyAttribute> attributes;
};
struct StartTlsCommand {};
/// `initial`: still in base64 and a view of the line, so that there is one copy to wipe; `=` stands for an empty one (RFC 4954 §4).
struct AuthCommand {
    std::string mechanism;  // upper case
    std::optional<std::string_view> initial;
};
struct UnknownCommand {};

using Command = std::variant<HeloCommand, EhloCommand, LhloCommand, MailCommand, RcptCommand, DataCommand, BdatCommand, RsetCommand,
                             NoopCommand, QuitCommand, VrfyCommand, ExpnCommand, HelpCommand, EtrnCommand, StartTlsCommand, AuthCommand,
                             XclientCommand, XforwardCommand, UnknownCommand>;

/// Reads the arguments of one command.
///
/// Shape   Spaces behind `FROM:` and `TO:` and at the end of a line are let pass, as real clients send them; nothing else beyond RFC 5321
///         §4.1.1 is.
/// Errors  The reply to give: 501 5.5.4 arguments, 501 5.1.7 and 501 5.1.3 addresses, 553 5.6.7 octets over 127 in them
///         without SMTPUTF8; for parameters see parameters.h.
[[nodiscard]] std::expected<Command, FixedReply> parse_command(const CommandLine& line, const ParameterRules& rules);

}  // namespace thurn::smtp
