#pragma once

#include "base/clock.h"
#include "base/octets.h"
#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::report {

/// Sessions that failed in the same way.
/// Shape    Words as RFC 8460 §4.3 has them (`starttls-not-supported`, `validation-failure`, …). Empty: not said.
struct TlsFailure {
    std::string result_type{};
    std::string sending_mta_ip{};
    std::string receiving_mx_hostname{};
    std::string receiving_mx_helo{};
    std::string receiving_ip{};
    std::uint64_t failed_session_count = 0;
    std::string additional_information{};
    std::string failure_reason_code{};
    friend bool operator==(const TlsFailure&, const TlsFailure&) = default;
};

/// What came of the sessions under one policy.
struct TlsPolicyResult {
    std::string policy_type{};                 // tlsa, sts, no-policy-found
    std::vector<std::string> policy_string{};  // its lines, or the TLSA records
    std::string policy_domain{};
    std::vector<std::string> mx_hosts{};
    std::uint64_t successful_sessions = 0;
    std::uint64_t failed_sessions = 0;
    std::vector<TlsFailure> failures{};
    friend bool operator==(const TlsPolicyResult&, const TlsPolicyResult&) = default;
};

/// Shape    `begin` and `end` to the second. A time that was given in a form nobody reads is 1970.
struct TlsReport {
    std::string organization_name{};
    base::Time begin{};
    base::Time end{};
    std::string contact_info{};
    std::string report_id{};
    std::vector<TlsPolicyResult> policies{};
    friend bool operator==(const TlsReport&, const TlsReport&) = default;
};

/// JSON, RFC 8460 §4.4. Octets that are no UTF-8 become `?`.
[[nodiscard]] std::string render_tls_report(const TlsReport& report);

struct TlsReportLimits {
    base::Octets size = base::mebibytes(16);
    std::size_t depth = 16;
    std::size_t text = 4096;  // octets of one value; the rest of it is cut off
};
/// What it does not know, it passes over; a value of a wrong type is as if it were missing.
/// Errors   `syntax`: no JSON, or not of a report: neither `policies` nor `report-id`. `too_long`: see the limits.
[[nodiscard]] base::Result<TlsReport> parse_tls_report(std::string_view octets, const TlsReportLimits& limits = {});

}  // namespace thurn::report
