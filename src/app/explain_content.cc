#include "app/explain_content.h"

#include "inbound/content_search.h"
#include "inbound/scanning.h"
#include "spool/memory_spool.h"

#include <exception>
#include <optional>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <fmt/format.h>

namespace thurn::app {

using policy::ContentSource;

namespace {

/// On a loop of its own, which ends with the answer.
template <class Value>
base::Result<Value> wait_for(boost::asio::awaitable<base::Result<Value>> asked) {
    boost::asio::io_context loop(1);
    base::Result<Value> answer = base::fail(base::ErrorKind::refused, "it could not be asked");
    boost::asio::co_spawn(loop, std::move(asked), [&](const std::exception_ptr& trouble, base::Result<Value> given) {
        if (!trouble) answer = std::move(given);
    });
    loop.run();
    return answer;
}

}  // namespace

ContentExplanation::ContentExplanation(const config::Config& config, Message message, ToolResolver& resolver, Story& story)
    : config_(config), message_(std::move(message)), resolver_(resolver), story_(story), draft_(spool::MemorySpool().draft({})) {
    (void)draft_->append(message_.octets);  // in memory nothing can fail
}

void ContentExplanation::tell(std::string what, const std::string& said) {
    story_.tell(policy::Stage::content, Remarked{std::move(what) + ": " + said});
}

void ContentExplanation::look_into_archives() {
    found_.archives = wait_for(inbound::async_open_archives(
        {.draft = *draft_, .parts = *found_.parts, .readers = &readers_, .options = config_.attachments, .pool = pool_}));
    if (!*found_.archives || !(*found_.archives)->names.empty()) tell("archives", inbound::describe(*found_.archives));
}

base::Result<void> ContentExplanation::ask_scanner(ContentSource source) {
    using Kind = inbound::ScannerOptions::Kind;
    const bool viruses = source == ContentSource::virus_scanner;
    const auto* scanner = inbound::find_scanner(config_.scanners, viruses ? Kind::clamd : Kind::spamd, message_.role);
    if (!scanner && viruses) found_.virus.emplace(inbound::no_scanner());
    if (!scanner && !viruses) found_.spam.emplace(inbound::no_scanner());
    if (!scanner) return {};
    auto resolver = resolver_.resolver();
    if (!resolver) return base::pass_on(resolver);
    const inbound::ScannedMessage shown{.on_top = viruses ? "" : message_.on_top, .draft = *draft_, .pool = pool_};
    const auto name = "scanner " + scanner->name;
    if (viruses) {
        auto verdict = wait_for(inbound::async_ask_clamd(*scanner, *resolver, shown));
        tell(name, inbound::describe(verdict));
        found_.virus = inbound::spare_too_long(std::move(verdict));
    } else {
        auto verdict = wait_for(inbound::async_ask_spamd(*scanner, *resolver, shown));
        tell(name, inbound::describe(verdict));
        found_.spam = inbound::spare_too_long(std::move(verdict));
    }
    return {};
}

base::Result<void> ContentExplanation::look(ContentSource source) {
    if (source == ContentSource::virus_scanner || source == ContentSource::spam_scanner) return ask_scanner(source);
    if (source == ContentSource::ourselves) {
        found_.test_pattern = wait_for(inbound::async_find_test_pattern(*draft_, pool_));
        return {};
    }
    if (!found_.parts) found_.parts = wait_for(inbound::async_take_apart(*draft_, config_.attachments.text, pool_));
    if (source == ContentSource::archives) look_into_archives();
    return {};
}

base::Result<policy::FactValue> ContentExplanation::find_out(const policy::Fact& fact) {
    const auto source = policy::content_source(fact);
    if (!found_.knows(source))
        if (auto looked = look(source); !looked) return base::pass_on(looked);
    return policy::content_fact(fact, found_);
}

}  // namespace thurn::app
