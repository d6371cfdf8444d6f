#include "app/report_mailer.h"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace thurn::app {

namespace asio = net::asio;

namespace {

using base::Result;

/// On the spool's thread, to where it is awaited.
asio::awaitable<Result<spool::StoredMessage>> async_commit(spool::Spool& spool, std::unique_ptr<spool::Draft> draft,
                                                           spool::Envelope envelope) {
    auto initiate = [&spool](auto handler, std::unique_ptr<spool::Draft> content, spool::Envelope about) {
        auto executor = asio::get_associated_executor(handler);
        spool.commit(
            std::move(content), std::move(about), [executor, handler = std::move(handler)](Result<spool::StoredMessage> stored) mutable {
                asio::post(executor, [handler = std::move(handler), stored = std::move(stored)]() mutable { handler(std::move(stored)); });
            });
    };
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Result<spool::StoredMessage>)>(
        std::move(initiate), asio::use_awaitable, std::move(draft), std::move(envelope));
}

/// From nobody: an answer to a report would be of use to nobody.
spool::Envelope envelope_to(const mail::Mailbox& to, base::Time now) {
    spool::Envelope envelope;
    envelope.recipients.push_back(
        {.mailbox = to,
         .original = {},
         .expansions = 0,
         .state = {.standing = spool::Standing::waiting, .attempts = 0, .due = now, .last_status = {}, .site = {}}});
    return envelope;
}

}  // namespace

asio::awaitable<mailauth::ReportConsent> ReportMailer::async_ask_consent(std::string domain, std::string host,
                                                                         const mailauth::PublicSuffixList* suffixes,
                                                                         mailauth::ReportKind kind) {
    mailauth::ReportConsentCheck check(domain, host, suffixes, kind);
    for (auto questions = check.questions(); !questions.empty(); questions = check.questions())
        for (const auto& question : questions) {
            const auto answer = co_await with_.resolver.async_ask(question);
            check.answer(question, answer);
        }
    co_return check.take();
}

asio::awaitable<Result<void>> ReportMailer::async_send(base::MessageId id, std::string message, mail::Mailbox to, std::string as) {
    auto draft = with_.spool.draft(id);
    auto* content = draft.get();
    auto appended = co_await with_.pool.async_run([content, &message] { return content->append(message); });
    if (!appended) co_return appended;
    auto stored = co_await async_commit(with_.spool, std::move(draft), envelope_to(to, with_.clock.now()));
    if (!stored) co_return base::pass_on(stored);
    with_.journal.append({id, with_.clock.now(),
                          trace::Accepted{{.listener = std::move(as), .recipients = {mail::render_mailbox(to)}, .size = message.size()}}});
    with_.hand_over(*std::move(stored));
    co_return Result<void>{};
}

}  // namespace thurn::app
