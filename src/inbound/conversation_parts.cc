// What a message is made of, and what its archives hold: found out when a rule first asks, once for each message.
#include "inbound/archive_readers.h"
#include "inbound/client_network.h"
#include "inbound/conversation.h"
#include "inbound/draft_reading.h"

#include <utility>

#include <fmt/format.h>

namespace thurn::inbound {

using net::asio::awaitable;

namespace {

constexpr std::size_t kAtOnce = std::size_t{64} << 10;  // a loop stands still for less than a millisecond

base::Result<scan::MessageParts> take_apart(const spool::Draft& draft, base::Octets most_text) {
    scan::PartSearch search(most_text.count);
    const auto read = read_through(draft, [&](std::string_view octets) {
        search.feed(octets);
        return true;
    });
    if (!read) return std::unexpected(read.error());
    return search.finish();
}

struct Archives {
    std::vector<std::size_t> leaves;
    std::vector<std::string> names;
};

Archives find_archives(const scan::MessageParts& parts) {
    Archives found;
    for (const auto& attachment : parts.attachments) {
        if (!attachment.is_archive()) continue;
        found.leaves.push_back(attachment.leaf);
        found.names.push_back(attachment.label());
    }
    return found;
}

base::Result<Descriptor> extract(const spool::Draft& draft, const Archives& archives) {
    ArchiveFile file(archives.names);
    scan::LeafExtractor extractor(archives.leaves, file);
    const auto read = read_through(draft, [&](std::string_view octets) {
        extractor.feed(octets);
        return true;
    });
    if (!read) return std::unexpected(read.error());
    extractor.finish();
    return file.take();
}

}  // namespace

awaitable<void> Conversation::async_take_apart(Transaction& transaction) {
    const auto& draft = *transaction.draft;
    const auto most_text = options_->attachments.text;
    if (draft.in_memory() && draft.size().count <= kAtOnce)
        transaction.content.parts = take_apart(draft, most_text);
    else
        transaction.content.parts = co_await with_.pool.async_run([&draft, most_text] { return take_apart(draft, most_text); });
}

/// Precondition: it is known what the message is made of.
awaitable<base::Result<scan::MessageArchives>> Conversation::async_open_archives(const Transaction& transaction) {
    const auto& parts = *transaction.content.parts;
    if (!parts) co_return std::unexpected(parts.error());
    auto archives = find_archives(*parts);
    if (archives.leaves.empty()) co_return scan::MessageArchives{};
    if (!with_.archive_readers) co_return base::fail(base::ErrorKind::not_found, "nobody looks into archives here");
    auto file = co_await with_.pool.async_run([&] { return extract(*transaction.draft, archives); });
    if (!file) co_return base::pass_on(file);
    auto listing =
        co_await with_.archive_readers->async_list(*std::move(file), client_network(client_.address), options_->attachments, with_.pool);
    if (!listing) co_return base::pass_on(listing);
    co_return scan::MessageArchives{std::move(archives.names), *std::move(listing)};
}

awaitable<void> Conversation::async_look_into_archives(Transaction& transaction) {
    if (!transaction.content.parts) co_await async_take_apart(transaction);
    const auto begun = std::chrono::steady_clock::now();
    transaction.content.archives = co_await async_open_archives(transaction);
    const auto& found = *transaction.content.archives;
    if (found && found->names.empty()) co_return;
    const auto story = found ? fmt::format("{} files in {} archives", found->listing.members.size(), found->names.size())
                             : "not looked into: " + found.error().detail;
    transaction.findings.push_back({"archives", fmt::format("{}, after {} ms", story, milliseconds_since(begun))});
    const Note note{.id = transaction.id, .reason = story, .begun = begun};
    if (found)
        log_.info("archives_read", note);
    else
        log_.warning("archives_not_read", note);
}

}  // namespace thurn::inbound
