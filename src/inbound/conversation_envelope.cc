// Sender, recipients and authors: each is decided from facts, and answered with the decision's own words.
#include "inbound/conversation.h"
#include "inbound/try_again.h"

#include <algorithm>
#include <utility>

namespace thurn::inbound {

using net::asio::awaitable;

namespace {

/// What MAIL asked for, with times that count from `now` made absolute.
spool::Wishes wishes_of(const smtp::MailParameters& parameters, base::Time now) {
    spool::Wishes wishes{
        .ret = parameters.ret, .envid = parameters.envid, .smtputf8 = parameters.smtputf8, .require_tls = parameters.require_tls};
    wishes.priority = parameters.priority;
    if (const auto& by = parameters.deliver_by) {
        const bool back = by->mode == smtp::ByMode::return_message;
        wishes.deliver_by = spool::DeliverBy{.deadline = now + by->within,
                                             .after = back ? spool::DeliverBy::After::give_back : spool::DeliverBy::After::notify,
                                             .trace = by->trace};
    }
    if (parameters.hold_for) wishes.release = now + *parameters.hold_for;
    if (parameters.hold_until) wishes.release = *parameters.hold_until;
    return wishes;
}

spool::Recipient recipient_of(smtp::RecipientGiven given) {
    spool::Recipient recipient{.mailbox = std::move(given.mailbox), .original = {}, .notify = given.parameters.notify, .state = {}};
    if (const auto& original = given.parameters.original_recipient) recipient.orcpt = original->type + ';' + original->address;
    return recipient;
}

/// What a login has to do with the sender it gives.
enum class Claim { owner, somebody_elses, stopped };

/// `mailbox` null: any will do. Blocks. Most own what they send as, and one question is enough.
base::Result<Claim> find_claim(directory::Directory& directory, const std::string& login, const mail::Mailbox* mailbox) {
    if (mailbox) {
        const auto owned = directory.owns(login, *mailbox);
        if (!owned) return std::unexpected(owned.error());
        if (*owned) return Claim::owner;
    }
    const auto account = directory.find_account(login);
    if (!account) return std::unexpected(account.error());
    if (*account && (!(*account)->enabled || (*account)->suspended)) return Claim::stopped;
    return Claim::somebody_elses;
}

}  // namespace

policy::Facts Conversation::facts() const { return {.role = profile_.role, .client_address = client_.address, .login = client_.login}; }

awaitable<void> Conversation::async_take_sender(smtp::SenderGiven&& given) {
    close_transaction();
    forget_facts(policy::Stage::mail);
    if (!with_.spool.has_room()) {
        put_off("mail", mail::render_path(given.path), {base::ErrorKind::full, "the spool has no room for new mail"});
        co_return;
    }
    transaction_.id = with_.ids.next();
    transaction_.sender = given.path;
    transaction_.declared_size = given.parameters.size.value_or(base::Octets{}).count;
    transaction_.marks = so_far_.marks;
    transaction_.decisions = so_far_.decisions;
    auto claim = Claim::somebody_elses;
    if (!client_.login.empty()) {
        const bool asked = given.path.mailbox && !policy::is_within(options_->senders, client_.login, *given.path.mailbox);
        const auto* mailbox = asked ? &*given.path.mailbox : nullptr;
        auto found = co_await with_.pool.async_run([this, mailbox] { return find_claim(with_.directory, client_.login, mailbox); });
        if (!found) {
            put_off("mail", mail::render_path(given.path), found.error());
            close_transaction();
            co_return;
        }
        claim = *found;
    }
    const auto decision = claim == Claim::stopped ? policy::refuse_stopped_account(client_.login)
                                                  : policy::decide_sender(facts(), given.path, claim == Claim::owner, options_->senders);
    if (decision.kind != policy::Decision::Kind::accept) {
        refuse("mail", mail::render_path(given.path), decision);
        close_transaction();
        co_return;
    }
    transaction_.wishes = wishes_of(given.parameters, with_.clock.now());
    transaction_.declared = given.parameters.body;
    transaction_.begun = std::chrono::steady_clock::now();
    if (is_ruled(policy::Stage::mail) && !co_await async_pass_message(policy::Stage::mail)) {
        close_transaction();
        co_return;
    }
    meet_filters();
    if (milters_ && !co_await async_filter_sender(given.parameters)) co_return;
    if (transaction_.wishes.priority.value_or(0) > 0 && !may_be_urgent()) {
        transaction_.wishes.priority = 0;
        session_.answer(smtp::make_reply(250, {2, 3, 6}, "sender accepted, with priority 0"));  // RFC 6710 §4.1
        co_return;
    }
    session_.accept();
}

awaitable<base::Result<bool>> Conversation::async_owns(const mail::Mailbox& address) {
    return with_.pool.async_run([this, &address] { return with_.directory.owns(client_.login, address); });
}

bool Conversation::checks_authors() const {
    return options_->check_author && !client_.login.empty() && options_->senders != policy::SenderScope::any;
}

/// Whether the login may write as all whom From names. False: it may not, and that is answered.
awaitable<bool> Conversation::async_pass_authors(Transaction& transaction) {
    if (!transaction.authors) {
        refuse_by_author(transaction, policy::refuse_authors(transaction.authors.error()));
        co_return false;
    }
    for (const auto& author : *transaction.authors) {
        if (author == transaction.sender.mailbox || policy::is_within(options_->senders, client_.login, author)) continue;
        const auto owned = co_await async_owns(author);
        if (!owned) {
            put_off("content", mail::render_mailbox(author), owned.error());
            co_return false;
        }
        if (*owned) continue;
        refuse_by_author(transaction, policy::refuse_author(client_.login, author));
        co_return false;
    }
    co_return true;
}

void Conversation::refuse_by_author(Transaction& transaction, const policy::Decision& decision) {
    transaction.decisions.push_back({"content", "", "reject", decision.rule, decision.reason});
    refuse_content(transaction, decision);
}

bool Conversation::relayed(const mail::Domain& domain) const {
    return std::ranges::find(options_->relay_domains, domain.text()) != options_->relay_domains.end();
}

/// Strangers would all be urgent.
bool Conversation::may_be_urgent() const { return !client_.login.empty() || in_relay_networks_; }

awaitable<void> Conversation::async_take_recipient(smtp::RecipientGiven&& given) {
    const auto& mailbox = given.mailbox;
    auto resolution = with_.directory.peek(mailbox);
    if (!resolution) resolution = co_await with_.pool.async_run([this, &mailbox] { return with_.directory.resolve(mailbox); });
    if (!*resolution) {
        put_off("rcpt", mail::render_mailbox(mailbox), resolution->error());
        co_return;
    }
    if (options_->rewriting && !std::holds_alternative<directory::NotLocal>(**resolution) && options_->rewriting->is_rewritten(mailbox))
        co_return take_way_back(std::move(given));
    static const std::vector<policy::Network> nobody;
    auto decision =
        policy::decide_recipient(facts(), **resolution, relayed(mailbox.domain), in_relay_networks_ ? options_->relay_networks : nobody);
    const auto address = mail::render_mailbox(mailbox);
    const auto domain = mailbox.domain.text();
    if (std::holds_alternative<directory::UnknownUser>(**resolution))
        if (auto excess = count_unknown(mailbox)) decision = *std::move(excess);
    if (decision.kind != policy::Decision::Kind::accept) {
        if (decision.rule == policy::kRelayRule)
            raise(policy::AlarmKind::relay, client_.network,
                  {.id = transaction_.id,
                   .stage = "rcpt",
                   .subject = address,
                   .rule = decision.rule,
                   .reason = "wants to send to " + address});
        refuse("rcpt", address, decision);
        co_return;
    }
    std::optional<mail::Mailbox> redirected;
    if (is_ruled(policy::Stage::rcpt) && !co_await async_pass_recipient(mailbox, **resolution, redirected)) co_return;
    if (milters_ && !co_await async_filter_recipient(given)) co_return;
    if (milters_) transaction_.shown.push_back({mailbox, redirected.value_or(mailbox)});
    if (redirected) given.mailbox = *std::move(redirected);
    const auto known = std::ranges::find(transaction_.recipients, mailbox, &spool::Recipient::mailbox);
    if (known != transaction_.recipients.end()) {
        known->notify = mail::merge(known->notify, given.parameters.notify);
    } else {
        transaction_.decisions.push_back({"rcpt", address, "accept", decision.rule, decision.reason});
        transaction_.recipients.push_back(recipient_of(std::move(given)));
    }
    const bool passed_on =
        std::holds_alternative<directory::AliasFor>(**resolution) || std::holds_alternative<directory::NotLocal>(**resolution);
    if (passed_on) transaction_.passed_on_for = domain;
    session_.accept();
}

/// A bounce of what an alias of ours sent on: for the sender it came from. That the address is ours, and not too old, its hash says; so nobody
/// else can have mail relayed by it.
void Conversation::take_way_back(smtp::RecipientGiven given) {
    const auto address = mail::render_mailbox(given.mailbox);
    auto sender = transaction_.sender.is_null() ? options_->rewriting->restore(given.mailbox, with_.clock.now())
                                                : base::fail(base::ErrorKind::invalid, "only bounces go to senders of forwarded mail");
    if (!sender) {
        refuse("rcpt", address,
               {.kind = policy::Decision::Kind::reject,
                .rule = "forwarding.srs",
                .reason = sender.error().detail,
                .code = 550,
                .status = {5, 7, 1},
                .text = "this return address takes no mail: " + sender.error().detail});
        return;
    }
    transaction_.decisions.push_back({"rcpt", address, "accept", "forwarding.srs", "the way back to " + mail::render_mailbox(*sender)});
    given.mailbox = *std::move(sender);
    if (std::ranges::find(transaction_.recipients, given.mailbox, &spool::Recipient::mailbox) == transaction_.recipients.end())
        transaction_.recipients.push_back(recipient_of(std::move(given)));
    session_.accept();
}

void Conversation::refuse(std::string_view what, const std::string& subject, const policy::Decision& decision) {
    auto reply = smtp::make_reply(decision.code, decision.status, decision.text);
    log_.info("refused", {.id = transaction_.id, .stage = what, .subject = subject, .rule = decision.rule, .reply = &reply});
    note_refusal(what, subject, decision);
    session_.answer(reply);
}

/// A failure of our own: refused for now, and why is for the log alone.
void Conversation::put_off(std::string_view what, const std::string& subject, const base::Error& error) {
    const auto reply = try_again(error);
    log_.warning("put_off", {.id = transaction_.id, .stage = what, .subject = subject, .reason = error.detail, .reply = &reply});
    session_.answer(reply);
}

}  // namespace thurn::inbound
