#pragma once

#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace thurn::report {

/// What a delivery status notification says of one recipient.
/// Shape    As written, unfolded: `rfc822; anna@example.com`, `dns; mx1.example.com`, `smtp; 550 5.1.1 …`. `action` in lower case. Empty: not
///          said. Addresses in the utf-8 form of RFC 6533 stay in it.
struct DeliveryStatusRecipient {
    std::string original_recipient{};
    std::string final_recipient{};
    std::string action{};  // failed, delayed, delivered, relayed, expanded
    std::string status{};  // 5.1.1
    std::string remote_mta{};
    std::string diagnostic_code{};
    std::string last_attempt_date{};
    std::string will_retry_until{};
    friend bool operator==(const DeliveryStatusRecipient&, const DeliveryStatusRecipient&) = default;
};

struct DeliveryStatus {
    std::string original_envelope_id{};
    std::string reporting_mta{};
    std::string received_from_mta{};
    std::string arrival_date{};
    std::vector<DeliveryStatusRecipient> recipients{};
    friend bool operator==(const DeliveryStatus&, const DeliveryStatus&) = default;
};

/// Reads the content of a message/delivery-status part (RFC 3464 §2), CRLF or LF; render_dsn() writes such.
/// Errors   `syntax`: no recipient in it.
[[nodiscard]] base::Result<DeliveryStatus> parse_delivery_status(std::string_view text);

}  // namespace thurn::report
