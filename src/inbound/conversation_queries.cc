// What clients ask beside sending mail. VRFY and EXPN tell who has an address here, which is worth money to senders of spam: so both are off
// unless the configuration says otherwise, and what we do not know for certain is 252, as for everybody (RFC 5321 §3.5.3).
#include "inbound/client_network.h"
#include "inbound/conversation.h"

#include <algorithm>
#include <ranges>

#include <fmt/format.h>

namespace thurn::inbound {

using net::asio::awaitable;

namespace {

/// The address in the argument of VRFY or EXPN, with or without angle brackets; a name without a domain is nobody's for certain.
base::Result<mail::Mailbox> address_in(std::string_view text, smtp::Utf8 utf8) {
    if (text.starts_with('<') && text.ends_with('>')) text = text.substr(1, text.size() - 2);
    return mail::parse_mailbox(text, utf8 == smtp::Utf8::allowed ? mail::Charset::utf8 : mail::Charset::ascii);
}

bool is_ascii(std::string_view text) {
    return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) > 127; });
}

smtp::Reply nobody_here() { return smtp::make_reply(550, {5, 1, 1}, "no such mailbox here"); }

std::vector<std::string> render_all(const std::vector<mail::Mailbox>& mailboxes) {
    std::vector<std::string> texts;
    for (const auto& mailbox : mailboxes) texts.push_back("<" + mail::render_mailbox(mailbox) + ">");
    return texts;
}

/// Those of our relayed domains an ETRN is about (RFC 1985 §5.1, §5.2).
std::vector<std::string> asked_for(const smtp::QueueRunWanted& wanted, const std::vector<std::string>& relayed) {
    using Scope = smtp::QueueRunWanted::Scope;
    std::vector<std::string> domains;
    for (const auto& domain : relayed) {
        const bool below = wanted.scope == Scope::domain && domain.ends_with("." + wanted.name);
        if (wanted.scope != Scope::queue && (domain == wanted.name || below)) domains.push_back(domain);
    }
    return domains;
}

}  // namespace

awaitable<void> Conversation::async_verify(smtp::VerifyWanted wanted) {
    const auto mailbox = address_in(wanted.text, wanted.utf8);
    if (!mailbox || (options_->vrfy == Disclosure::authenticated && client_.login.empty())) {
        session_.accept();
        co_return;
    }
    const auto found = co_await with_.pool.async_run([&] { return with_.directory.resolve(*mailbox); });
    if (!found) {
        put_off("vrfy", mail::render_mailbox(*mailbox), found.error());
    } else if (std::holds_alternative<directory::UnknownUser>(*found)) {
        session_.answer(nobody_here());
    } else if (std::holds_alternative<directory::NotLocal>(*found)) {
        session_.accept();
    } else {
        session_.answer(smtp::make_reply(250, {2, 1, 5}, "<" + mail::render_mailbox(*mailbox) + ">"));
    }
}

awaitable<void> Conversation::async_expand(smtp::ExpandWanted wanted) {
    if (options_->expn == Disclosure::authenticated && client_.login.empty()) {
        session_.answer(smtp::make_reply(530, {5, 7, 0}, "authentication required"));
        co_return;
    }
    const auto mailbox = address_in(wanted.text, wanted.utf8);
    if (!mailbox) {
        session_.answer(nobody_here());
        co_return;
    }
    const auto found = co_await with_.pool.async_run([&] { return with_.directory.resolve(*mailbox); });
    if (!found) {
        put_off("expn", mail::render_mailbox(*mailbox), found.error());
        co_return;
    }
    smtp::Reply reply{.code = 250, .status = mail::EnhancedStatus{2, 1, 5}, .lines = {}};
    if (const auto* alias = std::get_if<directory::AliasFor>(&*found))
        reply.lines = render_all(alias->targets);
    else if (std::holds_alternative<directory::MailboxOf>(*found))
        reply.lines = render_all({*mailbox});
    if (wanted.utf8 == smtp::Utf8::refused && !std::ranges::all_of(reply.lines, is_ascii))
        session_.accept();  // RFC 6531 §3.7.4.2: no UTF-8 to who did not ask for it
    else
        session_.answer(reply.lines.empty() ? nobody_here() : reply);
}

bool Conversation::may_run_queue() const {
    if (!with_.run_queue || profile_.role != policy::Role::mx || options_->relay_domains.empty()) return false;
    if (options_->etrn == QueueRunBy::relay_networks) return in_relay_networks_;
    return options_->etrn == QueueRunBy::everyone;
}

awaitable<void> Conversation::async_run_queue(smtp::QueueRunWanted wanted) {
    auto reply = smtp::make_reply(459, {4, 7, 1}, "we do not hold mail for that node");
    std::size_t messages = 0;
    for (const auto& domain : asked_for(wanted, options_->relay_domains)) {
        if (!service_.queue_run_due(domain)) {
            if (messages == 0) reply = smtp::make_reply(458, {4, 7, 1}, "its queue was started a moment ago, try again in a minute");
            continue;
        }
        const auto started = co_await with_.run_queue(domain);
        messages += started.value_or(0);
        reply = !started        ? smtp::make_reply(458, {4, 3, 0}, "local trouble, try again later")
                : messages == 0 ? smtp::make_reply(251, {2, 0, 0}, "no messages waiting for that node")
                                : smtp::make_reply(250, {2, 0, 0}, "queuing for that node started");
    }
    log_.info("queue_run", {.subject = wanted.name, .reply = &reply});
    session_.answer(reply);
}

}  // namespace thurn::inbound
