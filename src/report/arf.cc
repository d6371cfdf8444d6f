#include "report/arf.h"

#include "base/ascii.h"
#include "base/quoted_printable.h"
#include "mail/date.h"
#include "report/field_blocks.h"
#include "report/field_text.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

namespace thurn::report {
namespace {

// Quoted-printable never yields `=_`, so this cannot stand in a part of ours (RFC 2045 §6.7).
constexpr std::string_view kBoundary = "=_thurn_feedback";
constexpr std::size_t kMaxReturnedHeader = 64U << 10;

struct TextField {
    std::string_view name;
    std::string FeedbackReport::* member;
};
constexpr std::array kTextFields{TextField{"Feedback-Type", &FeedbackReport::feedback_type},
                                 TextField{"User-Agent", &FeedbackReport::user_agent},
                                 TextField{"Version", &FeedbackReport::version},
                                 TextField{"Original-Envelope-Id", &FeedbackReport::original_envelope_id},
                                 TextField{"Original-Mail-From", &FeedbackReport::original_mail_from},
                                 TextField{"Arrival-Date", &FeedbackReport::arrival_date},
                                 TextField{"Reporting-MTA", &FeedbackReport::reporting_mta},
                                 TextField{"Source-IP", &FeedbackReport::source_ip},
                                 TextField{"Auth-Failure", &FeedbackReport::auth_failure},
                                 TextField{"Delivery-Result", &FeedbackReport::delivery_result},
                                 TextField{"Identity-Alignment", &FeedbackReport::identity_alignment},
                                 TextField{"DKIM-Domain", &FeedbackReport::dkim_domain},
                                 TextField{"DKIM-Identity", &FeedbackReport::dkim_identity},
                                 TextField{"DKIM-Selector", &FeedbackReport::dkim_selector},
                                 TextField{"SPF-DNS", &FeedbackReport::spf_dns}};

struct ListField {
    std::string_view name;
    std::vector<std::string> FeedbackReport::* member;
};
constexpr std::array kListFields{ListField{"Authentication-Results", &FeedbackReport::authentication_results},
                                 ListField{"Original-Rcpt-To", &FeedbackReport::original_rcpt_to},
                                 ListField{"Reported-Domain", &FeedbackReport::reported_domains},
                                 ListField{"Reported-URI", &FeedbackReport::reported_uris}};

/// One message, where it is not said or is no number (RFC 5965 §3.2).
std::uint64_t read_incidents(std::string_view text) {
    std::uint64_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    return error == std::errc() && end == text.data() + text.size() ? count : 1;
}

std::string render_part(std::string_view type, std::string_view text) {
    return fmt::format("--{}\r\nContent-Type: {}\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{}\r\n", kBoundary, type,
                       base::encode_quoted_printable(text));
}

}  // namespace

base::Result<FeedbackReport> parse_feedback_report(std::string_view text) {
    const auto blocks = parse_field_blocks(text);
    if (blocks.empty() || blocks.front().value("Feedback-Type").empty())
        return base::fail(base::ErrorKind::syntax, "a feedback report without a Feedback-Type");
    const auto& block = blocks.front();
    FeedbackReport report{.incidents = read_incidents(block.value("Incidents"))};
    for (const auto& field : kTextFields) report.*field.member = block.value(field.name);
    for (const auto& field : kListFields) report.*field.member = block.values(field.name);
    if (report.arrival_date.empty()) report.arrival_date = block.value("Received-Date");  // RFC 5965 §3.2: both are in use
    std::ranges::transform(report.feedback_type, report.feedback_type.begin(), base::to_lower);
    return report;
}

std::string render_feedback_report(const FeedbackReport& report) {
    std::string fields;
    for (const auto& field : kTextFields)
        if (const auto& value = report.*field.member; !value.empty()) fields += render_field(field.name, printable(value));
    for (const auto& field : kListFields)
        for (const auto& value : report.*field.member) fields += render_field(field.name, printable(value));
    if (report.incidents != 1) fields += render_field("Incidents", fmt::to_string(report.incidents));
    return fields;
}

std::string render_feedback_mail(const FeedbackMailOptions& options) {
    std::string message = render_field("From", printable(options.from));
    message += render_field("To", printable(options.to));
    message += render_field("Subject", printable(options.subject));
    message += render_field("Date", mail::render_date(options.now));
    message += render_field("Message-ID", "<" + printable(options.message_id) + ">");
    message += render_field("Auto-Submitted", "auto-generated");
    message += render_field("MIME-Version", "1.0");
    message += fmt::format("Content-Type: multipart/report; report-type=feedback-report;\r\n boundary=\"{}\"\r\n\r\n", kBoundary);
    message += render_part("text/plain; charset=us-ascii", options.explanation);
    // Not to be encoded (RFC 5965 §2 d); its lines are fields, and none of them can begin with a boundary.
    message +=
        fmt::format("--{}\r\nContent-Type: message/feedback-report\r\n\r\n{}\r\n", kBoundary, render_feedback_report(options.report));
    message += render_part("text/rfc822-headers", options.original_header.substr(0, kMaxReturnedHeader));
    return message + fmt::format("--{}--\r\n", kBoundary);
}

}  // namespace thurn::report
