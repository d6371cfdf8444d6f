#include "mailauth/dmarc_failure.h"

#include "base/ascii.h"
#include "mail/date.h"
#include "mailauth/dmarc_reporting.h"

#include <algorithm>

#include <fmt/format.h>

namespace thurn::mailauth {
namespace {

using namespace std::chrono_literals;

constexpr auto kWindow = 1h;
constexpr std::size_t kMostKinds = 10'000;

std::string_view name_of(DeliveryResult result) {
    switch (result) {
        case DeliveryResult::delivered:
            return "delivered";
        case DeliveryResult::spam:
            return "spam";
        case DeliveryResult::policy:
            return "policy";
        case DeliveryResult::reject:
            return "reject";
        case DeliveryResult::other:
            break;
    }
    return "other";
}

bool is_report(const MessageHeader& header) {
    return std::ranges::any_of(header.named("content-type"), [&](std::size_t field) {
        const auto value = mail::unfold(header.fields()[field].value);
        return base::equal_ignoring_case(std::string_view(value).substr(0, std::string_view("multipart/report").size()),
                                         "multipart/report");
    });
}

bool failed(const DkimVerdict& verdict) {
    return verdict.result == DkimResult::fail || verdict.result == DkimResult::permerror || verdict.result == DkimResult::policy;
}

bool failed(const SpfVerdict& verdict) { return verdict.result == SpfResult::fail || verdict.result == SpfResult::softfail; }

const DkimVerdict* find_failed(const std::vector<DkimVerdict>& verdicts) {
    const auto found = std::ranges::find_if(verdicts, [](const auto& verdict) { return failed(verdict); });
    return found == verdicts.end() ? nullptr : &*found;
}

/// In the words of Auth-Failure (RFC 6591 §3.3, `dmarc` by RFC 9991); empty: the domain does not ask for this one.
std::string_view kind_of(const Findings& findings) {
    const auto& fo = findings.dmarc.record->fo;
    const auto asks = [&fo](char option) { return fo.find(option) != std::string::npos; };
    const bool spf = !findings.dmarc.spf.domain.empty();
    const bool dkim = !findings.dmarc.dkim.domain.empty();
    if ((asks('0') && !spf && !dkim) || (asks('1') && (!spf || !dkim))) return "dmarc";
    if (const auto* verdict = find_failed(findings.signatures.dkim); asks('d') && verdict != nullptr)
        return verdict->body_changed ? "bodyhash" : "signature";
    return asks('s') && failed(findings.origin.mail_from) ? "spf" : "";
}

/// The mechanisms without a result that is aligned and passed.
std::string alignment_of(const DmarcVerdict& verdict) {
    if (verdict.dkim.domain.empty()) return verdict.spf.domain.empty() ? "dkim, spf" : "dkim";
    return verdict.spf.domain.empty() ? "spf" : "none";
}

/// `txt : example.com : "v=spf1 -all"`, of the record that SPF began with (RFC 6591 §3.2.6).
std::string spf_record_of(const OriginFindings& origin) {
    for (const auto& [question, answer] : origin.lookups)
        if (question.type == dns::Type::txt && base::equal_ignoring_case(question.name, origin.mail_from.domain) &&
            answer.starts_with("\"v=spf1"))
            return fmt::format("txt : {} : {}", question.name, answer);
    return {};
}

void put_mechanisms(report::FeedbackReport& report, const Findings& findings) {
    report.identity_alignment = alignment_of(findings.dmarc);
    if (const auto* verdict = find_failed(findings.signatures.dkim)) {
        report.dkim_domain = verdict->domain;
        report.dkim_identity = verdict->identity;
        report.dkim_selector = verdict->selector;
    }
    if (failed(findings.origin.mail_from)) report.spf_dns = spf_record_of(findings.origin);
}

report::FeedbackReport describe(const FailureObservation& observation, std::string_view kind) {
    const auto& findings = observation.findings;
    const auto results = render_authentication_results(results_of(findings, observation.authserv_id));
    report::FeedbackReport report{.feedback_type = "auth-failure",
                                  .user_agent = "thurn",
                                  .version = "1",
                                  .original_envelope_id = std::string(observation.message_id),
                                  .original_mail_from = fmt::format("<{}>", findings.asked.reverse_path),
                                  .arrival_date = mail::render_date(findings.asked.now),
                                  .reporting_mta = "dns; " + findings.asked.receiver,
                                  .source_ip = dns::render_ip(findings.asked.client),
                                  .authentication_results = {mail::unfold(results)},
                                  .reported_domains = {findings.dmarc.author_domain},
                                  .auth_failure = std::string(kind),
                                  .delivery_result = std::string(name_of(observation.became))};
    put_mechanisms(report, findings);
    return report;
}

}  // namespace

std::optional<DmarcFailure> describe_failure(const FailureObservation& observation) {
    const auto& [asked, origin, signatures, dmarc, lookups] = observation.findings;
    if (!dmarc.record || dmarc.record->ruf.empty()) return std::nullopt;
    if (dmarc.result != DmarcResult::pass && dmarc.result != DmarcResult::fail) return std::nullopt;
    if (asked.reverse_path.empty() || is_report(observation.header)) return std::nullopt;
    const auto kind = kind_of(observation.findings);
    if (kind.empty()) return std::nullopt;
    auto destinations = find_report_destinations(dmarc.record->ruf);
    if (destinations.empty()) return std::nullopt;
    return DmarcFailure{.author_domain = dmarc.author_domain,
                        .policy_domain = dmarc.policy_domain,
                        .destinations = std::move(destinations),
                        .report = describe(observation, kind),
                        .header = std::string(observation.header.octets())};
}

void FailureQuota::forget_old(base::Time now) {
    std::erase_if(seen_, [now](const auto& each) { return each.second.reported + 2 * kWindow <= now; });
    std::erase_if(domains_, [now](const auto& each) { return each.second.begun + kWindow <= now; });
}

std::uint64_t FailureQuota::count(const DmarcFailure& failure, base::Time now) {
    const auto kind = fmt::format("{} {} {}", failure.author_domain, failure.report.source_ip, failure.report.auth_failure);
    if (!seen_.contains(kind) && seen_.size() >= kMostKinds) forget_old(now);
    if (!seen_.contains(kind) && seen_.size() >= kMostKinds) return 0;
    const auto [known, added] = seen_.try_emplace(kind, Seen{.reported = now});
    auto& seen = known->second;
    if (!added && now < seen.reported + kWindow) {
        ++seen.since;
        return 0;
    }
    // Those of one organization share: by other names below it nobody gets more.
    if (domains_.size() >= kMostKinds) forget_old(now);
    auto& domain = domains_[failure.policy_domain];
    for (auto* hour : {&domain, &all_})
        if (now >= hour->begun + kWindow) *hour = {.begun = now};
    seen.reported = now;  // also of one over the limit: it counts into the next
    if (domain.sent >= options_.per_domain || all_.sent >= options_.in_all) {
        ++seen.since;
        return 0;
    }
    ++domain.sent;
    ++all_.sent;
    return std::exchange(seen.since, 0) + 1;
}

}  // namespace thurn::mailauth
