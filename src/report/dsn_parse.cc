#include "report/dsn_parse.h"

#include "base/ascii.h"
#include "report/field_blocks.h"

#include <algorithm>

namespace thurn::report {
namespace {

std::string lower(std::string text) {
    std::ranges::transform(text, text.begin(), base::to_lower);
    return text;
}

DeliveryStatusRecipient read_recipient(const FieldBlock& block) {
    return {.original_recipient = block.value("Original-Recipient"),
            .final_recipient = block.value("Final-Recipient"),
            .action = lower(block.value("Action")),
            .status = block.value("Status"),
            .remote_mta = block.value("Remote-MTA"),
            .diagnostic_code = block.value("Diagnostic-Code"),
            .last_attempt_date = block.value("Last-Attempt-Date"),
            .will_retry_until = block.value("Will-Retry-Until")};
}

bool is_about_recipient(const FieldBlock& block) { return !block.value("Final-Recipient").empty() || !block.value("Action").empty(); }

}  // namespace

base::Result<DeliveryStatus> parse_delivery_status(std::string_view text) {
    DeliveryStatus status;
    for (const auto& block : parse_field_blocks(text)) {
        if (is_about_recipient(block)) {
            status.recipients.push_back(read_recipient(block));
        } else if (status.recipients.empty()) {
            status.original_envelope_id = block.value("Original-Envelope-Id");
            status.reporting_mta = block.value("Reporting-MTA");
            status.received_from_mta = block.value("Received-From-MTA");
            status.arrival_date = block.value("Arrival-Date");
        }
    }
    if (status.recipients.empty()) return base::fail(base::ErrorKind::syntax, "a delivery status without a recipient");
    return status;
}

}  // namespace thurn::report
