#pragma once

#include "base/result.h"
#include "mail/mime.h"
#include "report/arf.h"
#include "report/dmarc_aggregate.h"
#include "report/dsn_parse.h"
#include "report/tls_report.h"
#include "report/unpack.h"

#include <string>
#include <string_view>
#include <variant>

namespace thurn::report {

using Report = std::variant<DmarcAggregate, TlsReport, FeedbackReport, DeliveryStatus>;

struct FindReportLimits {
    UnpackLimits unpack{};
    DmarcAggregateLimits dmarc{};
    TlsReportLimits tls{};
    std::size_t attachments = 20;  // that are unpacked to see what they are
};

/// The report in a whole message, CRLF: of several the first. What a part is, its octets tell; reporters name types as they like. A
/// message without parts may be the report itself.
/// Errors   `not_found`: there is none. Otherwise why the first attachment that could have been one cannot be read.
[[nodiscard]] base::Result<Report> find_report(std::string_view message, const FindReportLimits& limits = {});

/// A report that stands in a file, packed or not: DMARC or TLS.
[[nodiscard]] base::Result<Report> read_report_file(std::string_view octets, const FindReportLimits& limits = {});

/// The content of a leaf with its transfer encoding undone. Base64 is read as mail programs do: line ends and blanks are passed over.
/// Errors   `syntax`.
[[nodiscard]] base::Result<std::string> decode_content(std::string_view message, const mail::MimePart& part);

}  // namespace thurn::report
