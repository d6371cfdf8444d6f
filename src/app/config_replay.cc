// `thurn config test NEW --replay 24h`: what another configuration would have done with the mail of the past.
#include "admin/control_server.h"
#include "app/command.h"
#include "app/stores.h"
#include "app/system.h"
#include "mail/date.h"
#include "policy/replay.h"

#include <algorithm>
#include <map>
#include <tuple>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

namespace thurn::app {

namespace json = boost::json;
using policy::Fate;

namespace {

constexpr std::size_t kExamples = 3;  // of each change
constexpr std::size_t kJsonExamples = 100;

/// A name of several listeners counts when none of them relays.
std::vector<std::string> not_relaying(const config::Config& config) {
    std::vector<std::string> names;
    for (const auto& listener : config.listeners)
        if (std::ranges::none_of(config.listeners, [&](const auto& other) { return other.relay && other.name() == listener.name(); }))
            names.push_back(listener.name());
    return names;
}

policy::ReplayedConfiguration replayed(const config::Config& config, const policy::Countries* countries = nullptr) {
    return {.rulebook = *config.rulebook,
            .hostname = config.hostname,
            .relay_networks = config.relay_networks,
            .relay_domains = config.relay_domains,
            .senders = config.senders,
            .authentication = config.authentication.rules,
            .not_relaying = not_relaying(config),
            .countries = countries,
            .local = [](base::Time time) { return SystemClock().local(time); }};
}

struct Example {
    base::MessageId id;
    base::Time at;
    std::string client, sender, recipient;
};

/// What became of some mail then and would now, and which mail that was.
struct Change {
    Fate then, now;
    std::size_t count = 0;
    std::vector<Example> examples{};
};

struct Summary {
    std::size_t messages = 0;
    std::size_t recipients = 0;
    std::map<std::tuple<policy::Action, std::string, policy::Action, std::string>, Change> changes{};
    std::map<std::string, std::size_t> unjudged{};

    void add(const policy::PastMessage& past, const policy::Comparison& comparison) {
        ++messages;
        recipients += comparison.recipients.size();
        for (const auto& what : comparison.unjudged) ++unjudged[what];
        for (const auto& one : comparison.recipients) {
            if (!one.differs()) continue;
            auto& change = changes[{one.then.action, one.then.rule, one.now.action, one.now.rule}];
            change.then = one.then;
            change.now = one.now;
            if (++change.count <= kJsonExamples)
                change.examples.push_back({past.id, past.at, past.parties.client, past.parties.sender, one.address});
        }
    }
    /// What concerns most mail first.
    [[nodiscard]] std::vector<Change> sorted() const {
        std::vector<Change> all;
        for (const auto& [key, change] : changes) all.push_back(change);
        std::ranges::sort(all, [](const auto& a, const auto& b) {
            return std::tie(b.count, a.then.rule, a.now.rule) < std::tie(a.count, b.then.rule, b.now.rule);
        });
        return all;
    }
};

/// Where the rule stands; empty: it is none of [[rule]].
std::string origin_of(const Fate& fate, const config::Config& config) {
    for (const auto& rule : config.rulebook->rules.at(fate.stage))
        if (rule.said.name == fate.rule) return rule.said.origin;
    return {};
}

std::string told(const Fate& fate, const config::Config& config) {
    const auto origin = origin_of(fate, config);
    return fmt::format("{}{}{}{}", name_of(fate.action), fate.rule.empty() ? "" : " by ", fate.rule,
                       origin.empty() ? "" : fmt::format(" ({})", origin));
}

json::object as_json(const Fate& fate, const config::Config& config) {
    return {{"action", name_of(fate.action)}, {"stage", name_of(fate.stage)}, {"rule", fate.rule}, {"origin", origin_of(fate, config)}};
}

void print(const Summary& summary, const config::Config& then, const config::Config& now, base::Time since) {
    print_line(
        fmt::format("{} messages and tries since {}, {} recipients.", summary.messages, mail::render_timestamp(since), summary.recipients));
    if (summary.changes.empty()) print_line("Nothing would have been different.");
    for (const auto& change : summary.sorted()) {
        print_line(fmt::format("{:>6}  {} -> {}", change.count, told(change.then, then), told(change.now, now)));
        for (std::size_t i = 0; i < std::min(kExamples, change.examples.size()); ++i) {
            const auto& [id, at, client, sender, recipient] = change.examples[i];
            const bool before_mail = sender.empty() && recipient.empty();
            print_line(fmt::format("        {} {}{} by {}{}", mail::render_timestamp(at), id.text(),
                                   before_mail ? "" : fmt::format(" from <{}>", sender), client,
                                   recipient.empty() ? "" : fmt::format(" to <{}>", recipient)));
        }
    }
    if (summary.unjudged.empty()) return;
    print_line("The trace has not kept what these ask for; it was taken that they do not apply:");
    for (const auto& [what, count] : summary.unjudged) print_line(fmt::format("{:>6}  {}", count, what));
}

json::object as_json(const Summary& summary, const config::Config& then, const config::Config& now, base::Time since) {
    json::array changes;
    for (const auto& change : summary.sorted()) {
        json::array examples;
        for (const auto& [id, at, client, sender, recipient] : change.examples)
            examples.push_back(json::object{
                {"id", id.text()}, {"at", mail::render_timestamp(at)}, {"client", client}, {"from", sender}, {"to", recipient}});
        changes.push_back(json::object{
            {"count", change.count}, {"then", as_json(change.then, then)}, {"now", as_json(change.now, now)}, {"examples", examples}});
    }
    json::array unjudged;
    for (const auto& [what, count] : summary.unjudged) unjudged.push_back(json::object{{"what", what}, {"count", count}});
    return {{"since", mail::render_timestamp(since)},
            {"messages", summary.messages},
            {"recipients", summary.recipients},
            {"changes", changes},
            {"unjudged", unjudged}};
}

}  // namespace

int config_replay(const CommandContext& context, const std::string& file, const std::string& since_text) {
    const auto now = load_file(file);
    if (!now) return complain(now.error());
    const auto since = read_moment(since_text);
    if (!since) return complain({base::ErrorKind::invalid, "--replay: " + since.error().detail});
    if (find_config(context).empty())
        return complain({base::ErrorKind::invalid, "--replay compares with the configuration in use: name it with --config"});
    const auto then = load_configuration(context);
    if (!then) return complain(then.error());
    if (auto done = act_as_owner(then->config); !done) return complain(done.error());
    auto directory = open_directory(then->config);
    if (!directory) return complain(directory.error());
    const auto countries = open_countries(now->config);
    if (!countries) return complain(countries.error());
    base::NullLog log;
    const auto journal = read_journal(then->config, log);
    if (!journal) return complain(journal.error());
    std::ignore = admin::ask_server(then->config.data_dir / "control.sock", {{"command", "trace.flush"}});

    policy::Replay replay(replayed(then->config), replayed(now->config, countries->get()), **directory);
    Summary summary;
    base::Result<void> outcome;
    policy::PastMessages past([&](const policy::PastMessage& message) {
        if (!outcome) return;
        auto compared = replay.compare(message);
        if (compared)
            summary.add(message, *compared);
        else
            outcome = base::pass_on(compared);
    });
    if (auto read = (*journal)->read(*since, [&](trace::Event event) { past.take(std::move(event)); }); !read)
        return complain(read.error());
    past.finish();
    if (!outcome) return complain(outcome.error());
    if (context.json)
        print_json(as_json(summary, then->config, now->config, *since));
    else
        print(summary, then->config, now->config, *since);
    return exit_ok;
}

}  // namespace thurn::app
