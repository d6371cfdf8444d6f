#include "report/dsn.h"

#include "base/ascii.h"
#include "base/quoted_printable.h"
#include "base/utf8.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mail/status.h"
#include "report/dsn_text.h"
#include "report/field_text.h"

#include <algorithm>

#include <fmt/format.h>

// Three parts, three dangers. The text for people quotes remote servers, the returned header comes from a stranger: either may hold
// what looks like our boundary, lines without end, or octets no 7-bit path carries. Every boundary of ours holds `=_`, which
// quoted-printable never yields; so a part that could be dangerous is encoded so, and there is nothing to search for or to guess. The
// status part is made of fields, whose lines begin with a name or a space, never with the `--` of a boundary; there, text is folded and
// what is not printable ASCII is replaced.

namespace thurn::report {
namespace {

using base::is_printable;

constexpr std::size_t kMaxLine = 998;  // RFC 5322 §2.1.1
constexpr std::size_t kMaxReturnedHeader = 64U << 10;
constexpr std::string_view kBoundaryMark = "=_";  // RFC 2045 §6.7, last paragraphs
constexpr std::string_view kOurMark = "thurn_";   // follows it in every boundary of ours

/// RFC 6533 §3: utf-8-addr-xtext for addresses that ASCII cannot hold.
std::string render_address(std::string_view address) {
    if (std::ranges::all_of(address, is_printable)) return "rfc822; " + printable(address);
    std::string text = "utf-8; ";
    for (const char32_t code : decode_utf8(address.substr(0, kMaxReportText))) {
        const bool literal = code > 0x20 && code < 0x7f && code != '\\' && code != '+' && code != '=';
        text += literal ? std::string(1, static_cast<char>(code)) : fmt::format("\\x{{{:02X}}}", static_cast<std::uint32_t>(code));
    }
    return text;
}

/// As ORCPT had it, in the form of a report (RFC 3464 §2.3.1, RFC 3461 §4.2).
std::string render_original(const DsnRecipient& recipient) {
    const auto& type = recipient.original_type;
    if (type.empty() || type == "rfc822" || type == "utf-8") return render_address(recipient.original_recipient);
    return printable(type) + "; " + printable(recipient.original_recipient);
}

/// `mx1.example [192.0.2.1]:25` → `dns; mx1.example ([192.0.2.1]:25)`
std::string render_host(std::string_view host) {
    std::string name = printable(host);
    std::ranges::replace_if(name, [](char c) { return c == '(' || c == ')' || c == '\\' || c == ';'; }, '?');
    const std::size_t space = name.find(' ');
    if (space == std::string::npos) return "dns; " + name;
    return "dns; " + name.substr(0, space) + " (" + name.substr(space + 1) + ")";
}

std::string_view action_name(DsnAction action) {
    switch (action) {
        case DsnAction::failed:
            return "failed";
        case DsnAction::delayed:
            return "delayed";
        case DsnAction::delivered:
            return "delivered";
        case DsnAction::relayed:
            return "relayed";
        case DsnAction::expanded:
            return "expanded";
    }
    return "failed";
}

/// RFC 3464 §2.3.4 demands a status; one that cannot be read is replaced by the least it can mean.
std::string status_of(const DsnRecipient& recipient) {
    if (const auto status = mail::leading_status(recipient.status)) return mail::render_status(*status);
    if (recipient.action == DsnAction::failed) return "5.0.0";
    return recipient.action == DsnAction::delayed ? "4.0.0" : "2.0.0";
}

// --- the parts ------------------------------------------------------------------------------------------------------------------

/// RFC 3464 §2.3, in the order of its grammar.
std::string render_recipient_fields(const DsnRecipient& recipient) {
    std::string fields = "\r\n";
    if (!recipient.original_recipient.empty()) fields += render_field("Original-Recipient", render_original(recipient));
    fields += render_field("Final-Recipient", render_address(recipient.final_recipient));
    fields += render_field("Action", action_name(recipient.action));
    fields += render_field("Status", status_of(recipient));
    if (!recipient.remote_host.empty()) fields += render_field("Remote-MTA", render_host(recipient.remote_host));
    if (!recipient.diagnostic.empty()) fields += render_field("Diagnostic-Code", "smtp; " + printable(recipient.diagnostic));
    if (recipient.last_attempt != base::Time{}) fields += render_field("Last-Attempt-Date", mail::render_date(recipient.last_attempt));
    if (recipient.action == DsnAction::delayed && recipient.retry_until) {
        fields += render_field("Will-Retry-Until", mail::render_date(*recipient.retry_until));
    }
    return fields;
}

std::string render_status_part(const DsnOptions& options) {
    std::string part;
    if (!options.envelope_id.empty()) part += render_field("Original-Envelope-Id", printable(options.envelope_id));
    part += render_field("Reporting-MTA", "dns; " + printable(options.reporting_host));
    part += render_field("X-Thurn-Queue-ID", printable(options.queue_id));
    part += render_field("Arrival-Date", mail::render_date(options.arrived));
    for (const DsnRecipient& recipient : options.recipients) part += render_recipient_fields(recipient);
    return part;
}

/// The header section without its empty line, cut at a line end.
std::string_view header_to_return(std::string_view header) {
    if (header.starts_with("\r\n")) return {};
    header = header.substr(0, header.find("\r\n\r\n"));
    if (header.size() <= kMaxReturnedHeader) return header;
    header = header.substr(0, kMaxReturnedHeader);
    const std::size_t line_end = header.rfind("\r\n");
    return line_end == std::string_view::npos ? header : header.substr(0, line_end);
}

bool is_safe_line(std::string_view line) {
    return line.size() <= kMaxLine && std::ranges::all_of(line, [](char c) { return is_printable(c) || c == '\t'; });
}

bool needs_encoding(std::string_view text) {
    if (text.find(kBoundaryMark) != std::string_view::npos) return true;
    while (!text.empty()) {
        const std::size_t end = text.find("\r\n");
        if (!is_safe_line(text.substr(0, end))) return true;
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
    }
    return false;
}

std::string render_part(std::string_view boundary, std::string_view type, std::string_view text) {
    std::string part = fmt::format("--{}\r\n{}", boundary, type);
    if (!needs_encoding(text)) return part + "\r\n" + std::string(text) + (text.ends_with("\r\n") ? "" : "\r\n");
    part += "Content-Transfer-Encoding: quoted-printable\r\n\r\n" + base::encode_quoted_printable(text);
    return part + (text.ends_with("\r\n") ? "" : "\r\n");
}

/// Whether the whole message can be a part: message/rfc822 must not be encoded (RFC 2046 §5.2.1), so it must hold nothing that would need
/// it, 8-bit octets included: a report that some host cannot take has nobody to come back to.
bool can_be_returned(std::string_view content) {
    if (content.find(kBoundaryMark) != std::string_view::npos && content.find(kOurMark) != std::string_view::npos) return false;
    while (!content.empty()) {
        const std::size_t end = content.find("\r\n");
        const auto line = content.substr(0, end);
        const auto harmless = [](char c) { return static_cast<unsigned char>(c) < 128 && c != '\r' && c != '\n' && c != '\0'; };
        if (line.size() > kMaxLine || !std::ranges::all_of(line, harmless)) return false;
        content.remove_prefix(end == std::string_view::npos ? content.size() : end + 2);
    }
    return true;
}

std::string render_content_part(std::string_view boundary, std::string_view content) {
    return fmt::format("--{}\r\nContent-Type: message/rfc822\r\n\r\n{}{}", boundary, content, content.ends_with("\r\n") ? "" : "\r\n");
}

// --- the whole ------------------------------------------------------------------------------------------------------------------

std::string token(std::string_view text) {
    std::string clean;
    for (const char c : text.substr(0, 40)) {
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) clean += c;
    }
    return clean;
}

/// A display would need RFC 6532 for a sender beyond ASCII; the envelope has the address, so the field may do without.
std::string render_to(const mail::Mailbox& to) {
    const std::string address = mail::render_mailbox(to);
    return std::ranges::all_of(address, is_printable) ? address : "undisclosed-recipients:;";
}

/// So that mail programs show the report beside the message. Only an id that is nothing else: printable, with brackets, short.
std::string render_references(std::string_view original_header) {
    const mail::Header header = mail::parse_header(original_header.substr(0, kMaxReturnedHeader));
    const mail::HeaderField* field = header.find("Message-ID");
    if (!field) return {};
    const std::string id = mail::unfold(field->value);
    const bool good = id.size() > 2 && id.size() <= 250 && id.front() == '<' && id.find('>') == id.size() - 1 && id.rfind('<') == 0 &&
                      std::ranges::all_of(id, [](char c) { return is_printable(c) && c != ' '; });
    return good ? render_field("In-Reply-To", id) + render_field("References", id) : std::string{};
}

std::string render_header(const DsnOptions& options, std::string_view boundary) {
    const std::string host = printable(options.reporting_host);
    std::string header = render_field("From", "Mail Delivery System <" + printable(options.from) + ">");
    header += render_field("To", render_to(options.to));
    header += render_field("Subject", render_subject(options));
    header += render_field("Date", mail::render_date(options.now));
    header += render_field("Message-ID", "<" + printable(options.message_id) + "@" + host + ">");
    header += render_references(options.original_header);
    header += render_field("Auto-Submitted", "auto-replied");  // RFC 3834 §5: an answer to one message; nobody should answer it
    header += render_field("MIME-Version", "1.0");
    header += fmt::format("Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"{}\"\r\n", boundary);
    return header + "\r\n";
}

}  // namespace

std::string render_dsn(const DsnOptions& options) {
    const std::string boundary = fmt::format("{}{}{}", kBoundaryMark, kOurMark, token(options.message_id));
    std::string message = render_header(options, boundary);
    message += "This is a delivery report in MIME format (RFC 6522).\r\n\r\n";
    message += render_part(boundary, "Content-Type: text/plain; charset=utf-8\r\n", render_explanation(options));
    message += fmt::format("\r\n--{}\r\nContent-Type: message/delivery-status\r\n\r\n{}\r\n", boundary, render_status_part(options));
    const bool whole = options.original_content && can_be_returned(*options.original_content);
    const auto header = header_to_return(options.original_header);
    // RFC 6533 §6.3; encoded, as all of a report is 7-bit.
    const bool utf8 = options.smtputf8 && base::is_utf8(header) && !std::ranges::all_of(header, base::is_ascii);
    message +=
        whole ? render_content_part(boundary, *options.original_content)
              : render_part(boundary, utf8 ? "Content-Type: message/global-headers\r\n" : "Content-Type: text/rfc822-headers\r\n", header);
    return message + fmt::format("\r\n--{}--\r\n", boundary);
}

}  // namespace thurn::report
