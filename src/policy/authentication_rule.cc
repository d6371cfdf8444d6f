#include "policy/authentication_rule.h"

#include "mailauth/authentication_results.h"

#include <algorithm>
#include <ranges>

#include <fmt/format.h>

namespace thurn::policy {
namespace {

using mailauth::DmarcOverride;
using mailauth::DmarcPolicy;
using mailauth::DmarcResult;
using Kind = Decision::Kind;
using Rules = AuthenticationRules;

Decision accept(std::string rule, std::string reason) {
    return {.kind = Kind::accept, .rule = std::move(rule), .reason = std::move(reason), .code = 250, .status = {2, 0, 0}, .text = "OK"};
}

ContentDecision refuse(std::string rule, mail::EnhancedStatus status, std::string text) {
    return {.decision = {
                .kind = Kind::reject, .rule = std::move(rule), .reason = text, .code = 550, .status = status, .text = std::move(text)}};
}

ContentDecision put_off(std::string rule, std::string text) {
    return {.decision = {
                .kind = Kind::defer, .rule = std::move(rule), .reason = text, .code = 451, .status = {4, 7, 5}, .text = std::move(text)}};
}

/// What a person who got the bounce can act upon.
std::string why_dmarc_failed(const mailauth::Findings& findings) {
    const auto& spf = findings.origin.mail_from;
    auto signature = best_of(findings.signatures.dkim);
    return fmt::format(
        "mail from {} must be authenticated (its DMARC policy is {}): SPF of {} is {}, DKIM is {}, and neither vouches for {}",
        findings.dmarc.author_domain, mailauth::dmarc_policy_name(findings.dmarc.policy), spf.domain.empty() ? "nobody" : spf.domain,
        mailauth::spf_result_name(spf.result), mailauth::name_of(signature), findings.dmarc.author_domain);
}

ContentDecision refuse_for_dmarc(const mailauth::Findings& findings) {
    auto refusal = refuse("authentication.dmarc", {5, 7, 1}, why_dmarc_failed(findings));
    refusal.disposition = DmarcPolicy::reject;
    return refusal;
}

ContentDecision quarantine(const mailauth::Findings& findings, Rules::Quarantine how) {
    if (how == Rules::Quarantine::reject) return refuse_for_dmarc(findings);
    ContentDecision decided{.decision = accept("authentication.dmarc_quarantine", why_dmarc_failed(findings))};
    decided.disposition = DmarcPolicy::quarantine;
    decided.filing = how == Rules::Quarantine::junk ? Filing::junk : how == Rules::Quarantine::hold ? Filing::hold : Filing::inbox;
    if (how == Rules::Quarantine::mark) {
        decided.disposition = DmarcPolicy::none;
        decided.overrides.push_back({DmarcOverride::local_policy, "marked only"});
    }
    return decided;
}

ContentDecision spare(std::string rule, std::string reason, DmarcOverride type) {
    ContentDecision decided{.decision = accept(std::move(rule), reason)};
    decided.overrides.push_back({type, std::move(reason)});
    return decided;
}

ContentDecision decide_failed(const mailauth::Findings& findings, const Rules& rules) {
    const auto& dmarc = findings.dmarc;
    if (dmarc.disposition == DmarcPolicy::none) return {.decision = accept("authentication.dmarc", why_dmarc_failed(findings))};
    if (const auto sealer = find_trusted_sealer(findings.signatures.arc, rules.trusted_sealers); !sealer.empty())
        return spare("authentication.trusted_sealers", fmt::format("{} saw it pass, says its ARC seal", sealer),
                     DmarcOverride::trusted_forwarder);
    if (rules.dmarc == Rules::OnDmarcFail::mark) return spare("authentication.dmarc", "marked only", DmarcOverride::local_policy);
    if (dmarc.disposition == DmarcPolicy::reject) return refuse_for_dmarc(findings);
    return quarantine(findings, rules.quarantine);
}

bool says_pass(const mailauth::ArcLink& link) {
    // The content of ARC-Authentication-Results is that of Authentication-Results behind `i=…;` (RFC 8617 §4.1.1).
    const auto saw = mailauth::parse_authentication_results(link.authentication_results);
    return saw && std::ranges::any_of(saw->results, [](const auto& result) { return result.method == "dmarc" && result.result == "pass"; });
}

}  // namespace

std::string find_trusted_sealer(const mailauth::ArcVerdict& chain, const std::vector<std::string>& trusted) {
    if (chain.result != mailauth::ArcResult::pass) return {};
    for (const auto& link : chain.links | std::views::reverse) {
        if (std::ranges::find(trusted, link.domain) == trusted.end()) return {};
        if (says_pass(link)) return link.domain;
    }
    return {};
}

ContentDecision decide_content(const mailauth::Findings& findings, const Rules& rules) {
    const auto& author = findings.signatures.author;
    if (author.problem && rules.no_author == Rules::OnNoAuthor::reject)
        return refuse("authentication.no_author", {5, 7, 1},
                      fmt::format("no one author can be made out: {}", author_problem_text(*author.problem)));
    const auto& dmarc = findings.dmarc;
    if (dmarc.result == DmarcResult::fail) {
        auto decided = decide_failed(findings, rules);
        if (dmarc.record && dmarc.record->mode == mailauth::DmarcRecord::Mode::test && decided.overrides.empty())
            decided.overrides.push_back({DmarcOverride::policy_test_mode, "t=y"});
        return decided;
    }
    if (dmarc.result == DmarcResult::temperror && rules.temperror == Rules::OnTemperror::defer)
        return put_off("authentication.temperror", fmt::format("cannot check {} just now: {}", dmarc.author_domain, dmarc.reason));
    const auto& spf = findings.origin.mail_from;
    if (dmarc.result != DmarcResult::pass && spf.result == mailauth::SpfResult::fail && rules.spf_fail == Rules::OnSpfFail::reject)
        return refuse("authentication.spf_fail", {5, 7, 23},
                      fmt::format("{} does not let {} send its mail (SPF){}{}", spf.domain, dns::render_ip(findings.asked.client),
                                  spf.explanation.empty() ? "" : ": ", spf.explanation));
    return {.decision = accept("authentication", fmt::format("DMARC {}", mailauth::dmarc_result_name(dmarc.result)))};
}

}  // namespace thurn::policy
