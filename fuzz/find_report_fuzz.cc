#include "report/find_report.h"
#include "require.h"

using namespace thurn;
using fuzz::require;

namespace {

void check(const report::DmarcAggregate& dmarc) { require(!dmarc.policy.domain.empty(), "a DMARC report has a domain"); }
void check(const report::TlsReport& tls) {
    const auto again = report::parse_tls_report(report::render_tls_report(tls));
    require(again && *again == tls, "a TLS report comes back as it was written");
}
void check(const report::FeedbackReport& feedback) {
    const auto once = report::parse_feedback_report(report::render_feedback_report(feedback));
    require(once.has_value(), "a feedback report can be written");
    const auto twice = report::parse_feedback_report(report::render_feedback_report(*once));
    require(twice && *twice == *once, "and comes back");
}
void check(const report::DeliveryStatus& status) { require(!status.recipients.empty(), "a status is about somebody"); }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = fuzz::as_text(data, size);
    const report::FindReportLimits limits{.unpack = {.size = base::kibibytes(256)}, .dmarc = {.records = 20}};
    if (const auto found = report::find_report(text, limits)) std::visit([](const auto& report) { check(report); }, *found);
    if (const auto tls = report::parse_tls_report(text)) check(*tls);
    if (const auto feedback = report::parse_feedback_report(text)) check(*feedback);
    if (const auto status = report::parse_delivery_status(text)) check(*status);
    return 0;
}
