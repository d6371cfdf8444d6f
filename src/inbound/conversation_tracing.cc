// What the trace tells of a message on its way in, and of what was refused before there was one.
#include "inbound/conversation.h"
#include "policy/fact_text.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include <fmt/format.h>

namespace thurn::inbound {

using policy::Stage;

namespace {

/// What mail authentication finds without being asked.
constexpr std::array<std::string_view, 4> kFoundAnyway{"arc", "dkim", "dmarc", "dmarc.policy"};

/// Refusals cost who causes them nothing: without a bound they would push the stories of mail out of the trace. The log has them all.
constexpr std::string_view kTracedRefusals = "traced refusals";  // no rate of the configuration is called so
constexpr policy::Limit kRefusalsInTrace{.amount = 5000, .period = std::chrono::seconds(250)};

bool refuses(const trace::Decided& decided) {
    return decided.decision == "reject" || decided.decision == "defer" || decided.decision == "disconnect";
}

/// A rule's decision is told with what it went by; of RCPT, about that recipient.
bool has_told(const std::vector<trace::Decided>& decisions, const trace::Decided& decided) {
    if (decisions.empty() || !refuses(decisions.back())) return false;
    const auto& last = decisions.back();
    return last.stage == decided.stage && last.rule == decided.rule && (last.stage != "rcpt" || last.subject == decided.subject);
}

/// What cannot be told from who sent what to whom, and is none of the content.
bool is_kept(const policy::FactKind& kind) {
    const bool of_files = kind.name.starts_with("attachment.") || kind.name.starts_with("archive.");
    if (of_files) return kind.type == policy::FactType::number;  // not their names
    return (kind.looked_up && !kind.is_content) || kind.name == "author";
}

}  // namespace

/// About the recipient at hand: the next one's are others.
void Conversation::note_found(Transaction& transaction, const std::string& recipient) {
    const auto& all = options_->rulebook->rules.facts();
    std::vector<std::string> facts;
    for (std::size_t fact = 0; fact < all.size(); ++fact)
        if (is_kept(*all[fact].kind) && all[fact].kind->until == Stage::rcpt && facts_.knows(fact))
            facts.push_back(policy::write_fact(all[fact].name, facts_[fact]));
    if (!facts.empty()) transaction.found.push_back({recipient, std::move(facts)});
}

std::vector<std::string> Conversation::facts_found(const Transaction& transaction) const {
    const auto& all = options_->rulebook->rules.facts();
    std::vector<std::string> facts;
    bool spf = false;
    for (std::size_t fact = 0; fact < std::min(all.size(), facts_.size()); ++fact) {
        const auto& kind = *all[fact].kind;
        if (!is_kept(kind) || kind.until != Stage::content || !facts_.knows(fact)) continue;
        facts.push_back(policy::write_fact(all[fact].name, facts_[fact]));
        spf = spf || kind.name == "spf";
    }
    if (!transaction.checked) return facts;
    const auto now = situation(transaction);
    for (const auto name : kFoundAnyway)
        facts.push_back(policy::write_fact(name, policy::fact_of({policy::find_fact_kind(name), {}}, now)));
    facts.push_back(policy::write_fact("author.domain", transaction.checked->signatures.author.domain));
    const auto& found = transaction.checked->origin.mail_from.result;
    if (!spf) facts.push_back(policy::write_fact("spf", std::string(mailauth::spf_result_name(found))));
    return facts;
}

/// Before there is a transaction, the refusal is a story of its own.
void Conversation::note_refusal(std::string_view what, const std::string& subject, const policy::Decision& decision) {
    Transaction none;
    if (transaction_.id.value == 0) {
        none.id = with_.ids.next();
        none.decisions = so_far_.decisions;
    }
    auto& decisions = transaction_.id.value == 0 ? none.decisions : transaction_.decisions;
    trace::Decided decided{std::string(what), subject, decision.kind == policy::Decision::Kind::defer ? "defer" : "reject", decision.rule,
                           decision.reason};
    if (!has_told(decisions, decided)) decisions.push_back(std::move(decided));
    trace_refused(none);
}

/// Whom RCPT named, in vain too.
trace::Parties Conversation::parties(const Transaction& transaction, base::Octets size) const {
    trace::Parties parties{.listener = client_.listener,
                           .client = fmt::format("{}:{}", client_.address, client_.port),
                           .client_name = client_.name,
                           .helo = client_.helo.empty() ? helo_ : client_.helo,
                           .tls = client_.tls,
                           .login = client_.login,
                           .sender = mail::render_path(transaction.sender),
                           .size = size.count};
    for (const auto& recipient : transaction.recipients) parties.recipients.push_back(mail::render_mailbox(recipient.mailbox));
    return parties;
}

void Conversation::trace_steps(const Transaction& transaction, base::Time at) {
    if (!through_.empty()) with_.journal.append({transaction.id, at, trace::Noted{"came through", through_}});
    if (!transaction.forwarded.empty())
        with_.journal.append({transaction.id, at, trace::Noted{"forwarded for", describe_origin(transaction.forwarded)}});
    for (const auto& decided : transaction.decisions) with_.journal.append({transaction.id, at, decided});
    for (const auto& line : transaction.findings) with_.journal.append({transaction.id, at, trace::Noted{line.what, line.detail}});
    for (const auto& found : transaction.found) with_.journal.append({transaction.id, at, found});
    if (auto facts = facts_found(transaction); !facts.empty())
        with_.journal.append({transaction.id, at, trace::Found{{}, std::move(facts)}});
}

void Conversation::trace_accepted(Transaction& transaction, base::Octets size) {
    const auto now = with_.clock.now();
    transaction.traced = true;
    with_.journal.append({transaction.id, now, trace::Accepted{parties(transaction, size)}});
    trace_steps(transaction, now);
}

/// Nothing where nothing was refused, or its story has been told.
void Conversation::trace_refused(Transaction& transaction) {
    if (transaction.traced || std::ranges::none_of(transaction.decisions, refuses)) return;
    const auto now = with_.clock.now();
    transaction.traced = true;
    const auto steps = std::min(1 + static_cast<double>(transaction.decisions.size() + transaction.found.size()), kRefusalsInTrace.amount);
    if (with_.buckets && !with_.buckets->take(kTracedRefusals, {}, steps, kRefusalsInTrace, now).room) return;
    trace::Refused refused{parties(transaction, transaction.draft ? transaction.draft->size() : base::Octets{transaction.declared_size})};
    std::set<std::string_view> told;
    for (const auto& decided : transaction.decisions)
        if (decided.stage == "rcpt" && refuses(decided) && told.insert(decided.subject).second)
            refused.recipients.push_back(decided.subject);
    with_.journal.append({transaction.id, now, std::move(refused)});
    trace_steps(transaction, now);
}

}  // namespace thurn::inbound
