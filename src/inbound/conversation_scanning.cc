// Scanners: asked when a rule first wants to know what they say of a message, and once for each message.
#include "inbound/conversation.h"
#include "inbound/draft_reading.h"
#include "inbound/scanning.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace thurn::inbound {

using net::asio::awaitable;
using policy::ContentSource;

namespace {

std::string describe(const scan::VirusVerdict& verdict) { return verdict.name.empty() ? "nothing found" : verdict.name + " found"; }

std::string describe(const scan::SpamVerdict& verdict) {
    return fmt::format("{:g} of {:g}{}{}", verdict.score, verdict.threshold, verdict.rules.empty() ? "" : ": ",
                       fmt::join(verdict.rules, ", "));
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

const ScannerOptions* Conversation::find_scanner(ScannerOptions::Kind kind) const {
    const auto is_ours = [&](const ScannerOptions& one) {
        return one.kind == kind && std::ranges::find(one.on, profile_.role) != one.on.end();
    };
    const auto found = std::ranges::find_if(options_->scanners, is_ours);
    return found == options_->scanners.end() ? nullptr : &*found;
}

/// What the scanner said, for log and trace. A message too long for it is one it has found nothing in: it would be no shorter next time.
template <class Verdict>
base::Result<Verdict> Conversation::tell_scanned(Transaction& transaction, const ScannerOptions& scanner, base::Result<Verdict> verdict,
                                                 std::chrono::steady_clock::time_point begun) {
    const auto rule = "scanner." + scanner.name;
    const auto story = verdict ? describe(*verdict) : "not checked: " + verdict.error().detail;
    transaction.findings.push_back({"scanner " + scanner.name, fmt::format("{}, after {} ms", story, milliseconds_since(begun))});
    const Note note{.id = transaction.id, .rule = rule, .reason = story, .begun = begun};
    if (verdict) {
        log_.info("scanned", note);
        return verdict;
    }
    log_.warning("scanner_failed", note);
    if (verdict.error().kind == base::ErrorKind::too_long) return Verdict{};
    return verdict;
}

/// Spam scanners want to know whence it came: as the message will say that is read here.
awaitable<void> Conversation::async_ask_scanner(ContentSource source, Transaction& transaction) {
    using Kind = ScannerOptions::Kind;
    auto& content = transaction.content;
    const bool viruses = source == ContentSource::virus_scanner;
    const auto* scanner = find_scanner(viruses ? Kind::clamd : Kind::spamd);
    if (!scanner) {
        const auto none = base::fail(base::ErrorKind::not_found, "there is no such [[scanner]] for this listener");
        if (viruses)
            content.virus.emplace(none);
        else
            content.spam.emplace(none);
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

/// What is in memory is soon searched; of a long message the pool does it all.
awaitable<base::Result<scan::TestPattern>> Conversation::async_find_test_pattern(const spool::Draft& draft) {
    if (const auto octets = draft.in_memory()) co_return find_test_pattern(*octets);
    co_return co_await with_.pool.async_run([&draft] { return find_test_pattern_on_disk(draft); });
}

awaitable<policy::FactValue> Conversation::async_look_inside(const policy::Fact& fact, Transaction& transaction) {
    const auto source = policy::content_source(fact);
    auto& content = transaction.content;
    if (content.knows(source)) co_return policy::content_fact(fact, content);
    if (source == ContentSource::ourselves)
        content.test_pattern = co_await async_find_test_pattern(*transaction.draft);
    else if (source == ContentSource::parts)
        co_await async_take_apart(transaction);
    else if (source == ContentSource::archives)
        co_await async_look_into_archives(transaction);
    else
        co_await async_ask_scanner(source, transaction);
    co_return policy::content_fact(fact, content);
}

}  // namespace thurn::inbound
