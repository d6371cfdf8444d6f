// What becomes of a recipient after an attempt. It leaves memory only when the spool has its outcome.
#include "delivery/dispatcher.h"
#include "delivery/failure.h"
#include "delivery/site_feed.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mail/status.h"

#include <algorithm>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

namespace thurn::delivery {

namespace asio = net::asio;

namespace {

constexpr std::size_t kLongestStatus = 512;
constexpr std::chrono::seconds kRecordRetry{10};

std::string clip(std::string text) {
    if (text.size() > kLongestStatus) text.resize(kLongestStatus);
    return text;
}

base::Time due_after(const RecipientOutcome& outcome, base::Time next) {
    if (!outcome.not_before) return next;
    return outcome.kind == RecipientOutcome::Kind::postponed ? *outcome.not_before : std::max(next, *outcome.not_before);
}

}  // namespace

void Dispatcher::settle_later(Settlement settlement) {
    const bool first = settlements_.with([&](auto& waiting) {
        waiting.push_back(std::move(settlement));
        return waiting.size() == 1;
    });
    if (first)
        asio::post(home_, [this] {
            take_settlements();
            pump();
        });
}

void Dispatcher::take_settlements() {
    auto ended = settlements_.with([](auto& waiting) { return std::exchange(waiting, {}); });
    std::vector<spool::RecipientUpdate> updates;
    for (const auto& settlement : ended) {
        scheduler_.finished(settlement.site, 1);
        if (const auto found = overflows_.find(settlement.site); found != overflows_.end()) {
            found->second.finished(1);
            if (found->second.is_over(with_.clock.now())) overflows_.erase(found);
        }
        settle(settlement, updates);
    }
    record(std::move(updates));
}

void Dispatcher::settle(const Settlement& settlement) {
    std::vector<spool::RecipientUpdate> updates;
    settle(settlement, updates);
    record(std::move(updates));
}

/// A recipient that never came to a site.
void Dispatcher::settle_alone(base::MessageId id, std::uint32_t index, RecipientOutcome::Kind kind, std::string status) {
    settle({.site = {},
            .parcel = {.message = active_.at(id).message, .recipients = {index}, .accounts = {}},
            .outcomes = {{.kind = kind, .status = std::move(status), .remote_host = {}}}});
}

void Dispatcher::settle(const Settlement& settlement, std::vector<spool::RecipientUpdate>& updates) {
    const auto& message = settlement.parcel.message;
    Verdicts verdicts;
    for (std::size_t i = 0; i < settlement.parcel.recipients.size(); ++i) settle_one(settlement, i, verdicts);
    std::ranges::move(verdicts.updates, std::back_inserter(updates));
    if (!verdicts.failures.updates.empty()) report_in_turn(async_bounce(message, std::move(verdicts.failures)), "bounce");
    if (!verdicts.delays.empty()) report_in_turn(async_tell(message, std::move(verdicts.delays), "delay notice"), "delay notice");
    if (!verdicts.successes.empty()) report_in_turn(async_tell(message, std::move(verdicts.successes), "success report"), "success report");
}

void Dispatcher::settle_one(const Settlement& settlement, std::size_t position, Verdicts& verdicts) {
    const auto& message = *settlement.parcel.message;
    const auto index = settlement.parcel.recipients[position];
    const auto& outcome = settlement.outcomes.at(position);
    const auto& recipient = message.envelope.recipients[index];
    auto state = recipient.state;
    if (outcome.kind != RecipientOutcome::Kind::postponed) ++state.attempts;
    state.last_status = clip(outcome.status);
    state.site = settlement.site;
    if (outcome.kind == RecipientOutcome::Kind::deferred || outcome.kind == RecipientOutcome::Kind::postponed) {
        defer_or_expire(message, index, outcome, std::move(state), verdicts);
    } else if (outcome.kind == RecipientOutcome::Kind::failed) {
        give_up(message, index, outcome, std::move(state), "bounced", verdicts);
    } else {
        state.standing = spool::Standing::delivered;
        const auto address = mail::render_mailbox(recipient.mailbox);
        log_outcome("delivered", message, address, outcome, state);
        trace(message.id, trace::Settled{address, "delivered", outcome.status, {}});
        verdicts.updates.push_back({.id = message.id, .index = index, .state = std::move(state), .expansion = {}});
        if (success_is_told(message, recipient, outcome)) verdicts.successes.push_back(describe_outcome(recipient, outcome));
    }
}

void Dispatcher::defer_or_expire(const spool::StoredMessage& message, std::uint32_t index, const RecipientOutcome& outcome,
                                 spool::RecipientState state, Verdicts& verdicts) {
    const auto& recipient = message.envelope.recipients[index];
    const auto now = with_.clock.now();
    const auto next = queue::next_attempt(carriers_.options->retry, first_due(message), now, state.attempts, with_.random);
    if (!next) {
        give_up(message, index, outcome, std::move(state), "expired", verdicts);
        return;
    }
    state.standing = spool::Standing::waiting;
    state.due = due_after(outcome, *next);
    // When its time is over something must happen (RFC 2852 §4.1).
    if (const auto& by = message.envelope.wishes.deliver_by; by && now < by->deadline) state.due = std::min(state.due, by->deadline);
    const auto address = mail::render_mailbox(recipient.mailbox);
    log_outcome("deferred", message, address, outcome, state);
    trace(message.id, trace::Settled{address, "deferred", outcome.status, state.due});
    const auto due = state.due;
    verdicts.updates.push_back({.id = message.id, .index = index, .state = std::move(state), .expansion = {}});
    if (delay_is_told_now(message, recipient, due)) {
        auto told = describe_outcome(recipient, outcome);
        told.retry_until = first_due(message) + carriers_.options->retry.lifetime;
        verdicts.delays.push_back(std::move(told));
    }
}

void Dispatcher::give_up(const spool::StoredMessage& message, std::uint32_t index, const RecipientOutcome& outcome,
                         spool::RecipientState state, const char* word, Verdicts& verdicts) {
    const auto& recipient = message.envelope.recipients[index];
    const auto address = mail::render_mailbox(recipient.mailbox);
    state.standing = spool::Standing::failed;
    if (with_.bounced && !message.envelope.login.empty()) with_.bounced(message.envelope.login);
    log_outcome(word, message, address, outcome, state);
    trace(message.id, trace::Settled{address, word, outcome.status, {}});
    spool::RecipientUpdate update{.id = message.id, .index = index, .state = std::move(state), .expansion = {}};
    // Mail from the null path never bounces (RFC 5321 §4.5.5).
    const char* silence = message.envelope.sender.is_null()        ? "it came from the null path, as bounces do"
                          : !mail::wants_failure(recipient.notify) ? "its sender asked not to be told (NOTIFY)"
                                                                   : nullptr;
    if (silence) {
        trace(message.id, trace::Noted{"no bounce", silence});
        verdicts.updates.push_back(std::move(update));
        return;
    }
    auto told = describe_outcome(recipient, outcome);
    told.action = report::DsnAction::failed;
    if (outcome.kind != RecipientOutcome::Kind::failed) {
        told.status = "5.4.7";
        if (!outcome.remote_host.empty()) told.explanation = "tried for too long; the last answer was: " + outcome.status;
    }
    verdicts.failures.recipients.push_back(std::move(told));
    verdicts.failures.updates.push_back(std::move(update));
}

/// Of a recipient that waits again, `until` is when it is due.
void Dispatcher::log_outcome(std::string_view event, const spool::StoredMessage& message, const std::string& address,
                             const RecipientOutcome& outcome, const spool::RecipientState& state) const {
    const auto [code, enhanced] = split_status(outcome.status);
    const bool waits = state.standing == spool::Standing::waiting;
    with_.log.info(event, {{"id", message.id.text()},
                           {"to", address},
                           {"login", message.envelope.login},
                           {"mailbox", outcome.mailbox},
                           {"host", outcome.remote_host},
                           {"reply", outcome.status},
                           {"code", code},
                           {"status", enhanced},
                           {"attempts", state.attempts},
                           {"until", waits ? mail::render_timestamp(state.due) : std::string()},
                           {"age_ms", (with_.clock.now() - message.id.time()) / std::chrono::milliseconds(1)}});
}

void Dispatcher::record(std::vector<spool::RecipientUpdate> updates) {
    if (updates.empty()) return;
    ++unrecorded_;
    // Unsynced: what a crash of the machine takes back is a delivery repeated, not a message lost.
    auto copy = updates;
    with_.spool.update(std::move(updates), spool::Sync::no, [this, copy = std::move(copy)](base::Result<void> result) mutable {
        asio::post(home_, [this, copy = std::move(copy), result = std::move(result)]() mutable { recorded(std::move(copy), result); });
    });
}

/// What cannot be recorded stays under way until it can: the spool still has it as due, and a sweep would deliver it over and over.
void Dispatcher::recorded(std::vector<spool::RecipientUpdate> updates, const base::Result<void>& result) {
    --unrecorded_;
    if (result) {
        for (const auto& update : updates) leave(update.id, update.index);
        return;
    }
    with_.log.error("spool_failed", {{"what", "update"}, {"reason", result.error().detail}});
    if (!stopping_) spawn(async_record_again(std::move(updates)), "record");
}

asio::awaitable<void> Dispatcher::async_record_again(std::vector<spool::RecipientUpdate> updates) {
    asio::steady_timer pause(home_, kRecordRetry);
    co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
    record(std::move(updates));
}

void Dispatcher::leave(base::MessageId id, std::uint32_t index) {
    const auto found = active_.find(id);
    if (found == active_.end()) return;
    found->second.under_way.erase(index);
    found->second.accounts.erase(index);
    if (found->second.under_way.empty()) active_.erase(found);
}

namespace {

struct ChangeRule {
    bool (*applies)(spool::Standing standing);
    spool::Standing becomes;
    const char* word;  // for the trace
};

const ChangeRule& rule_of(Change change) {
    using spool::Standing;
    static constexpr auto waits = [](Standing standing) { return standing == Standing::waiting || standing == Standing::in_doubt; };
    static constexpr auto is_held = [](Standing standing) { return standing == Standing::held; };
    static constexpr auto any = [](Standing standing) { return !spool::is_final(standing); };
    static constexpr ChangeRule kRetry{waits, Standing::waiting, "retry asked for"};
    static constexpr ChangeRule kHold{waits, Standing::held, "held"};
    static constexpr ChangeRule kRelease{is_held, Standing::waiting, "released"};
    static constexpr ChangeRule kRemove{any, Standing::deleted, "deleted"};
    switch (change) {
        case Change::retry:
            return kRetry;
        case Change::hold:
            return kHold;
        case Change::release:
            return kRelease;
        case Change::remove:
            break;
    }
    return kRemove;
}

}  // namespace

asio::awaitable<base::Result<std::size_t>> Dispatcher::async_change(base::MessageId id, Change change) {
    scheduler_.remove(id);
    std::set<std::uint32_t> taken;  // from here on, what was scheduled is ours
    if (const auto found = active_.find(id); found != active_.end()) taken = std::exchange(found->second.scheduled, {});
    auto loaded = co_await async_load(id);
    if (!loaded) {
        for (const auto index : taken) leave(id, index);
        rewind_sweep();
        co_return base::pass_on(loaded);
    }
    const auto& rule = rule_of(change);
    auto& active = active_[id];
    std::vector<spool::RecipientUpdate> updates;
    for (std::uint32_t index = 0; index < loaded->envelope.recipients.size(); ++index) {
        const auto& recipient = loaded->envelope.recipients[index];
        const bool ours = taken.contains(index) || !active.under_way.contains(index);
        if (!ours || !rule.applies(recipient.state.standing)) continue;
        auto state = recipient.state;
        state.standing = rule.becomes;
        state.due = with_.clock.now();
        if (change == Change::release) state.due = std::max(state.due, first_due(*loaded));  // its sender's wish holds still
        trace(id, trace::Settled{mail::render_mailbox(recipient.mailbox), rule.word, "by the operator", {}});
        if (change == Change::retry && !state.site.empty()) scheduler_.wake(state.site);
        active.under_way.insert(index);
        updates.push_back({.id = id, .index = index, .state = std::move(state), .expansion = {}});
    }
    const auto count = updates.size();
    if (count > 0) with_.log.info("operator", {{"id", id.text()}, {"change", rule.word}, {"recipients", count}});
    auto result = co_await async_update(updates, spool::Sync::yes);
    for (const auto& update : updates) taken.insert(update.index);
    for (const auto index : taken) leave(id, index);
    if (const auto found = active_.find(id); found != active_.end() && found->second.under_way.empty()) active_.erase(found);
    rewind_sweep();
    sweep_timer_.cancel();
    if (!result) co_return base::pass_on(result);
    co_return count;
}

}  // namespace thurn::delivery
