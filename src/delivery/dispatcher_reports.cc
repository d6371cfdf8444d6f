// Who is told what became of a message. A bounce is durable before its recipients are marked failed: a crash in between sends it twice
// rather than never. Reports of delay and of success are told once, and not at all when we end in the moment between.
#include "delivery/dispatcher.h"
#include "delivery/failure.h"
#include "mail/header.h"
#include "mail/status.h"

#include <algorithm>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

namespace thurn::delivery {

namespace asio = net::asio;

namespace {

constexpr std::size_t kReturnedHeader = 64 * 1024;
constexpr std::uint64_t kReturnedContent = 256 * 1024;  // of a message that is to be returned whole; the header of a larger one
constexpr std::chrono::minutes kReportRetry{5};
constexpr std::size_t kReportsAtOnce = 16;

/// `5.1.1` out of `550 5.1.1 no such user`; a general one where the text has none.
std::string status_code_of(std::string_view status) {
    const auto parts = split_status(status);
    if (!parts.enhanced.empty()) return std::string(parts.enhanced);
    return status.starts_with('2') ? "2.0.0" : status.starts_with('4') ? "4.0.0" : "5.0.0";
}

report::DsnAction action_of(const RecipientOutcome& outcome) {
    if (outcome.kind == RecipientOutcome::Kind::failed) return report::DsnAction::failed;
    if (outcome.kind != RecipientOutcome::Kind::delivered) return report::DsnAction::delayed;
    return outcome.handed == RecipientOutcome::Handed::to_mailbox ? report::DsnAction::delivered : report::DsnAction::relayed;
}

/// What a report gives back of the message. Blocks when the content is on disk.
struct Returned {
    std::string text;
    std::size_t header = 0;  // octets of it
    bool whole = false;
};
Returned returned_of(const spool::Content& content, std::uint64_t most) {
    Returned returned;
    const auto size = content.size().count;
    returned.text.resize(size <= most ? size : std::min<std::uint64_t>(size, kReturnedHeader));
    const auto count = content.read(0, returned.text);
    returned.text.resize(count ? *count : 0);
    returned.header = mail::parse_header(std::string_view(returned.text).substr(0, kReturnedHeader)).size;
    returned.whole = size <= most && returned.text.size() == size;
    return returned;
}

}  // namespace

/// A site that is given up has thousands of messages to report about at once, each with a copy of its content.
void Dispatcher::report_in_turn(Awaitable<> work, const char* name) {
    reports_in_line_.emplace_back(std::move(work), name);
    start_reports();
}

void Dispatcher::start_reports() {
    while (reports_ < kReportsAtOnce && !reports_in_line_.empty()) {
        auto [work, name] = std::move(reports_in_line_.front());
        reports_in_line_.pop_front();
        ++reports_;
        spawn(async_report(std::move(work)), name);
    }
}

asio::awaitable<void> Dispatcher::async_report(Awaitable<> work) {
    std::exception_ptr trouble;
    try {
        co_await std::move(work);
    } catch (...) {
        trouble = std::current_exception();
    }
    --reports_;
    start_reports();
    if (trouble) std::rethrow_exception(trouble);
}

report::DsnRecipient Dispatcher::describe_outcome(const spool::Recipient& recipient, const RecipientOutcome& outcome) const {
    report::DsnRecipient told{.final_recipient = mail::render_mailbox(recipient.mailbox),
                              .original_recipient = recipient.original,
                              .action = action_of(outcome),
                              .status = status_code_of(outcome.status),
                              .remote_host = outcome.remote_host,
                              .diagnostic = outcome.remote_host.empty() ? "" : outcome.status,
                              .explanation = outcome.remote_host.empty() ? outcome.status : "",
                              .last_attempt = with_.clock.now()};
    if (const auto semicolon = recipient.orcpt.find(';'); semicolon != std::string::npos) {
        told.original_type = recipient.orcpt.substr(0, semicolon);
        told.original_recipient = recipient.orcpt.substr(semicolon + 1);
    }
    return told;
}

/// The one deferral that moves the due time beyond the moment of the notice sends it: so it is sent once, without remembering that it was,
/// however long the attempt took or however late it came.
bool Dispatcher::delay_is_told_now(const spool::StoredMessage& message, const spool::Recipient& recipient, base::Time due) const {
    if (message.envelope.sender.is_null() || !mail::wants_delay(recipient.notify)) return false;
    const auto passes = [&](base::Time moment) { return recipient.state.due <= moment && moment < due; };
    const auto& by = message.envelope.wishes.deliver_by;
    if (by && by->after == spool::DeliverBy::After::notify && passes(by->deadline)) return true;
    const auto after = carriers_.options->delay_notice;
    return after.count() != 0 && passes(first_due(message) + after);
}

/// Hosts that report for themselves will do so when it is asked by NOTIFY.
bool Dispatcher::success_is_told(const spool::StoredMessage& message, const spool::Recipient& recipient, const RecipientOutcome& outcome) {
    using Handed = RecipientOutcome::Handed;
    if (message.envelope.sender.is_null()) return false;
    const auto& notify = recipient.notify;
    const bool never = notify.given && !notify.success && !notify.failure && !notify.delay;
    if (outcome.relaying_told && !never) return true;
    return mail::wants_success(notify) && (outcome.handed == Handed::to_mailbox || outcome.handed == Handed::to_host);
}

/// Writes the bounce, then records the failures. When it cannot be stored the recipients stay, and all of it is tried again later.
asio::awaitable<void> Dispatcher::async_bounce(std::shared_ptr<const spool::StoredMessage> message, Report report) {
    const auto sent = co_await async_try_report(message, std::move(report.recipients));
    if (sent) {
        const auto to = mail::render_path(message->envelope.sender);
        with_.log.info("bounce_sent", {{"id", message->id.text()}, {"bounce", sent->text()}, {"to", to}});
        trace(message->id, trace::Noted{"bounce sent", fmt::format("{} to {}", sent->text(), to)});
    } else {
        with_.log.error("bounce_failed", {{"id", message->id.text()}, {"reason", sent.error().detail}});
        for (auto& update : report.updates) {
            update.state.standing = spool::Standing::waiting;
            update.state.due = with_.clock.now() + kReportRetry;
        }
    }
    record(std::move(report.updates));
}

/// `what` is for the trace and the log.
asio::awaitable<void> Dispatcher::async_tell(std::shared_ptr<const spool::StoredMessage> message,
                                             std::vector<report::DsnRecipient> recipients, const char* what) {
    const auto sent = co_await async_try_report(message, std::move(recipients));
    if (sent)
        trace(message->id, trace::Noted{fmt::format("{} sent", what),
                                        fmt::format("{} to {}", sent->text(), mail::render_path(message->envelope.sender))});
    else
        with_.log.error("report_failed", {{"id", message->id.text()}, {"what", what}, {"reason", sent.error().detail}});
}

asio::awaitable<base::Result<base::MessageId>> Dispatcher::async_try_report(std::shared_ptr<const spool::StoredMessage> message,
                                                                            std::vector<report::DsnRecipient> recipients) {
    try {
        co_return co_await async_send_report(std::move(message), std::move(recipients));
    } catch (const std::exception& trouble) {
        co_return base::fail(base::ErrorKind::invalid, trouble.what());
    }
}

/// A report that cannot be signed is sent without.
std::string Dispatcher::signature_of(std::string_view message) const {
    const auto& signatory = carriers_.options->signatory;
    return signatory ? mailauth::sign_message(signatory, message, with_.clock.now()).value_or(std::string()) : std::string();
}

asio::awaitable<base::Result<base::MessageId>> Dispatcher::async_send_report(std::shared_ptr<const spool::StoredMessage> message,
                                                                             std::vector<report::DsnRecipient> recipients) {
    // RET is about failures only (RFC 3461 §4.3).
    const auto& wishes = message->envelope.wishes;
    const bool whole = wishes.ret == mail::ReturnContent::full && !wishes.require_tls &&
                       message->envelope.body == mail::BodyType::seven_bit &&
                       std::ranges::any_of(recipients, [](const auto& told) { return told.action == report::DsnAction::failed; });
    const auto most = whole ? kReturnedContent : 0;
    const auto returned = co_await with_.pool.async_run([message, most] { return returned_of(*message->content, most); });
    const std::string_view text = returned.text;
    const auto id = with_.ids.next();
    const auto now = with_.clock.now();
    const auto dsn = report::render_dsn({.reporting_host = carriers_.options->hostname,
                                         .message_id = id.text(),
                                         .queue_id = message->id.text(),
                                         .envelope_id = message->envelope.wishes.envid,
                                         .to = *message->envelope.sender.mailbox,
                                         .from = carriers_.options->postmaster,
                                         .arrived = message->id.time(),
                                         .now = now,
                                         .recipients = std::move(recipients),
                                         .original_header = text.substr(0, returned.header),
                                         .smtputf8 = wishes.smtputf8,
                                         .original_content = returned.whole ? std::optional(text) : std::nullopt});
    auto draft = with_.spool.draft(id);
    if (auto appended = draft->append(signature_of(dsn) + dsn); !appended) co_return base::pass_on(appended);
    spool::Envelope envelope;
    envelope.wishes.require_tls = wishes.require_tls;  // RFC 8689 §5: what must not travel in clear must not do so on its way back
    envelope.wishes.priority = wishes.priority;        // RFC 6710: a report about urgent mail is as urgent
    envelope.recipients.push_back(
        {.mailbox = *message->envelope.sender.mailbox,
         .original = {},
         .expansions = 0,
         .state = {.standing = spool::Standing::waiting, .attempts = 0, .due = now, .last_status = {}, .site = {}}});
    auto stored = co_await async_commit(std::move(draft), std::move(envelope));
    if (!stored) co_return base::pass_on(stored);
    trace(id, trace::Accepted{
                  {.listener = "dsn", .recipients = {mail::render_mailbox(*message->envelope.sender.mailbox)}, .size = dsn.size()}});
    trace(id, trace::Noted{"report about", message->id.text()});
    accept(*std::move(stored));
    co_return id;
}

asio::awaitable<base::Result<spool::StoredMessage>> Dispatcher::async_commit(std::unique_ptr<spool::Draft> draft,
                                                                             spool::Envelope envelope) {
    auto initiate = [this](auto handler, std::unique_ptr<spool::Draft> content, spool::Envelope about) {
        auto executor = asio::get_associated_executor(handler);
        with_.spool.commit(
            std::move(content), std::move(about),
            [executor, handler = std::move(handler)](base::Result<spool::StoredMessage> stored) mutable {
                asio::post(executor, [handler = std::move(handler), stored = std::move(stored)]() mutable { handler(std::move(stored)); });
            });
    };
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(base::Result<spool::StoredMessage>)>(
        std::move(initiate), asio::use_awaitable, std::move(draft), std::move(envelope));
}

}  // namespace thurn::delivery
