// What a message is made of, and what its archives hold: found out when a rule first asks, once for each message.
#include "inbound/content_search.h"
#include "inbound/conversation.h"

#include <fmt/format.h>

namespace thurn::inbound {

using net::asio::awaitable;

awaitable<void> Conversation::async_look_at_parts(Transaction& transaction) {
    transaction.content.parts = co_await async_take_apart(*transaction.draft, options_->attachments.text, with_.pool);
}

awaitable<void> Conversation::async_look_into_archives(Transaction& transaction) {
    if (!transaction.content.parts) co_await async_look_at_parts(transaction);
    const auto begun = std::chrono::steady_clock::now();
    transaction.content.archives = co_await async_open_archives({.draft = *transaction.draft,
                                                                 .parts = *transaction.content.parts,
                                                                 .readers = with_.archive_readers,
                                                                 .options = options_->attachments,
                                                                 .pool = with_.pool,
                                                                 .party = client_.network});
    const auto& found = *transaction.content.archives;
    if (found && found->names.empty()) co_return;
    const auto story = describe(found);
    transaction.findings.push_back({"archives", fmt::format("{}, after {} ms", story, milliseconds_since(begun))});
    const Note note{.id = transaction.id, .reason = story, .begun = begun};
    if (found)
        log_.info("archives_read", note);
    else
        log_.warning("archives_not_read", note);
}

}  // namespace thurn::inbound
