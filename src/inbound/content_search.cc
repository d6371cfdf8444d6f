#include "inbound/content_search.h"

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

scan::TestPattern find_test_pattern(std::string_view octets) {
    scan::TestPatternSearch search;
    search.feed(octets);
    return search.found();
}

base::Result<scan::TestPattern> find_test_pattern_on_disk(const spool::Draft& draft) {
    scan::TestPatternSearch search;
    const auto read = read_through(draft, [&](std::string_view octets) {
        search.feed(octets);
        return search.found() == scan::TestPattern::none;
    });
    if (!read) return std::unexpected(read.error());
    return search.found();
}

}  // namespace

/// What is in memory is soon searched; of a long message the pool does it all.
awaitable<base::Result<scan::TestPattern>> async_find_test_pattern(const spool::Draft& draft, net::BlockingPool& pool) {
    if (const auto octets = draft.in_memory()) co_return find_test_pattern(*octets);
    co_return co_await pool.async_run([&draft] { return find_test_pattern_on_disk(draft); });
}

awaitable<base::Result<scan::MessageParts>> async_take_apart(const spool::Draft& draft, base::Octets most_text, net::BlockingPool& pool) {
    if (draft.in_memory() && draft.size().count <= kAtOnce) co_return take_apart(draft, most_text);
    co_return co_await pool.async_run([&draft, most_text] { return take_apart(draft, most_text); });
}

awaitable<base::Result<scan::MessageArchives>> async_open_archives(ArchiveSearch search) {
    if (!search.parts) co_return std::unexpected(search.parts.error());
    auto archives = find_archives(*search.parts);
    if (archives.leaves.empty()) co_return scan::MessageArchives{};
    if (!search.readers) co_return base::fail(base::ErrorKind::not_found, "nobody looks into archives here");
    auto file = co_await search.pool.async_run([&] { return extract(search.draft, archives); });
    if (!file) co_return base::pass_on(file);
    auto listing = co_await search.readers->async_list(*std::move(file), std::string(search.party), search.options, search.pool);
    if (!listing) co_return base::pass_on(listing);
    co_return scan::MessageArchives{std::move(archives.names), *std::move(listing)};
}

std::string describe(const base::Result<scan::MessageArchives>& found) {
    if (!found) return "not looked into: " + found.error().detail;
    return fmt::format("{} files in {} archives", found->listing.members.size(), found->names.size());
}

}  // namespace thurn::inbound
