#include "policy/sender_rule.h"

#include "base/ascii.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace thurn::policy {

namespace {

using Kind = Decision::Kind;

Decision accept(std::string rule, std::string reason) {
    return {.kind = Kind::accept, .rule = std::move(rule), .reason = std::move(reason), .code = 250, .status = {2, 1, 0}, .text = "OK"};
}

Decision refuse_content(std::string reason, std::string text) {
    return {.kind = Kind::reject,
            .rule = "author-ownership",
            .reason = std::move(reason),
            .code = 550,
            .status = {5, 7, 1},
            .text = std::move(text)};
}

/// Whether a line begins as From does. Readers differ about what follows a line that is no field.
bool has_author_line(std::string_view lines) {
    while (!lines.empty()) {
        const auto line = lines.substr(0, lines.find('\n'));
        lines.remove_prefix(std::min(line.size() + 1, lines.size()));
        const auto name = line.substr(0, line.find_first_of(": \t"));
        if (base::equal_ignoring_case(name, "From")) return true;
    }
    return false;
}

}  // namespace

bool is_within(SenderScope scope, std::string_view login, const mail::Mailbox& address) {
    if (scope != SenderScope::domain) return scope == SenderScope::any;
    const auto own = mail::parse_mailbox(login, mail::Charset::utf8);
    return own && own->domain == address.domain;
}

Decision decide_sender(const Facts& facts, const mail::ReversePath& sender, bool owns, SenderScope scope) {
    if (facts.login.empty())
        return facts.role == Role::submission ? refuse_without_login() : accept("sender", "senders from outside are not ours to own");
    // Notifications and replies made by a mail program have the null path (RFC 8098 §3); it claims nobody's name.
    if (sender.is_null()) return accept("sender-ownership", "the null path is everybody's");
    if (owns) return accept("sender-ownership", facts.login + " owns it");
    if (is_within(scope, facts.login, *sender.mailbox))
        return accept("submission.senders", scope == SenderScope::any ? "logins may use any sender" : "logins may use all of their domain");
    return {.kind = Kind::reject,
            .rule = "sender-ownership",
            .reason = facts.login + " does not own it",
            .code = 553,
            .status = {5, 7, 1},
            .text = "this sender address belongs to another login"};
}

Decision refuse_stopped_account(const std::string& login) {
    return {.kind = Kind::reject,
            .rule = "account",
            .reason = login + " is disabled or suspended",
            .code = 550,
            .status = {5, 7, 13},
            .text = "your account may not send mail now; the server's administrator can tell why"};
}

Decision throttle_account(std::string reason) {
    return {.kind = Decision::Kind::defer,
            .rule = "account_watch",
            .reason = std::move(reason),
            .code = 450,
            .status = {4, 7, 1},
            .text = "your account sends more than it ever did, try again later"};
}

base::Result<std::vector<mail::Mailbox>> authors_of(std::string_view text) {
    const auto header = mail::parse_header(text);
    if (has_author_line(text.substr(header.size)))
        return base::fail(base::ErrorKind::syntax, "there is a From behind a line that is no header field");
    const auto fields = header.count("From");
    if (fields == 0) return std::vector<mail::Mailbox>();
    if (fields > 1) return base::fail(base::ErrorKind::syntax, "there is more than one From");
    const auto list = mail::parse_address_list(header.find("From")->value);
    std::vector<mail::Mailbox> authors;
    for (const auto& address : list.addresses)
        if (auto author = mail::parse_mailbox(address, mail::Charset::utf8)) authors.push_back(*std::move(author));
    if (!list.complete || authors.empty() || authors.size() != list.addresses.size() || !list.unqualified.empty())
        return base::fail(base::ErrorKind::syntax, "From cannot be read as addresses with a domain");
    return authors;
}

Decision refuse_author(std::string_view login, const mail::Mailbox& author) {
    const auto address = mail::render_mailbox(author);
    return refuse_content(fmt::format("From says {}, which {} does not own", address, login),
                          fmt::format("From says {}, which does not belong to this login", address));
}

Decision refuse_authors(const base::Error& why) { return refuse_content(why.detail, why.detail); }

}  // namespace thurn::policy
