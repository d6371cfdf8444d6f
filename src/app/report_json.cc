#include "app/report_json.h"

#include "base/utf8.h"

#include <algorithm>

#include <boost/json.hpp>

namespace thurn::app {

namespace json = boost::json;

namespace {

void put(json::object& object, std::string_view key, const std::string& text) {
    if (!text.empty()) object[key] = json_text(text);
}
void put(json::object& object, std::string_view key, const std::vector<std::string>& texts) {
    if (texts.empty()) return;
    json::array& array = object[key].emplace_array();
    for (const auto& text : texts) array.emplace_back(json_text(text));
}

json::object describe(const report::DmarcReportMetadata& metadata) {
    json::object object;
    put(object, "org_name", metadata.org_name);
    put(object, "email", metadata.email);
    put(object, "extra_contact_info", metadata.extra_contact_info);
    put(object, "report_id", metadata.report_id);
    object["date_range"] = {{"begin", metadata.date_range.begin}, {"end", metadata.date_range.end}};
    put(object, "error", metadata.errors);
    put(object, "generator", metadata.generator);
    return object;
}

json::object describe(const report::DmarcPolicyPublished& policy) {
    json::object object;
    put(object, "domain", policy.domain);
    put(object, "discovery_method", policy.discovery_method);
    put(object, "p", policy.p);
    put(object, "sp", policy.sp);
    put(object, "np", policy.np);
    put(object, "fo", policy.fo);
    put(object, "adkim", policy.adkim);
    put(object, "aspf", policy.aspf);
    put(object, "testing", policy.testing);
    return object;
}

json::object describe(const report::DmarcOverrideReason& reason) {
    json::object object;
    put(object, "type", reason.type);
    put(object, "comment", reason.comment);
    return object;
}

json::object describe(const report::DmarcDkimResult& result) {
    json::object object;
    put(object, "domain", result.domain);
    put(object, "selector", result.selector);
    put(object, "result", result.result);
    put(object, "human_result", result.human_result);
    return object;
}

json::object describe(const report::DmarcSpfResult& result) {
    json::object object;
    put(object, "domain", result.domain);
    put(object, "scope", result.scope);
    put(object, "result", result.result);
    put(object, "human_result", result.human_result);
    return object;
}

json::object describe(const report::DmarcReportRecord& record);
json::object describe(const report::DeliveryStatusRecipient& recipient);

template <class Items>
json::array describe_all(const Items& items) {
    json::array array;
    for (const auto& item : items) array.emplace_back(describe(item));
    return array;
}

json::object describe(const report::DmarcReportRecord& record) {
    json::object evaluated;
    put(evaluated, "disposition", record.disposition);
    put(evaluated, "dkim", record.dkim);
    put(evaluated, "spf", record.spf);
    if (!record.reasons.empty()) evaluated["reason"] = describe_all(record.reasons);
    json::object identifiers;
    put(identifiers, "header_from", record.header_from);
    put(identifiers, "envelope_from", record.envelope_from);
    put(identifiers, "envelope_to", record.envelope_to);
    return {{"row", {{"source_ip", json_text(record.source_ip)}, {"count", record.count}, {"policy_evaluated", std::move(evaluated)}}},
            {"identifiers", std::move(identifiers)},
            {"auth_results", {{"dkim", describe_all(record.dkim_results)}, {"spf", describe_all(record.spf_results)}}}};
}

json::object describe(const report::DmarcAggregate& report) {
    json::object object;
    put(object, "version", report.version);
    object["report_metadata"] = describe(report.metadata);
    object["policy_published"] = describe(report.policy);
    object["record"] = describe_all(report.records);
    return object;
}

json::object describe(const report::FeedbackReport& report) {
    json::object object;
    put(object, "feedback-type", report.feedback_type);
    put(object, "user-agent", report.user_agent);
    put(object, "version", report.version);
    put(object, "original-envelope-id", report.original_envelope_id);
    put(object, "original-mail-from", report.original_mail_from);
    put(object, "arrival-date", report.arrival_date);
    put(object, "reporting-mta", report.reporting_mta);
    put(object, "source-ip", report.source_ip);
    object["incidents"] = report.incidents;
    put(object, "authentication-results", report.authentication_results);
    put(object, "original-rcpt-to", report.original_rcpt_to);
    put(object, "reported-domain", report.reported_domains);
    put(object, "reported-uri", report.reported_uris);
    put(object, "auth-failure", report.auth_failure);
    put(object, "delivery-result", report.delivery_result);
    put(object, "identity-alignment", report.identity_alignment);
    put(object, "dkim-domain", report.dkim_domain);
    put(object, "dkim-identity", report.dkim_identity);
    put(object, "dkim-selector", report.dkim_selector);
    put(object, "spf-dns", report.spf_dns);
    return object;
}

json::object describe(const report::DeliveryStatusRecipient& recipient) {
    json::object object;
    put(object, "original-recipient", recipient.original_recipient);
    put(object, "final-recipient", recipient.final_recipient);
    put(object, "action", recipient.action);
    put(object, "status", recipient.status);
    put(object, "remote-mta", recipient.remote_mta);
    put(object, "diagnostic-code", recipient.diagnostic_code);
    put(object, "last-attempt-date", recipient.last_attempt_date);
    put(object, "will-retry-until", recipient.will_retry_until);
    return object;
}

json::object describe(const report::DeliveryStatus& status) {
    json::object object;
    put(object, "original-envelope-id", status.original_envelope_id);
    put(object, "reporting-mta", status.reporting_mta);
    put(object, "received-from-mta", status.received_from_mta);
    put(object, "arrival-date", status.arrival_date);
    object["recipients"] = describe_all(status.recipients);
    return object;
}

json::object named(std::string_view type, json::value report) { return {{"type", type}, {"report", std::move(report)}}; }

struct Describe {
    json::object operator()(const report::DmarcAggregate& report) const { return named("dmarc", describe(report)); }
    json::object operator()(const report::TlsReport& report) const { return named("tls", json::parse(render_tls_report(report))); }
    json::object operator()(const report::FeedbackReport& report) const { return named("arf", describe(report)); }
    json::object operator()(const report::DeliveryStatus& status) const { return named("dsn", describe(status)); }
};

}  // namespace

json::string json_text(std::string_view octets) {
    json::string clean(octets);
    if (!base::is_utf8(octets)) std::ranges::replace_if(clean, [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '?');
    return clean;
}

json::object describe_report(const report::Report& report) { return std::visit(Describe{}, report); }

}  // namespace thurn::app
