#include "policy/rule.h"

#include "base/ascii.h"
#include "mail/mailbox.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace thurn::policy {

namespace {

using base::ErrorKind;
using base::fail;

std::unexpected<base::Error> wrong(std::string_view key, const base::Error& error) {
    return fail(error.kind, fmt::format("{}: {}", key, error.detail));
}

base::Result<void> check_action(const RuleText& rule) {
    if (is_of_message(rule.action) && rule.stage < Stage::mail)
        return fail(ErrorKind::invalid,
                    fmt::format("action: there is no message at {} that one could {}", name_of(rule.stage), name_of(rule.action)));
    if ((rule.action == Action::redirect) != !rule.to.empty())
        return fail(ErrorKind::invalid, "to: goes with action = \"redirect\", and that with it");
    if (rule.action == Action::redirect && rule.stage != Stage::rcpt)
        return fail(ErrorKind::invalid, "action: a recipient is redirected at stage = \"rcpt\"");
    if (!rule.to.empty())
        if (const auto address = mail::parse_mailbox(rule.to, mail::Charset::utf8); !address) return wrong("to", address.error());
    if (!rule.text.empty() && !refuses(rule.action)) return fail(ErrorKind::invalid, "text: goes with reject, defer and disconnect");
    return {};
}

bool leaves_marks(const RuleText& rule) {
    return rule.score != 0 || !rule.tag.empty() || !rule.header.empty() || rule.delay.count() > 0 || rule.alarm;
}

base::Result<void> check_marks(const RuleText& rule) {
    if (!leaves_marks(rule) && rule.action == Action::none)
        return fail(ErrorKind::invalid, fmt::format("action: the rule does nothing; give one of {}, or score, tag, header, delay, alarm",
                                                    fmt::join(kActionNames, ", ")));
    return rule.header.empty() ? base::Result<void>() : check_header(rule.header);
}

/// Whoever is asked says it all.
base::Result<void> check_asking(const RuleText& rule) {
    if (rule.action != Action::none || leaves_marks(rule) || !rule.text.empty() || !rule.to.empty())
        return fail(ErrorKind::invalid, "ask: goes with name, stage and when only; who is asked says what to do");
    return {};
}

/// A fact that is not there yet would never be known; one of the past could be another's.
base::Result<void> check_facts(Stage stage, const std::vector<std::size_t>& used, const std::vector<Fact>& facts) {
    for (const auto index : used) {
        const auto& fact = facts[index];
        if (stage < fact.kind->since)
            return fail(ErrorKind::invalid,
                        fmt::format("{} is known from stage {} on, not at {}", fact.name, name_of(fact.kind->since), name_of(stage)));
        if (stage > fact.kind->until)
            return fail(ErrorKind::invalid, fmt::format("{} is of stage {} only", fact.name, name_of(fact.kind->until)));
    }
    return {};
}

/// Facts by their names.
base::Result<std::vector<std::size_t>> find_facts(const std::vector<std::string>& names, FactIndex& facts) {
    std::vector<std::size_t> found;
    for (const auto& name : names) {
        const auto* kind = find_fact_kind(name);
        if (!kind) return fail(ErrorKind::invalid, fmt::format("unknown fact \"{}\"", name));
        found.push_back(facts.index_of(*kind, name));
    }
    return found;
}

/// The domains, and what is below them.
std::string pattern_of(const std::vector<std::string>& domains) {
    std::string any;
    for (const auto& domain : domains) {
        if (!any.empty()) any += '|';
        for (const char octet : domain) any += octet == '.' ? "[.]" : std::string_view(&octet, 1);
    }
    return fmt::format("(?i)(^|[.])({})$", any);
}

bool tells_of_good_clients(const DnsblText& list) {
    if (list.about != DnsblSubject::client && list.about != DnsblSubject::client_name) return false;
    return list.weight < 0 || std::ranges::any_of(list.replies, [](const auto& reply) { return reply.weight < 0; });
}

}  // namespace

base::Result<void> check_header(std::string_view header) {
    const auto colon = header.find(':');
    const auto in_name = [](char c) { return c > ' ' && c <= '~' && c != ':'; };
    if (colon == std::string::npos || colon == 0 || !std::ranges::all_of(header.substr(0, colon), in_name))
        return fail(ErrorKind::syntax, "header: a field such as \"X-Checked: yes\"");
    if (header.size() > 900 || !std::ranges::all_of(header, base::is_printable))
        return fail(ErrorKind::syntax, "header: one line of printable US-ASCII, at most 900 octets");
    return {};
}

base::Result<void> RuleSet::add(RuleText said) {
    if (said.name.empty()) return fail(ErrorKind::invalid, "name: a rule needs one, which trace, log and replies name it by");
    for (const auto& stage : stages_)
        for (const auto& rule : stage)
            if (rule.said.name == said.name)
                return fail(ErrorKind::invalid,
                            fmt::format("name: \"{}\" is the name of the rule at {}, too", said.name, rule.said.origin));
    if (said.ask.empty()) {
        if (auto good = check_action(said); !good) return good;
        if (auto good = check_marks(said); !good) return good;
    } else if (auto good = check_asking(said); !good) {
        return good;
    }
    Rule rule;
    if (!said.when.empty()) {
        auto condition = Condition::parse(said.when, facts_);
        if (!condition) return wrong("when", condition.error());
        if (auto good = check_facts(said.stage, condition->facts(), facts_.all()); !good) return wrong("when", good.error());
        rule.when = *std::move(condition);
    }
    auto text = ReplyText::parse(said.text, facts_);
    if (!text) return wrong("text", text.error());
    if (auto good = check_facts(said.stage, text->facts(), facts_.all()); !good) return wrong("text", good.error());
    rule.text = *std::move(text);
    auto told = find_facts(said.tell, facts_);
    if (!told) return wrong("facts", told.error());
    if (auto good = check_facts(said.stage, *told, facts_.all()); !good) return wrong("facts", good.error());
    rule.told = *std::move(told);
    auto& stage = stages_[static_cast<std::size_t>(said.stage)];
    rule.place = stage.size();
    rule.said = std::move(said);
    stage.push_back(std::move(rule));
    return {};
}

bool RuleSet::empty() const {
    return std::ranges::all_of(stages_, [](const auto& rules) { return rules.empty(); });
}

std::optional<std::size_t> RuleSet::find(std::string_view name) const {
    const auto& all = facts_.all();
    const auto found = std::ranges::find_if(all, [name](const Fact& fact) { return base::equal_ignoring_case(fact.name, name); });
    if (found == all.end()) return std::nullopt;
    return static_cast<std::size_t>(found - all.begin());
}

const std::vector<RuleText>& default_rules() {
    static const std::vector<RuleText> rules{
        {.name = "our-name",
         .stage = Stage::helo,
         .when = "client.stranger and helo.ours",
         .action = Action::reject,
         .text = "{helo} is the name of this server, not yours"},
        {.name = "sender-domain",
         .stage = Stage::mail,
         .when = "client.stranger and sender != \"\" and not sender.exists",
         .action = Action::reject,
         .text = "{sender.domain} does not exist or takes no mail, so nothing could be sent back to you"},
        {.name = "test-pattern",
         .stage = Stage::content,
         .when = "client.stranger and test_pattern != \"\"",
         .action = Action::reject,
         .text = "it holds {test_pattern}, which is there to be refused"},
    };
    return rules;
}

std::optional<RuleText> known_sender_rule(const std::vector<std::string>& domains, const DnsblSet& lists) {
    std::vector<std::string> known;
    if (!domains.empty()) known.push_back(fmt::format(R"(spf.domain matches "{}" and spf = "pass")", pattern_of(domains)));
    for (const auto& list : lists.all())
        if (tells_of_good_clients(list->said())) known.push_back(fmt::format("dnsbl.{} < 0", list->said().name));
    if (known.empty()) return std::nullopt;
    return RuleText{.name = "known-sender",
                    .stage = Stage::rcpt,
                    .when = fmt::format("client.stranger and ({})", fmt::join(known, " or ")),
                    .action = Action::accept};
}

RuleText greylist_rule() {
    return {.name = "greylist",
            .stage = Stage::rcpt,
            .when = "client.stranger and greylist_wait > 0",
            .action = Action::defer,
            .text = "this server does not know you yet, try again in {greylist_wait} seconds"};
}

RuleText recipient_rule() {
    return {.name = "unknown-recipient",
            .stage = Stage::rcpt,
            .when = "recipient.kind = \"relayed\" and not recipient.exists",
            .action = Action::reject,
            .text = "no such mailbox at the server that keeps this domain's mail",
            .status = mail::EnhancedStatus{5, 1, 1}};
}

}  // namespace thurn::policy
