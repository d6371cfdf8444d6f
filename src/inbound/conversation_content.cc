// From the first octet of content to the promise of 250. What comes is stored as it comes; the commit alone makes it ours.
#include "inbound/client_network.h"
#include "inbound/conversation.h"
#include "inbound/try_again.h"
#include "mail/date.h"
#include "mail/header.h"
#include "spool/held.h"

#include <algorithm>
#include <utility>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

namespace thurn::inbound {

using net::asio::awaitable;

namespace {

constexpr std::size_t kMostOfStatus = 512;  // as spool::RecipientState has it

/// Only where there is one: nobody shall learn of another. In UTF-8 it would outlast an alias that leads to where UTF-8 cannot go.
std::string recipient_to_name(const Transaction& transaction) {
    if (transaction.recipients.size() != 1) return {};
    auto address = mail::render_mailbox(transaction.recipients.front().mailbox);
    const bool ascii = std::ranges::none_of(address, [](char c) { return static_cast<unsigned char>(c) > 127; });
    return ascii ? address : std::string();
}

/// What it holds rather than what was declared, but that there need be no lines in binary content.
mail::BodyType body_of(const Transaction& transaction) {
    if (transaction.declared == mail::BodyType::binary) return mail::BodyType::binary;
    return transaction.gate.eight_bit() ? mail::BodyType::eight_bit : mail::BodyType::seven_bit;
}

}  // namespace

/// What was refused in it is told, though there is no message.
void Conversation::close_transaction() {
    trace_refused(transaction_);
    transaction_ = {};
}

void Conversation::end_transaction() {
    close_transaction();
    if (milters_) milters_->reset();
    forwarded_.clear();
}

awaitable<void> Conversation::async_begin_content() {
    if (is_ruled(policy::Stage::data) && !co_await async_pass_message(policy::Stage::data)) {
        end_transaction();
        co_return;
    }
    if (with_.accounts && !client_.login.empty() && !co_await async_watch_account()) {
        end_transaction();
        co_return;
    }
    if (milters_ && !co_await async_filter_data()) co_return;
    transaction_.draft = with_.spool.draft(transaction_.id);
    transaction_.gate =
        ContentGate({.max_header = options_->header_size, .own_id = removes_results() ? options_->authentication->authserv_id : ""});
    begin_checks();
    session_.accept();
}

const std::string& Conversation::helo_name() const { return client_.helo.empty() ? session_.helo_name() : client_.helo; }

/// ESMTP, ESMTPS, LMTP, UTF8SMTPSA … (RFC 3848, RFC 6531 §4.3).
std::string Conversation::protocol_name(const Transaction& transaction) const {
    if (!session_.extended()) return "SMTP";
    const bool lmtp = profile_.role == policy::Role::lmtp;
    const bool utf8 = transaction.wishes.smtputf8;
    return fmt::format("{}{}{}", lmtp ? (utf8 ? "UTF8LMTP" : "LMTP") : (utf8 ? "UTF8SMTP" : "ESMTP"), client_.tls.empty() ? "" : "S",
                       client_.login.empty() ? "" : "A");
}

/// Where it came from (RFC 5321 §4.4).
std::string Conversation::trace_header(const Transaction& transaction) const {
    const auto& address = client_.address;
    return mail::render_received({.helo = helo_name(),
                                  .client_name = client_.name,
                                  .client_address = address == kLocalClient                  ? std::string()
                                                    : address.find(':') == std::string::npos ? address
                                                                                             : "IPv6:" + address,
                                  .by = options_->session.hostname,
                                  .protocol = protocol_name(transaction),
                                  .id = transaction.id.text(),
                                  .tls = client_.tls,
                                  .recipient = recipient_to_name(transaction),
                                  .date = mail::render_date(with_.clock.now()),
                                  .priority = transaction.wishes.priority});
}

/// What our own users' programs left out (RFC 6409 §8).
std::string Conversation::complete_header() const {
    if (profile_.role != policy::Role::submission) return {};
    std::string fields;
    if (!transaction_.gate.has_date()) fields += fmt::format("Date: {}\r\n", mail::render_date(with_.clock.now()));
    if (!transaction_.gate.has_message_id())
        fields += fmt::format("Message-ID: <{}@{}>\r\n", transaction_.id.text(), options_->session.hostname);
    return fields;
}

awaitable<void> Conversation::async_take_chunk(std::string_view octets) {
    const bool opened_before = transaction_.gate.opened();
    return async_take(transaction_.gate.feed(octets), opened_before);
}

awaitable<void> Conversation::async_take(ContentGate::Passed passed, bool opened_before) {
    if (!transaction_.gate.opened()) co_return;
    if (!opened_before) {
        take_header(passed);
        if (!store_at_once(passed.header)) co_await async_store(passed.header);
    }
    if (transaction_.checks) transaction_.checks->feed(passed.body);
    if (transaction_.signing) transaction_.signing->feed(passed.body);
    if (!store_at_once(passed.body)) co_await async_store(passed.body);
}

/// False: it takes the disk.
bool Conversation::store_at_once(std::string_view octets) {
    if (!transaction_.draft || octets.empty()) return true;
    if (transaction_.draft->needs_disk(octets.size())) return false;
    note_stored(transaction_.draft->append(octets));
    return true;
}

awaitable<void> Conversation::async_store(std::string_view octets) {
    note_stored(co_await with_.pool.async_run([&draft = *transaction_.draft, octets] { return draft.append(octets); }));
}

void Conversation::note_stored(const base::Result<void>& appended) {
    if (appended) return;
    log_spool_failure(transaction_.id, appended.error());
    transaction_.storage_error = appended.error();
    transaction_.draft.reset();
}

void Conversation::log_spool_failure(base::MessageId id, const base::Error& error) {
    const auto reply = try_again(error);
    log_.error("spool_failed", {.id = id, .reason = error.detail, .reply = &reply});
}

/// What the content alone forbids, whoever sends it.
std::optional<smtp::Reply> Conversation::refusal(const Transaction& transaction) const {
    if (transaction.storage_error) return try_again(*transaction.storage_error);
    if (transaction.gate.overflowed())
        return smtp::make_reply(552, {5, 3, 4}, fmt::format("the header is longer than {} octets", options_->header_size));
    if (transaction.gate.received_fields() > options_->received_fields)
        return smtp::make_reply(554, {5, 4, 6}, fmt::format("mail loop: more than {} Received fields", options_->received_fields));
    return std::nullopt;
}

awaitable<void> Conversation::async_finish_message() {
    const bool opened_before = transaction_.gate.opened();
    co_await async_take(transaction_.gate.finish(), opened_before);
    auto& transaction = transaction_;
    transaction.forwarded = std::exchange(forwarded_, {});
    if (const auto reply = refusal(transaction)) {
        if (!transaction.storage_error) log_.info("message_refused", {.id = transaction.id, .subject = "content", .reply = &*reply});
        session_.answer(*reply);
        co_return;
    }
    if (checks_authors() && !co_await async_pass_authors(transaction)) co_return;
    if (milters_ && !co_await async_filter_message(transaction)) co_return;
    auto head = co_await async_authenticate(transaction);
    if (transaction.verdict && transaction.verdict->decision.kind != policy::Decision::Kind::accept) {
        refuse_content(transaction, transaction.verdict->decision);
        co_return;
    }
    if (is_ruled(policy::Stage::content) && !co_await async_pass_content(transaction)) co_return;
    if (!transaction.discarded_by.empty()) {
        discard(transaction);
        co_return;
    }
    for (const auto& field : transaction.marks.headers) head += field + "\r\n";
    head += trace_header(transaction) + transaction.completion;
    auto& draft = *transaction.draft;
    const auto on_top =
        draft.needs_disk(head.size()) ? co_await with_.pool.async_run([&] { return draft.put_on_top(head); }) : draft.put_on_top(head);
    if (!on_top) {
        log_spool_failure(transaction.id, on_top.error());
        session_.answer(try_again(on_top.error()));
        co_return;
    }
    add_copies(transaction);
    co_await async_accept(transaction);
}

awaitable<void> Conversation::async_accept(Transaction& transaction) {
    const auto now = with_.clock.now();
    const auto size = transaction.draft->size();
    const auto count = transaction.recipients.size();
    trace_accepted(transaction, size);
    const auto committed = co_await async_commit(std::move(transaction.draft), make_envelope(transaction, now));
    const auto id = transaction.id.text();
    if (!committed) {
        log_spool_failure(transaction.id, committed.error());
        with_.journal.append({transaction.id, with_.clock.now(), trace::Noted{"not accepted after all", committed.error().detail}});
        session_.answer(try_again(committed.error()));
        co_return;
    }
    log_accepted(transaction, count, size);
    ++messages_;
    session_.accept("queued as " + id);
}

void Conversation::log_accepted(const Transaction& transaction, std::size_t recipients, base::Octets size) {
    const auto id = transaction.id.text();
    const auto from = mail::render_path(transaction.sender);
    with_.log.info("accepted", {{"session", client_.session},
                                {"id", id},
                                {"client", client_.address},
                                {"login", client_.login},
                                {"listener", client_.listener},
                                {"from", from},
                                {"recipients", recipients},
                                {"size", size.count},
                                {"forwarded_client", value_of(transaction.forwarded, smtp::ProxyAttribute::Name::addr)},
                                {"forwarded_id", value_of(transaction.forwarded, smtp::ProxyAttribute::Name::ident)},
                                {"tls", client_.tls},
                                {"code", 250},
                                {"status", "2.0.0"},
                                {"ms", milliseconds_since(transaction.begun)}});
}

spool::Envelope Conversation::make_envelope(Transaction& transaction, base::Time now) const {
    const auto& release = transaction.wishes.release;
    for (auto& recipient : transaction.recipients) {
        recipient.state.due = std::max(now, release.value_or(now));
        if (release) recipient.state.last_status = "to be sent on later, as its sender asked";
        if (transaction.filing != policy::Filing::hold) continue;
        recipient.state.standing = spool::Standing::held;
        recipient.state.last_status = (std::string(spool::kHeldBecause) + transaction.filed_because).substr(0, kMostOfStatus);
    }
    // Who declared SMTPUTF8 without need for it shall not be refused where it is missing (RFC 6531 §3.2); addresses tell for themselves.
    transaction.wishes.smtputf8 = transaction.wishes.smtputf8 && transaction.gate.eight_bit_header();
    transaction.wishes.tls_optional = !transaction.wishes.require_tls && transaction.gate.tls_not_required();  // RFC 8689 §3, §4.1
    return {.sender = transaction.sender,
            .recipients = std::move(transaction.recipients),
            .body = body_of(transaction),
            .wishes = std::move(transaction.wishes),
            .login = client_.login,
            .client = client_.address,
            .junk = transaction.filing == policy::Filing::junk};
}

/// Resumes here once the message is on stable storage; the queue has got it by then, whatever becomes of this connection.
awaitable<base::Result<base::MessageId>> Conversation::async_commit(std::unique_ptr<spool::Draft> draft, spool::Envelope envelope) {
    auto initiate = [this](auto handler, std::unique_ptr<spool::Draft> content, spool::Envelope about) {
        auto executor = net::asio::get_associated_executor(handler);
        with_.spool.commit(
            std::move(content), std::move(about),
            [&hand_over = with_.hand_over, executor, handler = std::move(handler)](base::Result<spool::StoredMessage> stored) mutable {
                base::Result<base::MessageId> result = stored ? base::Result<base::MessageId>(stored->id) : base::pass_on(stored);
                if (stored) hand_over(*std::move(stored));
                net::asio::post(executor,
                                [handler = std::move(handler), result = std::move(result)]() mutable { handler(std::move(result)); });
            });
    };
    co_return co_await net::asio::async_initiate<const net::asio::use_awaitable_t<>, void(base::Result<base::MessageId>)>(
        std::move(initiate), net::asio::use_awaitable, std::move(draft), std::move(envelope));
}

}  // namespace thurn::inbound
