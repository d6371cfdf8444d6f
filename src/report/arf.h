#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::report {

/// A feedback report: somebody complains of one message, or tells that it failed authentication.
///
/// Shape    As written, unfolded; empty: not said. `feedback_type` in lower case.
/// Source   RFC 5965 §3; from `auth_failure` on RFC 6591 §3.2 and RFC 9991.
struct FeedbackReport {
    std::string feedback_type{};  // abuse, fraud, virus, other, not-spam, auth-failure
    std::string user_agent{};
    std::string version{};
    std::string original_envelope_id{};
    std::string original_mail_from{};
    std::string arrival_date{};
    std::string reporting_mta{};
    std::string source_ip{};
    std::uint64_t incidents = 1;
    std::vector<std::string> authentication_results{};
    std::vector<std::string> original_rcpt_to{};
    std::vector<std::string> reported_domains{};
    std::vector<std::string> reported_uris{};
    std::string auth_failure{};  // adsp, bodyhash, dmarc, revoked, signature, spf
    std::string delivery_result{};
    std::string identity_alignment{};
    std::string dkim_domain{};
    std::string dkim_identity{};
    std::string dkim_selector{};
    std::string spf_dns{};
    friend bool operator==(const FeedbackReport&, const FeedbackReport&) = default;
};

/// Reads the content of a message/feedback-report part, CRLF or LF.
/// Errors   `syntax`: no Feedback-Type.
[[nodiscard]] base::Result<FeedbackReport> parse_feedback_report(std::string_view text);
/// Such content, CRLF. What is not printable US-ASCII becomes `?`.
[[nodiscard]] std::string render_feedback_report(const FeedbackReport& report);

struct FeedbackMailOptions {
    FeedbackReport report;
    std::string from;
    std::string to;
    std::string subject;
    std::string message_id;  // without brackets
    base::Time now{};
    std::string_view explanation;      // for people, US-ASCII, CRLF
    std::string_view original_header;  // of the message it is about, CRLF
};
/// A whole message, multipart/report of three parts, 7-bit, CRLF.
/// Source   RFC 5965 §2, RFC 6522.
[[nodiscard]] std::string render_feedback_mail(const FeedbackMailOptions& options);

}  // namespace thurn::report
