#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "storage/received_reports.h"

#include <string_view>

namespace thurn::app {

/// Whether it is a report's file, as opposed to a message, which begins with the name of a field.
[[nodiscard]] bool is_report_file(std::string_view octets);

/// Keeps the DMARC or TLS report in `octets`: a whole message with CRLF, or the file itself, packed or not.
/// Errors   As report::find_report() and ReceivedReports::add(); `invalid` for a report of another kind.
[[nodiscard]] base::Result<storage::ReceivedReports::Stored> import_report(storage::ReceivedReports& reports, std::string_view octets,
                                                                           base::Time now);

}  // namespace thurn::app
