#include "report/dmarc_mail.h"

#include "base/base64.h"
#include "base/quoted_printable.h"
#include "mail/date.h"
#include "report/field_text.h"
#include "report/unpack.h"

#include <fmt/format.h>

namespace thurn::report {
namespace {

constexpr std::string_view kBoundary = "=_thurn_dmarc";  // neither base64 nor quoted-printable yields `=_`
constexpr std::size_t kBase64Line = 76;

std::string file_name(const DmarcMailOptions& options) {
    const auto& dates = options.report.metadata.date_range;
    return printable(
        fmt::format("{}!{}!{}!{}!{}.xml.gz", options.submitter, options.report.policy.domain, dates.begin, dates.end, options.unique));
}

std::string base64_lines(std::string_view octets) {
    const auto text = base::encode_base64(octets);
    std::string lines;
    lines.reserve(text.size() + text.size() / kBase64Line * 2 + 2);
    for (std::size_t at = 0; at < text.size(); at += kBase64Line) lines.append(text, at, kBase64Line) += "\r\n";
    return lines;
}

std::string explanation(const DmarcMailOptions& options) {
    const auto& dates = options.report.metadata.date_range;
    const auto day = [](std::int64_t seconds) { return mail::render_timestamp(base::Time(std::chrono::seconds(seconds))).substr(0, 19); };
    return base::encode_quoted_printable(
        fmt::format("This is a DMARC aggregate report for {}, from {} to {} UTC, as the domain's\r\nDMARC record asks for. It is meant for "
                    "programs.\r\n",
                    printable(options.report.policy.domain), day(dates.begin), day(dates.end)));
}

std::string render_header(const DmarcMailOptions& options) {
    const auto id = printable(options.report.metadata.report_id);
    std::string header = render_field("From", printable(options.from));
    header += render_field("To", printable(options.to));
    header += render_field("Subject", fmt::format("Report Domain: {} Submitter: {} Report-ID: <{}>",
                                                  printable(options.report.policy.domain), printable(options.submitter), id));
    header += render_field("Date", mail::render_date(options.now));
    header += render_field("Message-ID", "<" + printable(options.message_id) + ">");
    header += render_field("Auto-Submitted", "auto-generated");  // RFC 3834 §5
    header += render_field("MIME-Version", "1.0");
    return header + fmt::format("Content-Type: multipart/mixed;\r\n boundary=\"{}\"\r\n\r\n", kBoundary);
}

}  // namespace

std::string render_dmarc_mail(const DmarcMailOptions& options) {
    const auto name = file_name(options);
    return render_header(options) +
           fmt::format(
               "--{0}\r\nContent-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{1}\r\n"
               "--{0}\r\nContent-Type: application/gzip;\r\n name=\"{2}\"\r\nContent-Transfer-Encoding: base64\r\n"
               "Content-Disposition: attachment;\r\n filename=\"{2}\"\r\n\r\n{3}--{0}--\r\n",
               kBoundary, explanation(options), name, base64_lines(pack_gzip(render_dmarc_aggregate(options.report))));
}

}  // namespace thurn::report
