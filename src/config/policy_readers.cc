// Who gets in with what: rules, and the lists they ask.
#include "config/limit.h"
#include "config/readers.h"

#include <algorithm>
#include <charconv>

namespace thurn::config {

namespace {

std::optional<double> parse_weight(std::string_view text) {
    double weight = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), weight, std::chars_format::fixed);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return weight;
}

/// `127.0.0.2=4`, `127.0.0.0/28=2.5`.
void read_reply(Section& section, const std::string& text, policy::DnsblText& list) {
    const auto equal = text.find('=');
    auto network = policy::parse_network(text.substr(0, equal));
    const auto weight = equal == std::string::npos ? std::nullopt : parse_weight(text.substr(equal + 1));
    if (network && weight)
        list.replies.push_back({*std::move(network), *weight});
    else
        section.complain("replies", fmt::format("\"{}\": must be a network and what it is worth, such as \"127.0.0.2=4\"", text));
}

void read_dnsbl(Section section, policy::DnsblSet& lists) {
    policy::DnsblText list;
    section.text("name", list.name);
    section.domain("zone", list.zone);
    section.choice("about", list.about, {"client", "helo", "client.name", "sender.domain", "author.domain"});
    section.number("weight", list.weight);
    std::vector<std::string> replies;
    section.texts("replies", replies);
    for (const auto& reply : replies) read_reply(section, reply, list);
    section.text("listed", list.listed);
    if (list.zone.empty()) section.complain("zone", "must name the list's domain");
    if (list.name.empty() || list.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") != std::string::npos)
        section.complain("name", "must be of a-z, 0-9, _ and -: rules ask for dnsbl.NAME");
    if (lists.find(list.name)) section.complain("name", fmt::format("\"{}\" is the name of another list, too", list.name));
    section.finish();
    lists.add(std::move(list));
}

policy::RuleText read_rule_text(Section& section) {
    policy::RuleText rule;
    section.text("name", rule.name);
    section.choice("stage", rule.stage, {policy::kStageNames.begin(), policy::kStageNames.end()});
    section.text("when", rule.when);
    section.choice("action", rule.action, {policy::kActionNames.begin(), policy::kActionNames.end()});
    section.text("text", rule.text);
    section.text("to", rule.to);
    section.number("score", rule.score);
    section.text("tag", rule.tag);
    section.text("header", rule.header);
    section.duration("delay", rule.delay);
    section.flag("alarm", rule.alarm);
    section.text("ask", rule.ask);
    rule.origin = section.origin();
    if (!section.has("stage")) section.complain("stage", fmt::format("must be one of {}", fmt::join(policy::kStageNames, ", ")));
    if (rule.delay > std::chrono::minutes(5)) section.complain("delay", "at most 5m: clients wait no longer (RFC 5321 §4.5.3.2)");
    return rule;
}

/// `when: column 3: …` goes to its key.
void complain_of(Section& section, const base::Error& error) {
    const auto colon = error.detail.find(": ");
    section.complain(error.detail.substr(0, colon), error.detail.substr(colon + 2));
}

policy::RateText read_rate_text(Section& section) {
    policy::RateText rate;
    section.text("name", rate.name);
    section.choice("of", rate.of, {policy::kCountedNames.begin(), policy::kCountedNames.end()});
    section.texts("per", rate.per);
    section.parsed("limit", rate.limit, parse_limit,
                   [](const policy::Limit& limit) { return quote(limit.amount > 0 ? render_limit(limit) : std::string()); });
    section.text("when", rate.when);
    section.choice("action", rate.action, {policy::kActionNames.begin(), policy::kActionNames.end()});
    section.text("text", rate.text);
    section.flag("alarm", rate.alarm);
    rate.origin = section.origin();
    return rate;
}

void read_rate(Section section, policy::Rulebook& book) {
    if (auto added = book.rates.add(read_rate_text(section)); !added) complain_of(section, added.error());
    section.finish();
}

void check_lists(Section& section, const policy::Rulebook& book) {
    for (const auto& fact : book.rules.facts())
        if (fact.kind->name == "dnsbl.*" && !book.lists.find(fact.argument()))
            section.complain("when", fmt::format("{}: there is no [[dnsbl]] of the name \"{}\"", fact.name, fact.argument()));
}

/// Where a rule asks somebody, that is where they are asked.
void find_asked_by(Section& section, policy::RuleText& rule, const Config& config) {
    const auto* asked = find_asked(config, rule.ask);
    if (!asked) {
        section.complain("ask", fmt::format("there is no [[policy_server]] or [[script]] of the name \"{}\"", rule.ask));
        return;
    }
    rule.tell = asked->tell;
    for (const auto& server : config.policy_servers)
        if (&server.asked == asked && !inbound::asks_at(server, rule.stage))
            section.complain("stage", fmt::format("policy delegation has no question for {}", name_of(rule.stage)));
    if (!asked->placed.empty())
        section.complain("ask", fmt::format("\"{}\" at {} says by its `{}` where it is asked, too: leave that or this out", rule.ask,
                                            asked->origin, asked->placed));
}

void read_rule(Section section, policy::Rulebook& book, const Config& config) {
    auto text = read_rule_text(section);
    if (!text.ask.empty()) find_asked_by(section, text, config);
    auto added = book.rules.add(std::move(text));
    if (!added) {
        complain_of(section, added.error());
    } else {
        check_lists(section, book);
    }
    section.finish();
}

/// Their names, places and words are ours, so there is nothing to complain of but a scanner without a name.
void add_rules_of(const std::vector<inbound::ScannerOptions>& scanners, inbound::ScannerOptions::Kind kind, policy::Rulebook& book) {
    for (const auto& scanner : scanners) {
        if (scanner.kind != kind) continue;
        for (auto& rule : inbound::rules_of(scanner)) std::ignore = book.rules.add(std::move(rule));
    }
}

bool is_asked(std::string_view name, const policy::RuleSet& rules) {
    const auto asks = [name](const policy::Rule& rule) { return rule.said.ask == name; };
    return std::ranges::any_of(policy::kStages, [&](auto stage) { return std::ranges::any_of(rules.at(stage), asks); });
}

/// Those that no rule asks are asked behind all rules.
template <class Options>
void add_rules_of(Section& root, std::string_view kind, const std::vector<Options>& all, policy::Rulebook& book) {
    for (const auto& one : all) {
        if (is_asked(one.asked.name, book.rules)) continue;
        for (auto& rule : inbound::rules_asking(one.asked, kind))
            if (auto added = book.rules.add(std::move(rule)); !added) root.complain(kind, added.error().detail);
    }
    check_lists(root, book);
}

/// One more rule or two, behind those of the configuration: whoever they let pass need not wait.
void read_greylist(Section section, policy::Rulebook& book) {
    bool enabled = false;
    section.flag("enabled", enabled);
    section.time_span("delay", book.greylist.delay);
    section.time_span("retry_window", book.greylist.retry_window);
    section.time_span("keep", book.greylist.keep);
    section.count("known_after", book.greylist.known_after, 1, 1'000'000);
    section.domains("known", book.greylist.known);
    if (book.greylist.retry_window <= book.greylist.delay)
        section.complain("retry_window", "must be longer than greylist.delay, or nothing would ever pass");
    section.finish();
    if (!enabled) return;
    if (auto known = policy::known_sender_rule(book.greylist.known, book.lists))
        if (auto added = book.rules.add(*std::move(known)); !added) section.complain("known", added.error().detail);
    if (auto added = book.rules.add(policy::greylist_rule()); !added) section.complain("enabled", added.error().detail);
}

}  // namespace

/// What holds a virus is nobody's to let in by a rule about something else; what looks like spam is.
void read_policy(Section& root, Config& config) {
    auto book = std::make_shared<policy::Rulebook>();
    auto section = root.table("policy");
    section.time_span("time_limit", book->time_limit);
    section.finish();
    for (auto& list : root.tables("dnsbl")) read_dnsbl(list, book->lists);
    add_rules_of(config.scanners, inbound::ScannerOptions::Kind::clamd, *book);
    for (auto& rule : root.tables("rule")) read_rule(rule, *book, config);
    for (auto& rate : root.tables("rate")) read_rate(rate, *book);
    if (!root.has("rule"))
        for (const auto& rule : policy::default_rules()) std::ignore = book->rules.add(rule);
    add_rules_of(root, inbound::kScript, config.scripts, *book);
    add_rules_of(root, inbound::kPolicyServer, config.policy_servers, *book);
    add_rules_of(config.scanners, inbound::ScannerOptions::Kind::spamd, *book);
    if (config.verify_recipients) std::ignore = book->rules.add(policy::recipient_rule());
    read_greylist(root.table("greylist"), *book);
    if (!root.has("rate"))
        for (const auto& rate : policy::default_rates()) std::ignore = book->rates.add(rate);
    config.rulebook = std::move(book);
}

}  // namespace thurn::config
