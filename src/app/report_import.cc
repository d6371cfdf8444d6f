#include "app/report_import.h"

#include "report/find_report.h"

#include <algorithm>

namespace thurn::app {
namespace {

using Stored = storage::ReceivedReports::Stored;

struct Add {
    storage::ReceivedReports& reports;
    base::Time now;
    base::Result<Stored> operator()(const report::DmarcAggregate& report) const { return reports.add(report, now); }
    base::Result<Stored> operator()(const report::TlsReport& report) const { return reports.add(report, now); }
    base::Result<Stored> operator()(const report::FeedbackReport&) const {
        return base::fail(base::ErrorKind::invalid, "a feedback report: only DMARC aggregate and TLS reports are kept");
    }
    base::Result<Stored> operator()(const report::DeliveryStatus&) const {
        return base::fail(base::ErrorKind::invalid, "a delivery status notification: only DMARC aggregate and TLS reports are kept");
    }
};

}  // namespace

bool is_report_file(std::string_view octets) {
    if (octets.starts_with("\x1f\x8b") || octets.starts_with("PK\x03\x04") || octets.starts_with("\xEF\xBB\xBF")) return true;
    octets.remove_prefix(std::min(octets.find_first_not_of(" \t\r\n"), octets.size()));
    return octets.starts_with('<') || octets.starts_with('{');
}

base::Result<Stored> import_report(storage::ReceivedReports& reports, std::string_view octets, base::Time now) {
    const auto found = is_report_file(octets) ? report::read_report_file(octets) : report::find_report(octets);
    if (!found) return std::unexpected(found.error());
    return std::visit(Add{reports, now}, *found);
}

}  // namespace thurn::app
