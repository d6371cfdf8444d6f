#include "mailauth/findings.h"

#include <algorithm>

#include <fmt/format.h>

namespace thurn::mailauth {
namespace {

using Property = AuthenticationProperty;

AuthenticationResult render(const IprevVerdict& verdict, const MessageOrigin& origin) {
    return {.method = "iprev",
            .result = std::string(iprev_result_name(verdict.result)),
            .comment = verdict.name,
            .properties = {{"policy", "iprev", dns::render_ip(origin.client)}}};
}

AuthenticationResult render(const SpfVerdict& verdict, Property identity) {
    return {.method = "spf",
            .result = std::string(spf_result_name(verdict.result)),
            .comment = verdict.detail,
            .properties = {std::move(identity)}};
}

AuthenticationResult render(const DkimVerdict& verdict) {
    AuthenticationResult result{.method = "dkim", .result = std::string(name_of(verdict.result)), .reason = verdict.reason};
    const auto add = [&result](const char* name, const std::string& value) {
        if (!value.empty()) result.properties.push_back({"header", name, value});
    };
    add("d", verdict.domain);
    add("i", verdict.identity);
    add("s", verdict.selector);
    add("a", verdict.algorithm);
    add("b", verdict.b_prefix);
    return result;
}

AuthenticationResult render(const ArcVerdict& verdict, const MessageOrigin& origin) {
    AuthenticationResult result{.method = "arc", .result = std::string(name_of(verdict.result)), .reason = verdict.reason};
    result.properties.push_back({"smtp", "remote-ip", dns::render_ip(origin.client)});
    if (verdict.result == ArcResult::pass) result.properties.push_back({"header", "oldest-pass", std::to_string(verdict.oldest_pass)});
    return result;
}

AuthenticationResult render(const DmarcVerdict& verdict, const Author& author) {
    AuthenticationResult result{.method = "dmarc", .result = std::string(dmarc_result_name(verdict.result))};
    if (verdict.record) result.comment = fmt::format("p={}", dmarc_policy_name(verdict.policy));
    if (author.problem) result.reason = author_problem_text(*author.problem);
    if (!author.domain.empty()) result.properties.push_back({"header", "from", author.domain});
    return result;
}

std::string path_of(const SpfVerdict& verdict) {
    std::string path;
    for (const auto& [domain, term] : verdict.path)
        path += fmt::format("{}{} {}", path.empty() ? "" : " > ", domain, term.empty() ? "(no term)" : term);
    return path;
}

std::string tell(const SpfVerdict& verdict, std::string_view identity) {
    auto told = fmt::format("{} for {}", spf_result_name(verdict.result), identity);
    if (const auto path = path_of(verdict); !path.empty()) told += ": " + path;
    if (!verdict.detail.empty()) told += fmt::format(" ({})", verdict.detail);
    return told;
}

std::string tell(const DkimVerdict& verdict) {
    auto told = fmt::format("{} d={} s={} a={}", name_of(verdict.result), verdict.domain, verdict.selector, verdict.algorithm);
    if (!verdict.reason.empty()) told += fmt::format(" ({})", verdict.reason);
    return told;
}

std::string tell(const ArcVerdict& verdict) {
    std::string told(name_of(verdict.result));
    for (std::size_t i = 0; i < verdict.links.size(); ++i)
        told += fmt::format("{} i={} d={}", i == 0 ? ":" : ",", i + 1, verdict.links[i].domain);
    if (!verdict.reason.empty()) told += fmt::format(" ({})", verdict.reason);
    return told;
}

std::string tell(const DmarcVerdict& verdict, const Author& author) {
    if (author.problem) return fmt::format("no author: {}", author_problem_text(*author.problem));
    auto told = fmt::format("{} for {}", dmarc_result_name(verdict.result), author.domain);
    if (verdict.record) told += fmt::format(", policy {} of {}", dmarc_policy_name(verdict.policy), verdict.policy_domain);
    const auto aligned = [&told](std::string_view method, const DmarcAligned& by) {
        if (!by.domain.empty()) told += fmt::format(", aligned by {} with {}", method, by.domain);
    };
    aligned("SPF", verdict.spf);
    aligned("DKIM", verdict.dkim);
    if (!verdict.reason.empty()) told += fmt::format(" ({})", verdict.reason);
    return told;
}

void tell(std::vector<FindingLine>& lines, const std::vector<Lookup>& lookups) {
    for (const auto& [question, answer] : lookups)
        lines.push_back({"asked", fmt::format("{} {}: {}", dns::type_name(question.type), question.name, answer)});
}

}  // namespace

DmarcRequest dmarc_request(const OriginFindings& origin, const SignatureFindings& signatures) {
    using Standing = AuthenticatedDomain::Standing;
    DmarcRequest request{.author_domain = signatures.author.domain};
    const auto& spf = origin.mail_from;
    if (spf.result == SpfResult::pass) request.spf.push_back({spf.domain, Standing::passed});
    if (spf.result == SpfResult::temperror) request.spf.push_back({spf.domain, Standing::temperror});
    for (const auto& verdict : signatures.dkim) {
        if (verdict.result == DkimResult::pass) request.dkim.push_back({verdict.domain, Standing::passed});
        if (verdict.result == DkimResult::temperror) request.dkim.push_back({verdict.domain, Standing::temperror});
    }
    return request;
}

AuthenticationResults results_of(const Findings& findings, std::string_view authserv_id) {
    const auto& [asked, origin, signatures, dmarc, lookups] = findings;
    AuthenticationResults all{.authserv_id = std::string(authserv_id)};
    auto& results = all.results;
    results.push_back(render(origin.iprev, asked));
    if (origin.helo) results.push_back(render(*origin.helo, {"smtp", "helo", asked.helo}));
    results.push_back(asked.reverse_path.empty() ? render(origin.mail_from, {"smtp", "helo", asked.helo})
                                                 : render(origin.mail_from, {"smtp", "mailfrom", asked.reverse_path}));
    if (signatures.dkim.empty()) results.push_back({.method = "dkim", .result = "none"});
    for (const auto& verdict : signatures.dkim) results.push_back(render(verdict));
    if (signatures.arc.result != ArcResult::none) results.push_back(render(signatures.arc, asked));
    results.push_back(render(dmarc, signatures.author));
    return all;
}

std::vector<FindingLine> tell(const MessageOrigin& asked, const OriginFindings& origin) {
    std::vector<FindingLine> lines;
    const auto& name = origin.iprev.name.empty() ? origin.iprev.detail : origin.iprev.name;
    lines.push_back({"iprev", fmt::format("{} for {} ({})", iprev_result_name(origin.iprev.result), dns::render_ip(asked.client), name)});
    if (origin.helo) lines.push_back({"spf helo", tell(*origin.helo, asked.helo)});
    lines.push_back({"spf", tell(origin.mail_from, asked.reverse_path.empty() ? asked.helo : asked.reverse_path)});
    tell(lines, origin.lookups);
    return lines;
}

std::vector<FindingLine> tell(const Findings& findings) {
    const auto& [asked, origin, signatures, dmarc, lookups] = findings;
    auto lines = tell(asked, origin);
    if (signatures.dkim.empty()) lines.push_back({"dkim", "none"});
    for (const auto& verdict : signatures.dkim) lines.push_back({"dkim", tell(verdict)});
    lines.push_back({"arc", tell(signatures.arc)});
    tell(lines, signatures.lookups);
    lines.push_back({"dmarc", tell(dmarc, signatures.author)});
    tell(lines, lookups);
    return lines;
}

}  // namespace thurn::mailauth
