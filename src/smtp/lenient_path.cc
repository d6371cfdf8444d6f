#include "smtp/lenient_path.h"

#include <algorithm>

namespace thurn::smtp {

namespace {

/// One `@`, and no octet that means something else in a path.
bool is_plain(std::string_view mailbox) {
    return std::ranges::count(mailbox, '@') == 1 && mailbox.find_first_of("<>\"\\,:;()[] \t") == std::string_view::npos &&
           !mailbox.starts_with('@');
}

bool has_a_dot_too_many(std::string_view local) { return local.starts_with('.') || local.ends_with('.') || local.contains(".."); }

std::string mend_mailbox(std::string_view mailbox) {
    const auto at = mailbox.find('@');
    const auto local = mailbox.substr(0, at);
    if (!has_a_dot_too_many(local)) return std::string(mailbox);
    return std::string("\"").append(local).append("\"").append(mailbox.substr(at));
}

}  // namespace

std::string mend_path(std::string_view argument) {
    const bool bracketed = argument.starts_with('<');
    const auto begin = bracketed ? std::size_t{1} : std::size_t{0};
    const auto end = std::min(argument.find_first_of(bracketed ? ">" : " \t"), argument.size());
    const auto mailbox = argument.substr(begin, end - begin);
    if (!is_plain(mailbox) || (bracketed && end == argument.size())) return std::string(argument);
    const auto rest = argument.substr(bracketed ? end + 1 : end);
    return std::string("<").append(mend_mailbox(mailbox)).append(">").append(rest);
}

}  // namespace thurn::smtp
