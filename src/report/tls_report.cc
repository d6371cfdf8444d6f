#include "report/tls_report.h"

#include "base/utf8.h"
#include "mail/date.h"

#include <algorithm>

#include <boost/json.hpp>

namespace thurn::report {
namespace {

namespace json = boost::json;
using base::ErrorKind;
using base::fail;

// --- writing ---------------------------------------------------------------------------------------------------------------------

json::string text(std::string_view octets) {
    json::string clean(octets);
    if (!base::is_utf8(octets)) std::ranges::replace_if(clean, [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '?');
    return clean;
}

void put_if_said(json::object& object, std::string_view key, std::string_view value) {
    if (!value.empty()) object[key] = text(value);
}

json::array texts(const std::vector<std::string>& values) {
    json::array array;
    for (const auto& value : values) array.emplace_back(text(value));
    return array;
}

/// RFC 3339, without a fraction.
std::string timestamp(base::Time time) { return mail::render_timestamp(time).substr(0, 19) + "Z"; }

json::object describe(const TlsFailure& failure) {
    json::object object{{"result-type", text(failure.result_type)}};
    put_if_said(object, "sending-mta-ip", failure.sending_mta_ip);
    put_if_said(object, "receiving-mx-hostname", failure.receiving_mx_hostname);
    put_if_said(object, "receiving-mx-helo", failure.receiving_mx_helo);
    put_if_said(object, "receiving-ip", failure.receiving_ip);
    object["failed-session-count"] = failure.failed_session_count;
    put_if_said(object, "additional-information", failure.additional_information);
    put_if_said(object, "failure-reason-code", failure.failure_reason_code);
    return object;
}

json::object describe(const TlsPolicyResult& result) {
    json::object policy{{"policy-type", text(result.policy_type)}, {"policy-domain", text(result.policy_domain)}};
    if (!result.policy_string.empty()) policy["policy-string"] = texts(result.policy_string);
    if (!result.mx_hosts.empty()) policy["mx-host"] = texts(result.mx_hosts);
    json::object object{
        {"policy", std::move(policy)},
        {"summary",
         {{"total-successful-session-count", result.successful_sessions}, {"total-failure-session-count", result.failed_sessions}}}};
    if (result.failures.empty()) return object;
    json::array& failures = object["failure-details"].emplace_array();
    for (const auto& failure : result.failures) failures.emplace_back(describe(failure));
    return object;
}

// --- reading ---------------------------------------------------------------------------------------------------------------------

/// Reads what is there of an object; what is not there, or of another type, is empty.
class Fields {
public:
    Fields(const json::value* value, const TlsReportLimits& limits)
        : object_(value != nullptr ? value->if_object() : nullptr), limits_(limits) {}

    [[nodiscard]] const json::value* find(std::string_view key) const { return object_ != nullptr ? object_->if_contains(key) : nullptr; }
    [[nodiscard]] Fields inner(std::string_view key) const { return {find(key), limits_}; }
    [[nodiscard]] std::string text(std::string_view key) const { return text_of(find(key)); }
    /// A list of texts; one alone counts as a list of it, as some write `mx-host`.
    [[nodiscard]] std::vector<std::string> texts(std::string_view key) const {
        const auto* value = find(key);
        if (value != nullptr && value->is_string()) return {text_of(value)};
        std::vector<std::string> all;
        for (const auto& each : list(key)) all.push_back(text_of(&each));
        return all;
    }
    [[nodiscard]] json::array list(std::string_view key) const {
        const auto* value = find(key);
        return value != nullptr && value->is_array() ? value->as_array() : json::array();
    }
    [[nodiscard]] std::uint64_t number(std::string_view key) const {
        const auto* value = find(key);
        if (value == nullptr) return 0;
        if (value->is_uint64()) return value->as_uint64();
        return value->is_int64() && value->as_int64() > 0 ? static_cast<std::uint64_t>(value->as_int64()) : 0;
    }
    [[nodiscard]] base::Time time(std::string_view key) const {
        std::string written = text(key);
        if (written.ends_with("+00:00")) written.replace(written.size() - 6, 6, "Z");
        const auto parsed = mail::parse_timestamp(written);
        return parsed ? std::chrono::floor<std::chrono::seconds>(*parsed) : base::Time{};
    }

private:
    [[nodiscard]] std::string text_of(const json::value* value) const {
        if (value == nullptr || !value->is_string()) return {};
        std::string_view whole = value->as_string();
        auto end = std::min(whole.size(), limits_.text);
        while (end > 0 && end < whole.size() && (static_cast<unsigned char>(whole[end]) & 0xc0) == 0x80) --end;  // within a character
        return std::string(whole.substr(0, end));
    }
    const json::object* object_;
    const TlsReportLimits& limits_;
};

TlsFailure read_failure(const Fields& fields) {
    return {.result_type = fields.text("result-type"),
            .sending_mta_ip = fields.text("sending-mta-ip"),
            .receiving_mx_hostname = fields.text("receiving-mx-hostname"),
            .receiving_mx_helo = fields.text("receiving-mx-helo"),
            .receiving_ip = fields.text("receiving-ip"),
            .failed_session_count = fields.number("failed-session-count"),
            .additional_information = fields.text("additional-information"),
            .failure_reason_code = fields.text("failure-reason-code")};
}

TlsPolicyResult read_result(const Fields& fields, const TlsReportLimits& limits) {
    const auto policy = fields.inner("policy");
    const auto summary = fields.inner("summary");
    TlsPolicyResult result{.policy_type = policy.text("policy-type"),
                           .policy_string = policy.texts("policy-string"),
                           .policy_domain = policy.text("policy-domain"),
                           .mx_hosts = policy.texts("mx-host"),
                           .successful_sessions = summary.number("total-successful-session-count"),
                           .failed_sessions = summary.number("total-failure-session-count")};
    for (const auto& failure : fields.list("failure-details")) result.failures.push_back(read_failure({&failure, limits}));
    return result;
}

}  // namespace

std::string render_tls_report(const TlsReport& report) {
    json::object object{{"organization-name", text(report.organization_name)},
                        {"date-range", {{"start-datetime", timestamp(report.begin)}, {"end-datetime", timestamp(report.end)}}},
                        {"contact-info", text(report.contact_info)},
                        {"report-id", text(report.report_id)}};
    json::array& policies = object["policies"].emplace_array();
    for (const auto& policy : report.policies) policies.emplace_back(describe(policy));
    return json::serialize(object);
}

base::Result<TlsReport> parse_tls_report(std::string_view octets, const TlsReportLimits& limits) {
    if (octets.size() > limits.size.count)
        return fail(ErrorKind::too_long, "the report is larger than " + base::render_octets(limits.size));
    json::error_code error;
    const auto value = json::parse(octets, error, {}, {.max_depth = limits.depth});
    if (error == json::error::too_deep) return fail(ErrorKind::too_long, "values within values, too deep");
    if (error) return fail(ErrorKind::syntax, "no JSON: " + error.message());
    const Fields fields(&value, limits);
    if (!fields.find("policies") && !fields.find("report-id")) return fail(ErrorKind::syntax, "JSON, but no TLS report");
    const auto dates = fields.inner("date-range");
    TlsReport report{.organization_name = fields.text("organization-name"),
                     .begin = dates.time("start-datetime"),
                     .end = dates.time("end-datetime"),
                     .contact_info = fields.text("contact-info"),
                     .report_id = fields.text("report-id")};
    for (const auto& policy : fields.list("policies")) report.policies.push_back(read_result({&policy, limits}, limits));
    return report;
}

}  // namespace thurn::report
