#pragma once

#include "base/clock.h"
#include "base/octets.h"
#include "mail/mailbox.h"
#include "mail/parameters.h"
#include "smtp/fixed_reply.h"
#include "smtp/server_extensions.h"

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace thurn::smtp {

/// What becomes of a message that is late: `BY=…;R` sends it back, `BY=…;N` tells its sender and goes on (RFC 2852 §4).
enum class ByMode : std::uint8_t { notify, return_message };

/// `BY=` (RFC 2852 §4).
struct DeliverBy {
    std::chrono::seconds within{};  // from now; may be 0 or less with `notify`, as the message may have been late before
    ByMode mode = ByMode::notify;
    bool trace = false;  // `T`: each relay tells the sender
    friend bool operator==(const DeliverBy&, const DeliverBy&) = default;
};

/// What MAIL says beside the reverse path.
///
/// Shape    Values are decoded. At most one of `hold_for` and `hold_until`. `priority` is -9..9.
/// Source   RFC 1870, RFC 6152, RFC 3030, RFC 6531, RFC 3461, RFC 8689, RFC 4865, RFC 2852, RFC 6710, RFC 4954 §5.
struct MailParameters {
    std::optional<base::Octets> size;
    mail::BodyType body = mail::BodyType::seven_bit;
    mail::ReturnContent ret = mail::ReturnContent::unspecified;
    bool smtputf8 = false;
    bool require_tls = false;
    std::optional<std::int8_t> priority;
    std::string envid;  // printable US-ASCII, up to 100 octets; empty: not given
    std::optional<std::chrono::seconds> hold_for;
    std::optional<base::Time> hold_until;
    std::optional<DeliverBy> deliver_by;
    std::optional<mail::ReversePath> auth;  // who submitted it first, as the client claims; the null path: it does not know
    friend bool operator==(const MailParameters&, const MailParameters&) = default;
};

/// `ORCPT=`: the recipient as the sender wrote it (RFC 3461 §4.2, RFC 6533 §3).
struct OriginalRecipient {
    std::string type;     // lower case: `rfc822`, `utf-8`, …
    std::string address;  // decoded, without control octets; UTF-8 only for `utf-8`
    friend bool operator==(const OriginalRecipient&, const OriginalRecipient&) = default;
};

/// What RCPT says beside the forward path (RFC 3461 §4).
struct RcptParameters {
    mail::Notify notify;
    std::optional<OriginalRecipient> original_recipient;
    friend bool operator==(const RcptParameters&, const RcptParameters&) = default;
};

/// Whether `AUTH=` of MAIL is announced now.
enum class AuthParameter : std::uint8_t { unknown, known };
/// Whether octets over 127 may stand where RFC 6531 §3.4 allows them: MAIL said SMTPUTF8.
enum class Utf8 : std::uint8_t { refused, allowed };

/// What is announced on this connection now. References must outlive the call.
/// `strict`: RFC 5321 §4.1.2 to the letter. `lenient`: also what mend_path() mends, and local parts over 64 octets, as long as the path's
/// limit allows: some give out return addresses of that kind.
enum class AddressSyntax { strict, lenient };

struct ParameterRules {
    const ServerExtensions& extensions;
    AuthParameter auth = AuthParameter::unknown;
    Transport transport = Transport::clear;
    Utf8 utf8 = Utf8::refused;  // RCPT: of the transaction
    AddressSyntax addresses = AddressSyntax::strict;
};

/// Reads what follows a path: ` KEYWORD[=value]` each (RFC 5321 §4.1.2).
/// Errors   The reply to give: 555 5.5.4 for what is not announced, 501 5.5.4 for what is malformed, given twice or beyond what is
///          announced, 504 5.5.4 for an unknown BODY, 530 5.7.0 for REQUIRETLS in clear.
[[nodiscard]] std::expected<MailParameters, FixedReply> parse_mail_parameters(std::string_view text, const ParameterRules& rules);
[[nodiscard]] std::expected<RcptParameters, FixedReply> parse_rcpt_parameters(std::string_view text, const ParameterRules& rules);

}  // namespace thurn::smtp
