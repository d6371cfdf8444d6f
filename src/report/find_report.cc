#include "report/find_report.h"

#include "base/base64.h"
#include "base/quoted_printable.h"

#include <algorithm>
#include <optional>

namespace thurn::report {
namespace {

using base::ErrorKind;
using base::fail;
using mail::MimePart;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool is_status(const mail::MediaType& media) {
    return media.type == "message" && (media.subtype == "delivery-status" || media.subtype == "global-delivery-status");
}
bool is_feedback(const mail::MediaType& media) { return media.type == "message" && media.subtype == "feedback-report"; }

/// What cannot be a packed report or one in XML or JSON need not be looked into. Text is looked into where it is XML by name.
bool may_be_attachment(const mail::MediaType& media) {
    return media.type == "application" || (media.type == "text" && (media.subtype == "xml" || media.subtype == "json"));
}

template <class Parsed>
base::Result<Report> as_report(base::Result<Parsed> parsed) {
    if (!parsed) return base::pass_on(parsed);
    return Report(*std::move(parsed));
}

/// What somebody made and somebody else is to read as a report.
base::Result<Report> read_part(std::string_view message, const MimePart& part, const FindReportLimits& limits) {
    auto content = decode_content(message, part);
    if (!content) return base::pass_on(content);
    if (is_status(part.media)) return as_report(parse_delivery_status(*content));
    if (is_feedback(part.media)) return as_report(parse_feedback_report(*content));
    return read_report_file(*content, limits);
}

}  // namespace

base::Result<std::string> decode_content(std::string_view message, const MimePart& part) {
    const auto content = message.substr(part.body, part.end - part.body);
    if (part.encoding == mail::TransferEncoding::quoted_printable) return base::decode_quoted_printable(content);
    if (part.encoding != mail::TransferEncoding::base64) return std::string(content);
    std::string packed;
    packed.reserve(content.size());
    std::ranges::copy_if(content, std::back_inserter(packed), [](char c) { return !std::string_view(" \t\r\n").contains(c); });
    return base::decode_base64(packed);
}

base::Result<Report> read_report_file(std::string_view octets, const FindReportLimits& limits) {
    const auto unpacked = unpack(octets, limits.unpack);
    if (!unpacked) return std::unexpected(unpacked.error());
    std::string_view text = *unpacked;
    if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
    text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
    if (text.starts_with('<')) return as_report(parse_dmarc_aggregate(text, limits.dmarc));
    if (text.starts_with('{')) return as_report(parse_tls_report(text, limits.tls));
    // UTF-16 says so by its first octets; expat knows what to make of it.
    if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) return as_report(parse_dmarc_aggregate(text, limits.dmarc));
    return fail(ErrorKind::not_found, "neither XML nor JSON");
}

base::Result<Report> find_report(std::string_view message, const FindReportLimits& limits) {
    const auto parts = mail::parse_mime(message);
    if (!parts) return std::unexpected(parts.error());
    std::optional<base::Error> trouble;
    std::size_t attachments = 0;
    for (const auto& part : *parts) {
        if (part.kind != MimePart::Kind::leaf) continue;
        if (!is_status(part.media) && !is_feedback(part.media) && !may_be_attachment(part.media)) continue;
        if (++attachments > limits.attachments) break;
        auto report = read_part(message, part, limits);
        if (report) return report;
        if (!trouble && report.error().kind != ErrorKind::not_found) trouble = std::move(report).error();
    }
    return std::unexpected(trouble.value_or(base::Error{ErrorKind::not_found, "there is no report in the message"}));
}

}  // namespace thurn::report
