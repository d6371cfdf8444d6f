// Scanners: asked when a rule first wants to know what they say of a message, and once for each message.
#include "inbound/content_search.h"
#include "inbound/conversation.h"
#include "inbound/scanning.h"

#include <utility>

#include <fmt/format.h>

namespace thurn::inbound {

using net::asio::awaitable;
using policy::ContentSource;

/// What the scanner said, for log and trace.
template <class Verdict>
base::Result<Verdict> Conversation::tell_scanned(Transaction& transaction, const ScannerOptions& scanner, base::Result<Verdict> verdict,
                                                 std::chrono::steady_clock::time_point begun) {
    const auto rule = "scanner." + scanner.name;
    const auto story = describe(verdict);
    transaction.findings.push_back({"scanner " + scanner.name, fmt::format("{}, after {} ms", story, milliseconds_since(begun))});
    const Note note{.id = transaction.id, .rule = rule, .reason = story, .begun = begun};
    if (verdict) {
        log_.info("scanned", note);
        return verdict;
    }
    log_.warning("scanner_failed", note);
    return spare_too_long(std::move(verdict));
}

/// Spam scanners want to know whence it came: as the message will say that is read here.
awaitable<void> Conversation::async_ask_scanner(ContentSource source, Transaction& transaction) {
    using Kind = ScannerOptions::Kind;
    auto& content = transaction.content;
    const bool viruses = source == ContentSource::virus_scanner;
    const auto* scanner = find_scanner(options_->scanners, viruses ? Kind::clamd : Kind::spamd, profile_.role);
    if (!scanner) {
        if (viruses)
            content.virus.emplace(no_scanner());
        else
            content.spam.emplace(no_scanner());
        co_return;
    }
    const auto begun = std::chrono::steady_clock::now();
    const ScannedMessage message{
        .on_top = viruses ? "" : fmt::format("Return-Path: {}\r\n{}", mail::render_path(transaction.sender), trace_header(transaction)),
        .draft = *transaction.draft,
        .pool = with_.pool};
    if (viruses) {
        auto verdict = co_await async_ask_clamd(*scanner, with_.resolver, message);
        content.virus = tell_scanned(transaction, *scanner, std::move(verdict), begun);
    } else {
        auto verdict = co_await async_ask_spamd(*scanner, with_.resolver, message);
        content.spam = tell_scanned(transaction, *scanner, std::move(verdict), begun);
    }
}

awaitable<policy::FactValue> Conversation::async_look_inside(const policy::Fact& fact, Transaction& transaction) {
    const auto source = policy::content_source(fact);
    auto& content = transaction.content;
    if (content.knows(source)) co_return policy::content_fact(fact, content);
    if (source == ContentSource::ourselves)
        content.test_pattern = co_await async_find_test_pattern(*transaction.draft, with_.pool);
    else if (source == ContentSource::parts)
        co_await async_look_at_parts(transaction);
    else if (source == ContentSource::archives)
        co_await async_look_into_archives(transaction);
    else
        co_await async_ask_scanner(source, transaction);
    co_return policy::content_fact(fact, content);
}

}  // namespace thurn::inbound
