#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::mail {

/// One header field as it stands in the message.
/// Shape    Views into the message: `name` without the colon, `value` from behind the colon up to, without, its last CRLF; still folded.
struct HeaderField {
    std::string_view name;
    std::string_view value;
};

/// The header section of a message, parsed without a copy.
/// Shape   `fields` in order. `size`: octets up to and with the empty line, or all there is when there is none. A line that is no field
///         ends the header (RFC 5322 §2.2 as others read it too).
/// Limits  Linear in the length of the header.
struct Header {
    std::vector<HeaderField> fields;
    std::size_t size = 0;

    /// The first field of that name, in any case.
    [[nodiscard]] const HeaderField* find(std::string_view name) const;
    [[nodiscard]] std::size_t count(std::string_view name) const;
};
/// Takes CRLF and, for `sendmail` input and stored files, bare LF as line ends.
[[nodiscard]] Header parse_header(std::string_view message);

/// Without CRLF: each fold, with the white space around it, made one space, ends trimmed (RFC 5322 §2.2.3). Never holds CR or LF.
[[nodiscard]] std::string unfold(std::string_view value);

/// The mailboxes of an address list field (`To`, `Cc`, `From`, `Bcc`): display names, comments, groups and quoted parts understood.
/// What cannot be read is left out; `sendmail -t` and policy decide what that means by comparing with `complete`.
struct AddressList {
    std::vector<std::string> addresses;    // as parse_mailbox() reads them; domains as A-labels
    std::vector<std::string> unqualified;  // local parts that stand alone, such as `root`; who sends from this host may add its domain
    bool complete = true;                  // every element could be read, into one or the other
};
[[nodiscard]] AddressList parse_address_list(std::string_view value);

/// The facts of one `Received:` field.
struct ReceivedOptions {
    std::string helo;            // what the client called itself; rendered only if harmless
    std::string client_name;     // verified reverse name, or empty for "unknown"
    std::string client_address;  // as an address literal's content: `192.0.2.1`, `IPv6:2001:db8::1`; empty when local
    std::string by;              // our host name
    std::string protocol;        // SMTP, ESMTP, ESMTPS, ESMTPSA, … (RFC 3848)
    std::string id;
    std::string tls;        // comment such as `TLSv1.3 with cipher X`, or empty
    std::string recipient;  // for the `for` clause when there is exactly one, else empty (RFC 5321 §7.6)
    std::string date;
    std::optional<int> priority = std::nullopt;  // that MT-PRIORITY gave (RFC 6710)
};
/// A whole field with its CRLF, folded (RFC 5321 §4.4).
[[nodiscard]] std::string render_received(const ReceivedOptions& options);

}  // namespace thurn::mail
