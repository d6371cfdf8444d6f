#include "mailauth/dmarc_author.h"

#include "mail/mailbox.h"

#include <set>

namespace thurn::mailauth {

std::string_view author_problem_text(AuthorProblem problem) {
    switch (problem) {
        case AuthorProblem::no_field:
            return "there is no From";
        case AuthorProblem::several_fields:
            return "there are several From fields";
        case AuthorProblem::unreadable:
            return "From cannot be read as addresses with a domain";
        case AuthorProblem::several_domains:
            return "From names authors of several domains";
    }
    return "";
}

Author find_author(std::string_view from) {
    const auto list = mail::parse_address_list(from);
    if (!list.complete || !list.unqualified.empty() || list.addresses.empty()) return {.problem = AuthorProblem::unreadable};
    std::set<std::string> domains;
    for (const auto& address : list.addresses)
        if (const auto mailbox = mail::parse_mailbox(address, mail::Charset::utf8)) domains.insert(mailbox->domain.text());
    if (domains.size() != 1) return {.problem = AuthorProblem::several_domains};
    return {.domain = *domains.begin()};
}

Author find_author(const mail::Header& header) {
    const auto fields = header.count("From");
    if (fields == 0) return {.problem = AuthorProblem::no_field};
    if (fields > 1) return {.problem = AuthorProblem::several_fields};
    return find_author(header.find("From")->value);
}

}  // namespace thurn::mailauth
