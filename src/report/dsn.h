#pragma once

#include "base/clock.h"
#include "mail/mailbox.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::report {

enum class DsnAction { failed, delayed, delivered, relayed, expanded };

struct DsnRecipient {
    std::string final_recipient;     // address
    std::string original_recipient;  // address, or empty
    std::string original_type{};     // of that address, as ORCPT had it: `rfc822`, `utf-8`, …; empty: our own knowledge of it
    DsnAction action = DsnAction::failed;
    std::string status;       // `5.1.1`
    std::string remote_host;  // empty when it was us
    std::string diagnostic;   // the remote reply, one line; empty when it was us
    std::string explanation;  // for people, when there is no remote reply
    base::Time last_attempt{};
    std::optional<base::Time> retry_until{};  // for `delayed`: when we shall give up
};

struct DsnOptions {
    std::string reporting_host;
    std::string message_id;     // of the report: goes into Message-ID and the boundary
    std::string queue_id;       // of the message reported about
    std::string envelope_id{};  // ENVID, decoded; empty when there was none
    mail::Mailbox to;           // the reverse path of the message reported about
    std::string from;           // `Mail Delivery System <postmaster@host>`'s address
    base::Time arrived{};
    base::Time now{};
    std::vector<DsnRecipient> recipients;
    std::string_view
        original_header;  // header section of the message, CRLF; returned as text/rfc822-headers, or with `smtputf8` as message/global-headers
    bool smtputf8 = false;                               // the message was sent as one with UTF-8 in its header
    std::optional<std::string_view> original_content{};  // all of it, to be returned as message/rfc822 instead
};

/// A whole message, CRLF line ends, that a person can read and a program can parse: multipart/report with three parts.
/// Shape   `Auto-Submitted: auto-replied`; lines at most 998 octets; nothing of the remote text can break the structure: in the status part
///         control and 8-bit octets become `?` (addresses: RFC 6533 utf-8 form) and long lines are folded; the text and the returned header
///         are quoted-printable when they hold 8-bit octets, long lines, stray CR or LF, or what looks like a boundary. All is 7-bit, so
///         that a report passes wherever it has to: of a message that is not, or would break the structure, the header is returned.
/// Limits  The first 64 KiB of the original header, 2000 octets of each text, are returned.
/// Source  RFC 3464, RFC 6522, RFC 3834, RFC 6533 §3, §6.3.
[[nodiscard]] std::string render_dsn(const DsnOptions& options);

}  // namespace thurn::report
