// The configuration's rules: at each stage the facts that they ask for are found out, and what they decide is done.
#include "inbound/conversation.h"
#include "inbound/fact_search.h"

#include <algorithm>
#include <array>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace thurn::inbound {

using net::asio::awaitable;
using policy::Action;
using policy::Stage;

namespace {

policy::Filing filing_of(Action action) {
    if (action == Action::hold) return policy::Filing::hold;
    return action == Action::junk ? policy::Filing::junk : policy::Filing::inbox;
}

bool asks_content(const policy::Fact& fact) { return policy::content_source(fact) != policy::ContentSource::none; }

bool asks_dns(const policy::Fact& fact) {
    return !policy::asks_directory(fact) && !policy::asks_next_hop(fact) && !policy::asks_greylist(fact) && !asks_content(fact);
}

policy::Texts recipients_of(const Transaction& transaction) {
    policy::Texts all;
    for (const auto& recipient : transaction.recipients) all.push_back(mail::render_mailbox(recipient.mailbox));
    return all;
}

}  // namespace

policy::Situation Conversation::situation(const Transaction& transaction) const {
    return {.listener = client_.listener,
            .listener_port = stream_.local().port(),
            .hostname = options_->session.hostname,
            .client_address = client_.address,
            .client_network = client_.network,
            .client_tls = client_.tls,
            .login = client_.login,
            .stranger = is_stranger(),
            .helo = client_.helo.empty() ? std::string_view(helo_) : client_.helo,
            .sender = transaction.sender.is_null() ? nullptr : &*transaction.sender.mailbox,
            .recipient_count = transaction.recipients.size(),
            .recipients = [&transaction] { return recipients_of(transaction); },
            .size = transaction.draft ? transaction.draft->size().count : transaction.declared_size,
            .header = transaction.header,
            .findings = transaction.checked ? &*transaction.checked : nullptr,
            .countries = options_->countries.get(),
            .local_time = [this] { return with_.clock.local(with_.clock.now()); }};
}

/// Whether a rule or a rate has a say at the stage.
bool Conversation::is_ruled(Stage stage) const {
    if (!options_->rulebook->rules.at(stage).empty()) return true;
    using enum policy::Counted;
    const auto& rates = options_->rulebook->rates;
    return std::ranges::any_of(std::array{connections, messages, recipients, octets},
                               [&](auto what) { return policy::stage_of(what) == stage && rates.counts(what); });
}

/// What was known of another command is not known of this one; what was looked up about the client itself stays. Called with each command,
/// whether a rule of its own stage asks or only one of a later stage.
void Conversation::forget_facts(Stage stage) {
    const auto& all = options_->rulebook->rules.facts();
    if (facts_.size() != all.size()) facts_ = policy::FactSheet(all.size());
    for (std::size_t fact = 0; fact < all.size(); ++fact)
        if (!all[fact].kind->looked_up || policy::known_since(all[fact], options_->rulebook->lists) >= stage) facts_.forget(fact);
}

/// Of what is wanted, what is known at once; only when there is nothing of that kind, others are asked. So nobody is asked about a client
/// that the rule's other conditions let pass.
awaitable<void> Conversation::async_gather(std::vector<std::size_t> wanted, Transaction& transaction, const policy::Situation& now) {
    const auto& all = options_->rulebook->rules.facts();
    const auto known_at_once = [&](std::size_t fact) { return !all[fact].kind->looked_up; };
    if (std::ranges::any_of(wanted, known_at_once)) {
        for (const auto fact : wanted)
            if (known_at_once(fact)) facts_.set(fact, policy::fact_of(all[fact], now));
        co_return;
    }
    std::vector<policy::Fact> facts;
    for (const auto fact : wanted) facts.push_back(all[fact]);
    auto values = co_await async_look_up(std::move(facts), transaction, now);
    for (std::size_t i = 0; i < wanted.size(); ++i) facts_.set(wanted[i], std::move(values[i]));
}

/// DNS is asked first, and answers while the others are waited for. What the stage has waited for them it cannot wait again; who looks at
/// content has limits of its own.
awaitable<std::vector<policy::FactValue>> Conversation::async_look_up(std::vector<policy::Fact> facts, Transaction& transaction,
                                                                      const policy::Situation& now) {
    std::vector<std::unique_ptr<policy::Lookup>> lookups;
    for (const auto& fact : facts)
        if (asks_dns(fact)) lookups.push_back(policy::begin_lookup(fact, now.subject(), options_->rulebook->lists));
    auto waiting_since = std::chrono::steady_clock::now();
    const auto deadline = waiting_since + patience_;
    FactSearch search(stream_.executor(), with_.resolver, std::move(lookups));
    std::vector<policy::FactValue> values(facts.size());
    for (std::size_t i = 0; i < facts.size(); ++i) {
        if (asks_dns(facts[i])) continue;
        values[i] = co_await async_ask_other(facts[i], transaction, now, deadline);
        if (asks_content(facts[i])) waiting_since = std::chrono::steady_clock::now();
    }
    auto found = co_await search.async_finish(deadline);
    report_refusals();
    for (std::size_t i = 0, next = 0; i < facts.size(); ++i)
        if (asks_dns(facts[i])) values[i] = std::move(found[next++]);
    patience_ -= std::min(patience_, std::chrono::steady_clock::now() - waiting_since);
    co_return values;
}

/// Of lists: until their next test nobody is judged by them.
void Conversation::report_refusals() const {
    for (const auto& list : options_->rulebook->lists.all())
        if (const auto why = list->take_refusal()) with_.log.warning("dnsbl_out_of_order", {{"list", list->said().name}, {"reason", *why}});
}

awaitable<policy::FactValue> Conversation::async_ask_next_hop(const policy::Situation& now, net::Deadline deadline) {
    if (now.recipient_kind == "unknown") co_return false;
    if (now.recipient_kind == "account" || now.recipient_kind == "alias") co_return true;
    if (now.recipient_kind != "relayed" || !with_.ask_next_hop) co_return policy::Unavailable{"nobody is asked about other domains"};
    const auto left = std::chrono::ceil<std::chrono::seconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) co_return policy::Unavailable{"there was no time left to ask"};
    const auto exists = co_await with_.ask_next_hop(*now.recipient, left);
    if (!exists) co_return policy::Unavailable{exists.error().detail};
    co_return *exists;
}

/// What takes no DNS.
awaitable<policy::FactValue> Conversation::async_ask_other(const policy::Fact& fact, Transaction& transaction, const policy::Situation& now,
                                                           net::Deadline deadline) {
    if (policy::asks_directory(fact)) co_return co_await async_ask_directory(policy::domain_asked(fact, now));
    if (policy::asks_next_hop(fact)) co_return co_await async_ask_next_hop(now, deadline);
    if (policy::asks_greylist(fact)) co_return greylisted(now);
    co_return co_await async_look_inside(fact, transaction);
}

policy::FactValue Conversation::greylisted(const policy::Situation& now) {
    if (!with_.greylist) return policy::Unavailable{"there is no greylisting here"};
    return with_.greylist->judge(policy::triplet_of(now), options_->rulebook->greylist, with_.clock.now()).wait();
}

awaitable<policy::FactValue> Conversation::async_ask_directory(std::string domain) {
    const auto parsed = mail::parse_domain(domain, mail::Charset::utf8);
    if (!parsed) co_return false;
    const auto ours = co_await with_.pool.async_run([this, &parsed] { return with_.directory.is_local_domain(*parsed); });
    if (!ours) co_return policy::Unavailable{ours.error().detail};
    co_return *ours;
}

/// Marks and traces of stages before MAIL belong to all messages of the connection.
awaitable<policy::Ruling> Conversation::async_rule(Stage stage, Transaction& transaction, const policy::Situation& now) {
    const auto& rules = options_->rulebook->rules;
    if (rules.at(stage).empty()) co_return policy::Ruling{};
    forget_facts(stage);
    patience_ = options_->rulebook->time_limit;
    const bool of_message = stage >= Stage::mail;
    auto& marks = of_message ? transaction.marks : so_far_.marks;
    policy::Walk walk(rules, stage, facts_, marks);
    while (!walk.done()) {
        if (const auto* rule = walk.asking())
            walk.answer(co_await async_ask(*rule, transaction, now, marks));
        else
            co_await async_gather({walk.wanted().begin(), walk.wanted().end()}, transaction, now);
    }
    auto ruling = walk.take();
    const auto subject = stage == Stage::rcpt ? mail::render_mailbox(*now.recipient) : std::string();
    if (stage == Stage::rcpt) note_found(transaction, subject);
    for (const auto& applied : ruling.applied) {
        const auto& said = applied.rule->said;
        const auto reason = policy::reason_of(applied, ruling);
        log_.info("rule", {.id = transaction.id,
                           .stage = name_of(stage),
                           .subject = subject,
                           .rule = said.name,
                           .result = name_of(applied.action()),
                           .reason = reason});
        if (said.alarm)
            raise(policy::AlarmKind::rule, said.name + ": " + who(),
                  {.id = transaction.id, .stage = name_of(stage), .subject = subject, .rule = said.name, .reason = reason});
        auto& decisions = of_message ? transaction.decisions : so_far_.decisions;
        decisions.push_back(
            {std::string(name_of(stage)), subject, std::string(name_of(applied.action())), said.name, reason, policy::marks_of(applied)});
        if (said.delay.count() > 0) co_await async_pause(said.delay);
    }
    co_return ruling;
}

/// The client waits; the loop does not.
awaitable<void> Conversation::async_pause(std::chrono::milliseconds delay) {
    net::asio::steady_timer pause(stream_.executor(), delay);
    held_back_ = &pause;
    co_await pause.async_wait(net::asio::as_tuple(net::asio::use_awaitable));
    held_back_ = nullptr;
}

/// What the decision is, where it is one to say no by.
std::optional<policy::Decision> Conversation::refusal_of(const policy::Ruling& ruling, Stage stage) const {
    const auto* decider = ruling.decider();
    if (!decider) return std::nullopt;
    const auto action = decider->action();
    if (action != Action::reject && action != Action::defer && action != Action::disconnect) return std::nullopt;
    auto decision = policy::decision_of(*decider, stage, facts_);
    decision.reason = policy::reason_of(*decider, ruling);
    return decision;
}

/// A later rule may send a message further away from its readers, never nearer.
void Conversation::file(Transaction& transaction, const policy::Ruling& ruling) {
    const auto* decider = ruling.decider();
    if (!decider) return;
    const auto action = decider->action();
    if (action == Action::discard) transaction.discarded_by = decider->rule->said.name;
    const auto filing = filing_of(action);
    if (filing <= transaction.filing) return;
    transaction.filing = filing;
    transaction.filed_because = decider->rule->said.name + ": " + policy::reason_of(*decider, ruling);
}

/// Whose doing it is, as far as one can tell.
const std::string& Conversation::who() const { return client_.login.empty() ? client_.network : client_.login; }

void Conversation::note_excess(const policy::Excess& excess, Stage stage, const mail::Mailbox* recipient, Transaction& transaction) {
    const auto& rate = *excess.rate;
    const auto reason = excess.reason();
    const Note note{.id = transaction.id, .stage = name_of(stage), .rule = rate.name, .result = name_of(rate.action), .reason = reason};
    log_.info("rate_exceeded", note);
    if (excess.alarm) raise(policy::AlarmKind::rate, rate.name + ": " + who(), note);
    const auto subject = recipient ? mail::render_mailbox(*recipient) : std::string();
    transaction.decisions.push_back({std::string(name_of(stage)), subject, std::string(name_of(rate.action)), rate.name, reason});
}

std::optional<policy::Decision> Conversation::count(policy::Counted what, double amount, Transaction& transaction,
                                                    const policy::Situation& now) {
    if (!with_.buckets) return std::nullopt;
    const auto excesses = options_->rulebook->rates.take(what, amount, now, *with_.buckets, with_.clock.now());
    const auto stage = policy::stage_of(what);
    for (const auto& excess : excesses) note_excess(excess, stage, stage == Stage::rcpt ? now.recipient : nullptr, transaction);
    if (const auto* refusing = policy::refusing(excesses)) return refusing->decision();
    for (const auto& excess : excesses) {
        if (excess.rate->action != Action::hold) continue;
        transaction.filing = policy::Filing::hold;
        transaction.filed_because = excess.rate->name + ": " + excess.reason();
    }
    return std::nullopt;
}

/// A recipient of ours that nobody is: whoever tries too many is guessing.
std::optional<policy::Decision> Conversation::count_unknown(const mail::Mailbox& mailbox) {
    using enum policy::Counted;
    const auto& rates = options_->rulebook->rates;
    if (!with_.buckets || !rates.counts(unknown_recipients)) return std::nullopt;
    auto now = situation(transaction_);
    now.recipient = &mailbox;
    now.recipient_kind = "unknown";
    return count(unknown_recipients, 1, transaction_, now);
}

awaitable<std::optional<policy::Decision>> Conversation::async_rule_connection() {
    Transaction none;
    if (options_->rulebook->rates.counts(policy::Counted::connections))
        if (auto excess = count(policy::Counted::connections, 1, none, situation(none))) {
            note_refusal("connect", "", *excess);
            co_return excess;
        }
    const auto ruling = co_await async_rule(Stage::connect, none, situation(none));
    at_connect_ = so_far_;
    auto refusal = refusal_of(ruling, Stage::connect);
    if (refusal) {
        log_.info("refused", {.stage = "connect", .rule = refusal->rule, .reason = refusal->text});
        note_refusal("connect", "", *refusal);
    }
    co_return refusal;
}

awaitable<bool> Conversation::async_pass_connection() {
    const auto refusal = co_await async_rule_connection();
    if (!refusal) co_return true;
    session_.greet_with_refusal(smtp::make_reply(refusal->code, refusal->status, refusal->text));
    co_await async_flush();
    co_return false;
}

/// The transaction in which it may be said knows nothing of it until it is accepted, and goes on when it is refused (RFC 5321 §4.1.4).
awaitable<void> Conversation::async_take_hello(std::string name) {
    forget_facts(Stage::helo);
    const auto before = so_far_;
    const auto last = std::exchange(helo_, std::move(name));
    so_far_ = at_connect_;  // a client may say hello again, and does after STARTTLS
    Transaction none;
    const auto ruling = co_await async_rule(Stage::helo, none, situation(none));
    const auto refusal = refusal_of(ruling, Stage::helo);
    if (!refusal) {
        if (!session_.in_transaction()) close_transaction();  // of one that is open the session tells the end
        session_.accept();
        co_return;
    }
    auto open = std::exchange(transaction_, {});  // whose trace it is not
    refuse("helo", helo_, *refusal);
    transaction_ = std::move(open);
    forget_facts(Stage::helo);  // of this one
    so_far_ = before;
    if (!last.empty()) helo_ = last;
}

/// The password was right; whether that is enough, the rules say.
awaitable<void> Conversation::async_take_login() {
    const auto before = so_far_;
    const auto ruling = co_await async_rule(Stage::auth, transaction_, situation(transaction_));
    const auto refusal = refusal_of(ruling, Stage::auth);
    if (!refusal) {
        count_right_login(client_.login);
        session_.accept();
        co_return;
    }
    refuse("auth", client_.login, *refusal);
    so_far_ = before;  // another login is another matter
    client_.login.clear();
    client_.mechanism.clear();
}

/// MAIL, and when all recipients are known. False: refused, and answered.
awaitable<bool> Conversation::async_pass_message(Stage stage) {
    const auto ruling = co_await async_rule(stage, transaction_, situation(transaction_));
    file(transaction_, ruling);
    auto refusal = refusal_of(ruling, stage);
    if (!refusal && stage == Stage::data && options_->rulebook->rates.counts(policy::Counted::messages))
        refusal = count(policy::Counted::messages, 1, transaction_, situation(transaction_));
    if (refusal)
        refuse(name_of(stage), mail::render_path(transaction_.sender), *refusal);
    else
        note_copies(transaction_, ruling);
    co_return !refusal;
}

/// RCPT: false when it was refused; `redirected` is whom it goes to instead.
awaitable<bool> Conversation::async_pass_recipient(const mail::Mailbox& mailbox, const directory::Resolution& resolution,
                                                   std::optional<mail::Mailbox>& redirected) {
    auto now = situation(transaction_);
    now.recipient = &mailbox;
    now.recipient_kind = policy::recipient_kind(resolution, relayed(mailbox.domain));
    const auto& rules = options_->rulebook->rules;
    const auto ruling = rules.at(Stage::rcpt).empty() ? policy::Ruling() : co_await async_rule(Stage::rcpt, transaction_, now);
    file(transaction_, ruling);
    auto refusal = refusal_of(ruling, Stage::rcpt);
    if (!refusal) refusal = count(policy::Counted::recipients, 1, transaction_, now);
    if (refusal) {
        refuse("rcpt", mail::render_mailbox(mailbox), *refusal);
        co_return false;
    }
    note_copies(transaction_, ruling);
    if (const auto* decider = ruling.decider(); decider && decider->action() == Action::redirect)
        redirected = *mail::parse_mailbox(decider->to(), mail::Charset::utf8);
    co_return true;
}

/// When the content is there and was checked. False: refused, and answered.
awaitable<bool> Conversation::async_pass_content(Transaction& transaction) {
    const auto ruling = co_await async_rule(Stage::content, transaction, situation(transaction));
    file(transaction, ruling);
    auto refusal = refusal_of(ruling, Stage::content);
    if (!refusal && options_->rulebook->rates.counts(policy::Counted::octets)) {
        const auto now = situation(transaction);
        refusal = count(policy::Counted::octets, static_cast<double>(now.size), transaction, now);
    }
    if (refusal)
        refuse_content(transaction, *refusal);
    else
        note_copies(transaction, ruling);
    co_return !refusal;
}

}  // namespace thurn::inbound
