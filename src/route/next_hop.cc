#include "base/ascii.h"
#include "mail/status.h"
#include "route/address.h"
#include "route/place.h"
#include "route/router.h"

#include <utility>

namespace thurn::route {
namespace {

using base::ErrorKind;
using base::fail;
using base::pass_on;
using base::Result;

constexpr std::uint16_t kSmtpPort = 25;
constexpr std::uint16_t kSubmissionsPort = 465;  // RFC 8314 §7.3
constexpr std::size_t kMaxSocketPath = 107;      // sun_path with its end, unix(7)
constexpr std::size_t kMaxErrorText = 400;       // with code and status still one reply line (RFC 5321 §4.5.3.1.5)

enum class Wrapping { none, implicit_tls };

Result<NextHop> parse_smtp(std::string_view text, Wrapping wrapping, TlsDemand tls, std::string_view credentials_reference) {
    auto place = parse_place(text);
    if (!place) return pass_on(place);
    const bool implicit_tls = wrapping == Wrapping::implicit_tls;
    if (implicit_tls && tls == TlsDemand::none)
        return fail(ErrorKind::invalid, "smtps:// is TLS from the first octet: tls = \"none\" contradicts it");
    return ToHost{.host = std::move(place->host),
                  .port = place->port.value_or(implicit_tls ? kSubmissionsPort : kSmtpPort),
                  .implicit_tls = implicit_tls,
                  .tls = tls,
                  .credentials_reference = std::string(credentials_reference)};
}

/// LMTP has no port of its own and must not be spoken on that of SMTP (RFC 2033 §5).
Result<NextHop> parse_lmtp(std::string_view text, TlsDemand tls, std::string_view credentials_reference) {
    auto place = parse_place(text);
    if (!place) return pass_on(place);
    if (!place->port) return fail(ErrorKind::syntax, "lmtp:// needs a port, such as lmtp://mail.example:24");
    if (*place->port == kSmtpPort) return fail(ErrorKind::invalid, "port 25 is SMTP's: LMTP must not be spoken there");
    return ToHost{.host = std::move(place->host),
                  .port = *place->port,
                  .tls = tls,
                  .credentials_reference = std::string(credentials_reference),
                  .protocol = smtp::Protocol::lmtp};
}

/// A socket of this machine needs no TLS, and most servers have none there.
Result<NextHop> parse_lmtp_socket(std::string_view path, TlsDemand tls) {
    if (!path.starts_with('/'))
        return fail(ErrorKind::syntax, "lmtp+unix: needs the whole path of a socket, such as lmtp+unix:/run/dovecot/lmtp");
    if (path.size() > kMaxSocketPath) return fail(ErrorKind::too_long, "the path of a socket has at most 107 octets");
    if (path.contains('\0')) return fail(ErrorKind::syntax, "the path of a socket holds a NUL");
    if (tls == TlsDemand::encrypt || tls == TlsDemand::verify)
        return fail(ErrorKind::invalid, "a socket of this machine is not spoken to under TLS: leave `tls` out");
    return ToHost{.host = "localhost",
                  .port = 0,
                  .tls = TlsDemand::none,
                  .credentials_reference = {},
                  .protocol = smtp::Protocol::lmtp,
                  .socket = std::string(path)};
}

Result<NextHop> parse_mx(std::string_view text, TlsDemand tls) {
    if (text.empty()) return ByMx{"", tls};
    auto domain = mail::parse_domain(text, mail::Charset::utf8);
    if (!domain) return fail(ErrorKind::syntax, "mx: needs a domain: " + domain.error().detail);
    if (domain->is_literal()) return fail(ErrorKind::invalid, "an address has no MX: write smtp://" + domain->text());
    return ByMx{domain->text(), tls};
}

Result<NextHop> parse_maildir(std::string_view text) {
    if (text.empty()) return LocalMailbox{};
    auto mailbox = mail::parse_mailbox(text, mail::Charset::utf8);
    if (!mailbox) return fail(ErrorKind::syntax, "maildir: takes an address or nothing: " + mailbox.error().detail);
    return LocalMailbox{*std::move(mailbox), ""};
}

/// `5.7.1 text`: goes into replies and reports, so it must be one line of printable octets.
Result<NextHop> parse_error(std::string_view text) {
    const auto status = mail::leading_status(text);
    if (!status || status->status_class == 2) return fail(ErrorKind::syntax, "error: needs a status such as 5.7.1 or 4.3.2, and a text");
    const auto code = mail::render_status(*status);
    auto words = text.substr(code.size());
    while (words.starts_with(' ')) words.remove_prefix(1);
    for (const char octet : words)
        if (base::is_ascii(octet) && !base::is_printable(octet))
            return fail(ErrorKind::syntax, "the text of error: holds a control character");
    if (words.size() > kMaxErrorText) return fail(ErrorKind::too_long, "the text of error: is too long");
    const bool permanent = status->status_class == 5;
    return Unroutable{permanent, (permanent ? "550 " : "451 ") + code + " " + (words.empty() ? "refused by a route" : std::string(words))};
}

Result<NextHop> parse_discard(std::string_view text) {
    if (!text.empty()) return fail(ErrorKind::syntax, "behind discard: nothing may stand");
    return Discarded{};
}

/// Takes `prefix` off the front of `text`, in any case.
bool skip(std::string_view& text, std::string_view prefix) {
    if (!base::equal_ignoring_case(text.substr(0, prefix.size()), prefix)) return false;
    text.remove_prefix(prefix.size());
    return true;
}

}  // namespace

Result<NextHop> parse_next_hop(std::string_view text, TlsDemand tls, std::string_view credentials_reference) {
    if (skip(text, "smtp://")) return parse_smtp(text, Wrapping::none, tls, credentials_reference);
    if (skip(text, "smtps://")) return parse_smtp(text, Wrapping::implicit_tls, tls, credentials_reference);
    if (skip(text, "lmtp://")) return parse_lmtp(text, tls, credentials_reference);
    if (!credentials_reference.empty()) return fail(ErrorKind::invalid, "`auth` goes with smtp://, smtps:// and lmtp:// only");
    if (skip(text, "lmtp+unix:")) return parse_lmtp_socket(text, tls);
    if (skip(text, "mx:")) return parse_mx(text, tls);
    if (skip(text, "maildir:")) return parse_maildir(text);
    if (skip(text, "error:")) return parse_error(text);
    if (skip(text, "discard:")) return parse_discard(text);
    if (skip(text, "pipe:")) return fail(ErrorKind::invalid, "thurn does not carry mail by pipe: yet");
    return fail(ErrorKind::syntax, "a next hop begins with smtp://, smtps://, lmtp://, lmtp+unix:, mx:, maildir:, discard: or error:");
}

}  // namespace thurn::route
