#include "policy/replay.h"

#include "policy/fact_text.h"
#include "policy/walk.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace thurn::policy {

namespace {

using base::Result;
using Kind = Decision::Kind;

constexpr std::string_view kAuthentication = "authentication";

/// The decisions that are made anew, besides those of rules.
bool is_built_in(std::string_view rule) {
    return rule == kRelayRule || rule == "local-recipient" || rule == "authentication-required" || rule == "sender-ownership";
}

Action action_of(const trace::Decided& decided) {
    const auto found = std::ranges::find(kActionNames, decided.decision);
    return found == kActionNames.end() ? Action::none : static_cast<Action>(found - kActionNames.begin());
}

/// What it said then, as far as it is kept. `recipient`: where to is not, and no matter.
Advice advice_kept(const trace::Decided& decided, const std::string& recipient) {
    Advice advice{.action = action_of(decided)};
    if (advice.action == Action::redirect) advice.to = recipient;
    for (const auto& text : decided.left) {
        const auto mark = read_fact(text);
        if (!mark) continue;
        if (const auto* score = std::get_if<double>(&mark->second)) advice.score = *score;
        if (const auto* tag = std::get_if<std::string>(&mark->second)) advice.tag = *tag;
    }
    return advice;
}

const Rule* find_rule(const RuleSet& rules, Stage stage, std::string_view name) {
    const auto& all = rules.at(stage);
    const auto found = std::ranges::find_if(all, [name](const Rule& rule) { return rule.said.name == name; });
    return found == all.end() ? nullptr : &*found;
}

/// A message goes further away from its readers, never nearer.
int distance(Action action) {
    constexpr Action kNearToFar[] = {Action::redirect, Action::junk, Action::hold, Action::discard};
    const auto* found = std::ranges::find(kNearToFar, action);
    return found == std::end(kNearToFar) ? -1 : static_cast<int>(found - kNearToFar);
}

void file(Fate& fate, Action action, std::string_view rule, Stage stage) {
    if (distance(action) > distance(fate.action)) fate = {action, std::string(rule), stage};
}

template <class Enum>
std::optional<Enum> by_name(std::string_view name, std::string_view (*name_of)(Enum), Enum last) {
    for (int i = 0; i <= static_cast<int>(last); ++i)
        if (name_of(static_cast<Enum>(i)) == name) return static_cast<Enum>(i);
    return std::nullopt;
}

/// `192.0.2.1:25`, `2001:db8::1:25`
std::string address_in(std::string_view client) { return std::string(client.substr(0, client.rfind(':'))); }

bool is_finding(const FactKind& kind) {
    return kind.name == "dmarc" || kind.name == "dmarc.policy" || kind.name == "dkim" || kind.name == "arc";
}

/// One message, with what is known of it by heart.
class Remembered {
public:
    explicit Remembered(const PastMessage& past) : past_(past) {
        for (const auto& found : past.found)
            for (const auto& text : found.facts)
                if (auto fact = read_fact(text)) facts_[found.recipient].insert(*std::move(fact));
        for (const auto& decided : past.decisions)
            if (decided.stage == name_of(Stage::rcpt) && !decided.subject.empty() &&
                std::ranges::find(tried_, decided.subject) == tried_.end())
                tried_.push_back(decided.subject);
    }

    /// Whom RCPT named.
    [[nodiscard]] const std::vector<std::string>& tried() const { return tried_; }

    [[nodiscard]] std::optional<FactValue> fact(const std::string& name, const std::string& recipient) const {
        for (const auto& about : {recipient, std::string()})
            if (const auto of = facts_.find(about); of != facts_.end())
                if (const auto found = of->second.find(name); found != of->second.end()) return found->second;
        return std::nullopt;
    }
    [[nodiscard]] std::string text(const std::string& name) const {
        const auto value = fact(name, {});
        const auto* text = value ? std::get_if<std::string>(&*value) : nullptr;
        return text ? *text : std::string();
    }

    /// What was said at a stage, of a recipient or of the whole message, in its order.
    [[nodiscard]] std::vector<const trace::Decided*> said(Stage stage, const std::string& recipient) const {
        std::vector<const trace::Decided*> all;
        for (const auto& decided : past_.decisions)
            if (decided.stage == name_of(stage) && (stage != Stage::rcpt || decided.subject == recipient)) all.push_back(&decided);
        return all;
    }

    /// The first stage that refused.
    [[nodiscard]] std::optional<Stage> refused_at(const std::string& recipient) const {
        for (const auto stage : kStages)
            if (std::ranges::any_of(said(stage, recipient), [](const auto* one) { return refuses(action_of(*one)); })) return stage;
        return std::nullopt;
    }

    [[nodiscard]] Fate fate(const std::string& recipient) const {
        Fate fate;
        for (const auto stage : kStages)
            for (const auto* decided : said(stage, recipient)) {
                const auto action = action_of(*decided);
                if (refuses(action)) return {action, decided->rule, stage};
                file(fate, action, decided->rule, stage);
            }
        return fate;
    }

    /// Whether it came to DATA, or its content came.
    [[nodiscard]] bool came_to(Stage stage) const {
        return past_.accepted || !said(Stage::content, {}).empty() || !said(stage, {}).empty();
    }

private:
    const PastMessage& past_;
    std::map<std::string, std::map<std::string, FactValue>> facts_;  // by recipient
    std::vector<std::string> tried_;
};

/// One message on its way through the new configuration.
class Rerun {
public:
    Rerun(const PastMessage& past, const ReplayedConfiguration& then, const ReplayedConfiguration& now, directory::Directory& directory)
        : past_(past), memory_(past), then_(then), now_(now), directory_(directory) {
        address_ = address_in(past.parties.client);
        network_ = client_network(address_);
        if (auto sender = mail::parse_mailbox(past.parties.sender, mail::Charset::utf8)) sender_ = *std::move(sender);
    }

    Result<Comparison> run() {
        auto refused = run_to_mail();
        if (!refused) return base::pass_on(refused);
        if (memory_.tried().empty()) {
            result_.recipients.push_back({{}, memory_.fate({}), refused->value_or(Fate{})});
            return std::move(result_);
        }
        for (const auto& address : memory_.tried()) {
            auto fate = *refused ? Result<Fate>(**refused) : run_recipient(address);
            if (!fate) return base::pass_on(fate);
            result_.recipients.push_back({address, memory_.fate(address), *std::move(fate)});
            if (!refuses(result_.recipients.back().now.action)) accepted_.push_back(address);
        }
        if (accepted_.empty() || !memory_.came_to(Stage::data)) return std::move(result_);
        auto fate = run_content();
        if (!fate) return base::pass_on(fate);
        for (auto& recipient : result_.recipients)
            if (!refuses(recipient.now.action)) join(recipient.now, *fate);
        return std::move(result_);
    }

private:
    static void join(Fate& fate, const Fate& of_message) {
        if (refuses(of_message.action))
            fate = of_message;
        else
            file(fate, of_message.action, of_message.rule, of_message.stage);
    }

    [[nodiscard]] const std::vector<Network>& networks() const {
        static const std::vector<Network> nobody;
        return std::ranges::find(now_.not_relaying, past_.parties.listener) == now_.not_relaying.end() ? now_.relay_networks : nobody;
    }
    [[nodiscard]] Role role() const {
        const auto& listener = past_.parties.listener;
        return listener.starts_with("submission") ? Role::submission : listener == "lmtp" ? Role::lmtp : Role::mx;
    }
    [[nodiscard]] Facts built_in_facts() const { return {.role = role(), .client_address = address_, .login = past_.parties.login}; }

    [[nodiscard]] Situation situation() const {
        const auto& parties = past_.parties;
        const bool ours = std::ranges::any_of(networks(), [this](const auto& network) { return network.contains(address_); });
        return {.listener = parties.listener,
                .hostname = now_.hostname,
                .client_address = address_,
                .client_network = network_,
                .client_tls = parties.tls,
                .login = parties.login,
                .stranger = role() == Role::mx && parties.login.empty() && !ours,
                .helo = parties.helo,
                .sender = sender_ ? &*sender_ : nullptr,
                .recipient_count = accepted_.size(),
                .recipients = [this] { return accepted_; },
                .size = parties.size,
                .countries = now_.countries,
                .local_time = [this] { return now_.local(past_.at); }};
    }

    /// Up to MAIL. Nothing: it got so far.
    Result<std::optional<Fate>> run_to_mail() {
        const auto last = memory_.refused_at({});
        for (const auto stage : {Stage::connect, Stage::helo, Stage::auth, Stage::mail}) {
            if (stage == Stage::auth && past_.parties.login.empty()) continue;
            if (stage == Stage::helo && past_.parties.helo.empty()) break;
            if (stage == Stage::mail) {
                if (last && *last < Stage::mail) break;  // nobody knows whom it would have been from
                auto refused = check_sender();
                if (!refused || *refused) return refused;
            }
            auto fate = run_stage(stage, situation(), {});
            if (!fate) return base::pass_on(fate);
            if (refuses(fate->action)) return *fate;
            file(so_far_, fate->action, fate->rule, fate->stage);
        }
        return std::nullopt;
    }

    Result<std::optional<Fate>> check_sender() {
        const auto facts = built_in_facts();
        bool owns = false;
        if (!facts.login.empty() && sender_) {
            auto owned = directory_.owns(facts.login, *sender_);
            if (!owned) return base::pass_on(owned);
            owns = *owned;
        }
        const auto decision = decide_sender(facts, {sender_}, owns, now_.senders);
        if (decision.kind == Kind::accept) return std::nullopt;
        return Fate{decision.kind == Kind::defer ? Action::defer : Action::reject, decision.rule, Stage::mail};
    }

    Result<Fate> run_recipient(const std::string& address) {
        for (const auto* decided : memory_.said(Stage::rcpt, address)) {
            if (decided->rule != "forwarding.srs") continue;  // no recipient but a way back, which is no rule's business
            const auto action = action_of(*decided);
            return refuses(action) ? Fate{action, decided->rule, Stage::rcpt} : so_far_;
        }
        const auto mailbox = mail::parse_mailbox(address, mail::Charset::utf8);
        if (!mailbox) return Fate{};
        auto resolution = directory_.resolve(*mailbox);
        if (!resolution) return base::pass_on(resolution);
        const bool relayed = std::ranges::find(now_.relay_domains, mailbox->domain.text()) != now_.relay_domains.end();
        const auto decision = decide_recipient(built_in_facts(), *resolution, relayed, networks());
        if (decision.kind != Kind::accept)
            return refused_by_others(Stage::rcpt, address)
                .value_or(Fate{decision.kind == Kind::defer ? Action::defer : Action::reject, decision.rule, Stage::rcpt});
        auto now = situation();
        now.recipient = &*mailbox;
        now.recipient_kind = recipient_kind(*resolution, relayed);
        auto fate = run_stage(Stage::rcpt, now, address);
        if (!fate) return fate;
        auto joined = so_far_;
        join(joined, *fate);
        return joined;
    }

    /// Who is no rule, and whose decisions are not made anew.
    [[nodiscard]] std::optional<Fate> refused_by_others(Stage stage, const std::string& recipient) const {
        for (const auto* decided : memory_.said(stage, recipient))
            if (const auto action = action_of(*decided); refuses(action) && !is_replayed(*decided, stage))
                return Fate{action, decided->rule, stage};
        return std::nullopt;
    }

    /// What becomes of all recipients that were accepted.
    Result<Fate> run_content() {
        auto fate = run_stage(Stage::data, situation(), {});
        if (!fate || refuses(fate->action) || !memory_.came_to(Stage::content)) return fate;
        if (auto refused = refused_by_others(Stage::content, {})) return *std::move(refused);  // filters come first
        const auto authenticated = decide_authentication();
        if (refuses(authenticated.action)) return authenticated;
        join(*fate, authenticated);
        auto ruled = run_stage(Stage::content, situation(), {});
        if (!ruled) return ruled;
        join(*fate, *ruled);
        return fate;
    }

    /// By what is kept of the findings; as it was then if the configuration says the same.
    Fate decide_authentication() {
        Fate stood;
        std::string rule;
        for (const auto* decided : memory_.said(Stage::content, {}))
            if (decided->rule.starts_with(kAuthentication) && decided->rule != "authentication-required") {
                rule = decided->rule;
                stood = {action_of(*decided), decided->rule, Stage::content};
            }
        if (now_.authentication == then_.authentication || rule.empty()) return stood;
        const auto result = by_name(memory_.text("dmarc"), mailauth::dmarc_result_name, mailauth::DmarcResult::permerror);
        const bool by_seal = now_.authentication.trusted_sealers != then_.authentication.trusted_sealers && memory_.text("arc") == "pass";
        if (!result || by_seal || rule == "authentication.trusted_sealers" || rule == "authentication.no_author") {
            result_.unjudged.insert("[authentication] hangs on what is not kept");
            return stood;
        }
        mailauth::Findings findings;
        findings.dmarc.result = *result;
        findings.dmarc.policy = by_name(memory_.text("dmarc.policy"), mailauth::dmarc_policy_name, mailauth::DmarcPolicy::reject)
                                    .value_or(mailauth::DmarcPolicy::none);
        findings.dmarc.disposition = findings.dmarc.policy;
        findings.origin.mail_from.result =
            by_name(memory_.text("spf"), mailauth::spf_result_name, mailauth::SpfResult::permerror).value_or(mailauth::SpfResult::none);
        const auto decided = decide_content(findings, now_.authentication);
        if (decided.decision.kind != Kind::accept)
            return {decided.decision.kind == Kind::defer ? Action::defer : Action::reject, decided.decision.rule, Stage::content};
        const auto action = decided.filing == Filing::hold ? Action::hold : decided.filing == Filing::junk ? Action::junk : Action::accept;
        return {action, decided.decision.rule, Stage::content};
    }

    /// The rules of a stage, and what others said at it then.
    Result<Fate> run_stage(Stage stage, const Situation& now, const std::string& recipient) {
        FactSheet facts(now_.rulebook.rules.facts().size());
        Walk walk(now_.rulebook.rules, stage, facts, marks_);
        while (!walk.done()) {
            if (const auto* rule = walk.asking()) {
                walk.answer(remembered_advice(*rule, stage, recipient));
                continue;
            }
            const std::vector<std::size_t> wanted(walk.wanted().begin(), walk.wanted().end());
            auto found = find_out(wanted, facts, now, recipient);
            if (!found) return base::pass_on(found);
            if (*found) continue;
            if (const auto& when = walk.at_hand().when; !when || !wants(*when, facts))
                for (const auto fact : wanted) facts.set(fact, Unavailable{"it is not kept"});  // only the words hang on it
            else
                walk.decree(remembered_truth(walk.at_hand(), stage, recipient, wanted));
        }
        const auto ruling = walk.take();
        Fate fate;
        if (const auto* decider = ruling.decider(); decider && decider->action() != Action::accept)
            fate = {decider->action(), decider->rule->said.name, stage};
        if (refuses(fate.action)) return fate;
        for (const auto* decided : memory_.said(stage, recipient)) {
            if (is_replayed(*decided, stage)) continue;
            const auto action = action_of(*decided);
            if (refuses(action)) return Fate{action, decided->rule, stage};
            file(fate, action, decided->rule, stage);
        }
        return fate;
    }

    static bool wants(const Condition& when, const FactSheet& facts) {
        Reading reading;
        return when.evaluate(facts, reading) == Truth::wanted;
    }

    /// False: nothing of it is kept.
    Result<bool> find_out(const std::vector<std::size_t>& wanted, FactSheet& facts, const Situation& now, const std::string& recipient) {
        bool found = false;
        for (const auto fact : wanted) {
            auto value = recall(now_.rulebook.rules.facts()[fact], now, recipient);
            if (!value) return base::pass_on(value);
            if (!*value) continue;
            facts.set(fact, **std::move(value));
            found = true;
        }
        return found;
    }

    Result<std::optional<FactValue>> recall(const Fact& fact, const Situation& now, const std::string& recipient) {
        if (auto kept = memory_.fact(fact.name, recipient)) return kept;
        const auto& kind = *fact.kind;
        if (kind.name == "sender.ours") return recall_ours(domain_of(past_.parties.sender));
        if (kind.name == "author.ours" && memory_.fact("author.domain", {})) return recall_ours(memory_.text("author.domain"));
        if (asks_next_hop(fact) && now.recipient_kind != "relayed" && now.recipient_kind != "foreign")
            return now.recipient_kind != "unknown";
        if (kind.name == "client.name" && !past_.parties.client_name.empty()) return past_.parties.client_name;
        if (kind.name == "listener.port") return std::nullopt;
        const bool checked = memory_.fact("dmarc", {}).has_value();
        if (is_finding(kind) && !checked) return fact_of(fact, now);  // it was not: unavailable
        const bool of_content = kind.since == Stage::content && kind.name != "recipients";
        if (kind.looked_up || of_content) return std::nullopt;
        return fact_of(fact, now);
    }

    Result<std::optional<FactValue>> recall_ours(const std::string& domain) {
        const auto parsed = mail::parse_domain(domain, mail::Charset::utf8);
        if (!parsed) return false;
        auto ours = directory_.is_local_domain(*parsed);
        if (!ours) return base::pass_on(ours);
        return *ours;
    }

    static std::string domain_of(const std::string& address) {
        const auto at = address.rfind('@');
        return at == std::string::npos ? std::string() : address.substr(at + 1);
    }

    /// Whether this is a decision that the replay makes itself.
    [[nodiscard]] bool is_replayed(const trace::Decided& decided, Stage stage) const {
        return is_built_in(decided.rule) || (stage == Stage::content && decided.rule.starts_with(kAuthentication)) ||
               find_rule(then_.rulebook.rules, stage, decided.rule);
    }

    /// The same rule of then, if it was come to.
    [[nodiscard]] const Rule* find_reached(const Rule& rule, Stage stage, const std::string& recipient) const {
        const auto* same = find_rule(then_.rulebook.rules, stage, rule.said.name);
        if (!same || same->said.when != rule.said.when || same->said.ask != rule.said.ask || same->said.tell != rule.said.tell)
            return nullptr;
        const auto refused = memory_.refused_at(recipient);
        if (refused && *refused < stage) return nullptr;
        for (const auto* decided : memory_.said(stage, recipient)) {
            const auto action = action_of(*decided);
            const auto* decider = find_rule(then_.rulebook.rules, stage, decided->rule);
            if (!decider && refuses(action)) return nullptr;  // by somebody else, before the rules or behind them
            if (decider && action != Action::none && decider->place < same->place) return nullptr;
        }
        return same;
    }

    [[nodiscard]] const trace::Decided* find_said(const Rule& rule, Stage stage, const std::string& recipient) const {
        for (const auto* decided : memory_.said(stage, recipient))
            if (decided->rule == rule.said.name) return decided;
        return nullptr;
    }

    bool remembered_truth(const Rule& rule, Stage stage, const std::string& recipient, const std::vector<std::size_t>& wanted) {
        if (find_reached(rule, stage, recipient)) return find_said(rule, stage, recipient) != nullptr;
        std::vector<std::string> names;
        for (const auto fact : wanted) names.push_back(now_.rulebook.rules.facts()[fact].name);
        result_.unjudged.insert(fmt::format("rule {} ({}) asks for {}", rule.said.name, rule.said.origin, fmt::join(names, ", ")));
        return false;
    }

    Advice remembered_advice(const Rule& rule, Stage stage, const std::string& recipient) {
        const auto* said = find_reached(rule, stage, recipient) ? find_said(rule, stage, recipient) : nullptr;
        if (!said) result_.unjudged.insert(fmt::format("rule {} ({}) asks {}", rule.said.name, rule.said.origin, rule.said.ask));
        return said ? advice_kept(*said, recipient) : Advice{};
    }

    const PastMessage& past_;
    Remembered memory_;
    const ReplayedConfiguration& then_;
    const ReplayedConfiguration& now_;
    directory::Directory& directory_;
    std::string address_;
    std::string network_;
    std::optional<mail::Mailbox> sender_;
    Marks marks_;
    Fate so_far_;  // what MAIL's rules made of it
    Texts accepted_;
    Comparison result_;
};

}  // namespace

base::Result<Comparison> Replay::compare(const PastMessage& past) { return Rerun(past, then_, now_, directory_).run(); }

}  // namespace thurn::policy
