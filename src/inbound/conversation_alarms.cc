// What somebody should know of: attacks that show, and accounts that send what they never did.
#include "inbound/conversation.h"
#include "policy/spoofing.h"
#include "smtp/server_replies.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace thurn::inbound {

using net::asio::awaitable;
using policy::AlarmKind;
using Deed = policy::AccountRules::Deed;

namespace {

bool is(const smtp::Reply& reply, const smtp::FixedReply& fixed) {
    return reply.code == fixed.code && !reply.lines.empty() && reply.lines.front() == fixed.text;
}

std::string_view name_of(Deed deed) {
    constexpr std::array<std::string_view, 4> kNames{"none", "defer", "hold", "suspend"};
    return kNames[static_cast<std::size_t>(deed)];
}

}  // namespace

/// Logged if it is news. Without anybody to tell, all is.
void Conversation::raise(AlarmKind kind, std::string subject, const Note& note) {
    if (with_.alarms && !with_.alarms->raise({.kind = kind,
                                              .subject = std::move(subject),
                                              .client = client_.address,
                                              .login = note.login.empty() ? client_.login : std::string(note.login),
                                              .message = note.id.value == 0 ? std::string() : note.id.text(),
                                              .detail = std::string(note.reason)}))
        return;
    auto told = note;
    told.kind = policy::name_of(kind);
    log_.warning("alarm", told);
}

void Conversation::watch_for_attacks(const smtp::CommandRefused& refused) {
    using namespace smtp::replies;
    const auto& reply = refused.reply;
    const bool flood = std::ranges::any_of(std::array{&kTooManyCommands, &kTooManyErrors, &kTooManyLogins, &kEndlessLine},
                                           [&](const auto* fixed) { return is(reply, *fixed); });
    if (!flood && !is(reply, kBareLf)) return;
    raise(flood ? AlarmKind::command_flood : AlarmKind::smuggling, client_.network, {.reason = reply.lines.front()});
}

void Conversation::watch_for_attacks(const smtp::ContentDropped& dropped) {
    if (dropped.reason != smtp::replies::kBareInContent.text) return;
    raise(AlarmKind::smuggling, client_.network, {.id = transaction_.id, .reason = dropped.reason});
}

/// Mail from outside in the name of a domain of ours.
awaitable<void> Conversation::async_watch_for_spoofing(const Transaction& transaction, const mailauth::Findings& findings) {
    if (!with_.alarms) co_return;
    for (const auto& name : policy::unproven_names(findings)) {
        const auto ours = co_await async_ask_directory(name.domain);
        if (ours != policy::FactValue(true)) continue;
        raise(AlarmKind::spoofing, name.domain, {.id = transaction.id, .reason = fmt::format("{} (from {})", name.why, client_.address)});
        co_return;
    }
}

/// DATA of a login. False: refused, and answered.
awaitable<bool> Conversation::async_watch_account() {
    const auto& rules = options_->accounts;
    if (!rules.any()) co_return true;
    const auto country = options_->countries ? options_->countries->country_of(client_.address) : std::string();
    const auto verdict =
        with_.accounts->add({.login = client_.login, .recipients = transaction_.recipients, .country = country}, rules, with_.clock.now());
    if (verdict.new_country && rules.alarm)
        raise(AlarmKind::country, client_.login, {.id = transaction_.id, .reason = verdict.new_country->reason()});
    if (!verdict.jump) co_return true;
    const auto reason = verdict.jump->reason();
    transaction_.decisions.push_back({"data", "", std::string(name_of(verdict.deed)), "account_watch", reason});
    const Note note{.id = transaction_.id, .stage = "data", .rule = "account_watch", .result = name_of(verdict.deed), .reason = reason};
    log_.info("account_jump", note);
    if (verdict.first && rules.alarm) raise(AlarmKind::account, client_.login, note);
    if (verdict.first && verdict.deed == Deed::suspend) co_await async_suspend_account(reason);
    if (verdict.deed == Deed::throttle) {
        refuse("data", client_.login, policy::throttle_account(reason));
        co_return false;
    }
    if (verdict.deed == Deed::none) co_return true;
    transaction_.filing = policy::Filing::hold;
    transaction_.filed_because = "account_watch: " + reason;
    co_return true;
}

/// Until it is done, all it sends is held.
awaitable<void> Conversation::async_suspend_account(std::string reason) {
    const auto done = co_await with_.pool.async_run([this, &reason] { return with_.directory.suspend(client_.login, reason); });
    if (done)
        log_.warning("account_suspended", {.id = transaction_.id, .rule = "account_watch", .reason = reason});
    else
        log_.error("account_not_suspended", {.id = transaction_.id, .rule = "account_watch", .reason = done.error().detail});
}

}  // namespace thurn::inbound
