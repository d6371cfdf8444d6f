#pragma once

#include "mail/header.h"

#include <optional>
#include <string>

namespace thurn::mailauth {

/// Why there is not exactly one Author Domain (RFC 9989 §4.1, §5.3.1); what to do then is for policy to say.
enum class AuthorProblem {
    no_field,         // no From at all
    several_fields,   // RFC 5322 §3.6 allows one
    unreadable,       // no address with a domain in it, or something beside that is no address
    several_domains,  // addresses of different domains
};
[[nodiscard]] std::string_view author_problem_text(AuthorProblem problem);

/// Shape   `domain` in A-labels and lower case, empty if there is a problem.
struct Author {
    std::string domain{};
    std::optional<AuthorProblem> problem{};
};

/// The domain all addresses of the one From field share.
[[nodiscard]] Author find_author(const mail::Header& header);
/// Likewise, of the value of a From field.
[[nodiscard]] Author find_author(std::string_view from);

}  // namespace thurn::mailauth
