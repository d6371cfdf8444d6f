#include "policy/spoofing.h"

#include "base/ascii.h"

#include <algorithm>

#include <fmt/format.h>

namespace thurn::policy {

namespace {

using mailauth::DmarcResult;

bool is_or_is_below(std::string_view domain, std::string_view above) {
    if (above.empty() || domain.size() < above.size()) return false;
    const auto head = domain.size() - above.size();
    return base::equal_ignoring_case(domain.substr(head), above) && (head == 0 || domain[head - 1] == '.');
}

/// Whether somebody vouches for the domain, or might have, had DNS answered.
bool may_be_proven(std::string_view domain, const mailauth::Findings& findings) {
    const auto& organization = findings.dmarc.organizational_domain;
    const auto aligned = [&](const mailauth::AuthenticatedDomain& other) {
        return is_or_is_below(domain, other.domain) || is_or_is_below(other.domain, domain) ||
               (is_or_is_below(domain, organization) && is_or_is_below(other.domain, organization));
    };
    const auto vouched = mailauth::dmarc_request(findings.origin, findings.signatures);
    return std::ranges::any_of(vouched.spf, aligned) || std::ranges::any_of(vouched.dkim, aligned);
}

std::string sender_domain(const mailauth::Findings& findings) {
    const auto& path = findings.asked.reverse_path;
    const auto at = path.rfind('@');
    return at == std::string::npos ? std::string() : path.substr(at + 1);
}

constexpr std::string_view kUnproven = "and neither SPF nor DKIM says that it comes from there";

}  // namespace

std::vector<UnprovenName> unproven_names(const mailauth::Findings& findings) {
    std::vector<UnprovenName> names;
    const auto& author = findings.signatures.author.domain;
    const auto result = findings.dmarc.result;
    if (result == DmarcResult::fail)
        names.push_back({author, fmt::format("a message in the name of {} fails DMARC", author)});
    else if (!author.empty() && (result == DmarcResult::none || result == DmarcResult::permerror) && !may_be_proven(author, findings))
        names.push_back({author, fmt::format("a message is in the name of {}, {}", author, kUnproven)});
    const auto sender = sender_domain(findings);
    if (!sender.empty() && !base::equal_ignoring_case(sender, author) && !may_be_proven(sender, findings))
        names.push_back({sender, fmt::format("a message has the sender {}, {}", findings.asked.reverse_path, kUnproven)});
    return names;
}

}  // namespace thurn::policy
