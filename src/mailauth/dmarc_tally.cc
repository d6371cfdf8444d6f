#include "mailauth/dmarc_tally.h"

#include "base/ascii.h"

#include <algorithm>

namespace thurn::mailauth {
namespace {

constexpr std::size_t kHumanResult = 200;  // a reason is for people, and makes a row of its own

std::string_view override_name(DmarcOverride type) {
    switch (type) {
        case DmarcOverride::local_policy:
            return "local_policy";
        case DmarcOverride::mailing_list:
            return "mailing_list";
        case DmarcOverride::other:
            return "other";
        case DmarcOverride::policy_test_mode:
            return "policy_test_mode";
        case DmarcOverride::trusted_forwarder:
            return "trusted_forwarder";
    }
    return "other";
}

std::string lower(std::string_view domain) {
    std::string result(domain);
    std::ranges::transform(result, result.begin(), base::to_lower);
    return result;
}

std::string policy_or_empty(const std::optional<DmarcPolicy>& policy) {
    return policy ? std::string(dmarc_policy_name(*policy)) : std::string();
}

std::string alignment_letter(DmarcAlignment alignment) { return alignment == DmarcAlignment::strict ? "s" : "r"; }
std::string aligned_result(const DmarcAligned& aligned) { return aligned.domain.empty() ? "fail" : "pass"; }

/// RFC 9990 §3.1: `pass` where the policy had nothing to act on.
std::string disposition_of(const DmarcObservation& observation) {
    if (observation.verdict.result == DmarcResult::pass && observation.done == DmarcPolicy::none) return "pass";
    return std::string(dmarc_policy_name(observation.done));
}

/// A policy that is only tried out is the domain's wish, not an override of ours, but this is how it is told (RFC 9990 §3.1).
bool is_made_milder(const DmarcVerdict& verdict) {
    if (!verdict.record || verdict.record->mode != DmarcRecord::Mode::test || verdict.result != DmarcResult::fail) return false;
    const auto p = verdict.record->p.value_or(DmarcPolicy::none);
    const auto sp = verdict.record->sp.value_or(p);
    const auto published = verdict.source == DmarcPolicySource::np   ? verdict.record->np.value_or(sp)
                           : verdict.source == DmarcPolicySource::sp ? sp
                                                                     : p;
    return published != verdict.policy;
}

std::vector<report::DmarcOverrideReason> reasons_of(const DmarcObservation& observation) {
    std::vector<report::DmarcOverrideReason> reasons;
    for (const auto& reason : observation.overrides)
        reasons.push_back({.type = std::string(override_name(reason.type)), .comment = reason.comment.substr(0, kHumanResult)});
    const auto told = [](const auto& reason) { return reason.type == "policy_test_mode"; };
    if (is_made_milder(observation.verdict) && std::ranges::none_of(reasons, told))
        reasons.push_back({.type = "policy_test_mode", .comment = {}});
    return reasons;
}

std::vector<report::DmarcDkimResult> dkim_results_of(const DmarcObservation& observation) {
    std::vector<report::DmarcDkimResult> results;
    for (const auto& verdict : observation.dkim) {
        if (verdict.domain.empty() || verdict.selector.empty()) continue;  // the schema wants both
        const bool passed = verdict.result == DkimResult::pass;
        results.push_back({.domain = lower(verdict.domain),
                           .selector = lower(verdict.selector),
                           .result = std::string(name_of(verdict.result)),
                           .human_result = passed ? std::string() : verdict.reason.substr(0, kHumanResult)});
    }
    return results;
}

}  // namespace

bool is_reportable(const DmarcObservation& observation) {
    const auto& verdict = observation.verdict;
    return verdict.record && !verdict.record->rua.empty() && !verdict.policy_domain.empty() &&
           (verdict.result == DmarcResult::pass || verdict.result == DmarcResult::fail);
}

report::DmarcPolicyPublished describe_policy(const DmarcObservation& observation) {
    const auto& record = *observation.verdict.record;
    return {.domain = lower(observation.verdict.policy_domain),
            .discovery_method = observation.discovery == DmarcDiscovery::tree_walk ? "treewalk" : "psl",
            .p = policy_or_empty(record.p),
            .sp = policy_or_empty(record.sp),
            .np = policy_or_empty(record.np),
            .fo = record.fo,
            .adkim = alignment_letter(record.adkim),
            .aspf = alignment_letter(record.aspf),
            .testing = record.mode == DmarcRecord::Mode::test ? "y" : "n"};
}

report::DmarcReportRecord describe_message(const DmarcObservation& observation) {
    const auto& verdict = observation.verdict;
    report::DmarcReportRecord record{.source_ip = dns::render_ip(observation.client),
                                     .count = 1,
                                     .disposition = disposition_of(observation),
                                     .dkim = aligned_result(verdict.dkim),
                                     .spf = aligned_result(verdict.spf),
                                     .reasons = reasons_of(observation),
                                     .header_from = lower(verdict.author_domain),
                                     .envelope_from = lower(observation.envelope_from_domain),
                                     .envelope_to = lower(observation.envelope_to_domain),
                                     .dkim_results = dkim_results_of(observation)};
    if (observation.spf && !observation.spf->domain.empty())
        record.spf_results.push_back(
            {.domain = lower(observation.spf->domain), .scope = "mfrom", .result = std::string(spf_result_name(observation.spf->result))});
    return record;
}

}  // namespace thurn::mailauth
