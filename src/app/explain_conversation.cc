#include "app/explain_conversation.h"

#include "app/system.h"
#include "inbound/client_network.h"
#include "mail/date.h"
#include "mail/header.h"
#include "policy/login_rule.h"
#include "policy/sender_rule.h"

#include <algorithm>

#include <fmt/format.h>

namespace thurn::app {

using policy::Counted;
using policy::Decision;
using policy::Stage;

namespace {

std::string_view name_of(policy::AccountRules::Deed deed) {
    using enum policy::AccountRules::Deed;
    return deed == hold ? "hold" : deed == suspend ? "suspend" : "none";
}

/// What the watch over accounts makes of one more message.
DecisionTold tell_verdict(const policy::AccountBaseline::Verdict& verdict) {
    DecisionTold told{
        .decision = {.kind = Decision::Kind::accept, .rule = "account_watch", .reason = "as usual", .status = {}, .text = {}}};
    auto& reason = told.decision.reason;
    if (verdict.jump) {
        using enum policy::AccountRules::Deed;
        reason = fmt::format("{} ({})", verdict.jump->reason(), name_of(verdict.deed));
        if (verdict.deed == throttle) told.decision = policy::throttle_account(verdict.jump->reason());
        if (verdict.deed == hold || verdict.deed == suspend) told.filing = policy::Filing::hold;
    }
    if (verdict.new_country && verdict.new_country != verdict.jump) reason += "; " + verdict.new_country->reason();
    return told;
}

}  // namespace

ConversationExplanation::ConversationExplanation(ExplainedMessage about, Means with)
    : about_(std::move(about)),
      with_(std::move(with)),
      listener_(about_.listener.name()),
      address_(dns::render_ip(about_.origin.client)),
      network_(inbound::client_network(address_)),
      rules_(*with_.config.rulebook, with_.config.scripts, with_.resolver,
             {.directory = with_.directory,
              .greylist = [this](const policy::Situation& now) { return ask_greylist(now); },
              .content = [this](const policy::Fact& fact) { return look_inside(fact); }},
             story_) {}

bool ConversationExplanation::is_ours() const { return about_.listener.relay && inbound::is_among(with_.config.relay_networks, address_); }

policy::Situation ConversationExplanation::situation() const {
    const auto& config = with_.config;
    policy::Situation now{.listener = listener_,
                          .listener_port = about_.port,
                          .hostname = config.hostname,
                          .client_address = address_,
                          .client_network = network_,
                          .login = about_.login,
                          .stranger = role() == policy::Role::mx && about_.login.empty() && !is_ours(),
                          .helo = about_.origin.helo,
                          .sender = about_.sender ? &*about_.sender : nullptr,
                          .size = about_.message ? about_.message->octets.size() : 0,
                          .countries = about_.countries,
                          .local_time = [at = about_.origin.now] { return SystemClock().local(at); }};
    if (accepted_recipient_) {
        now.recipient_count = 1;
        now.recipients = [this] { return policy::Texts{mail::render_mailbox(*about_.recipient)}; };
    }
    if (has_content_) {
        now.header = about_.message->header();
        now.findings = about_.findings;
    }
    return now;
}

/// As it will stand above the message, or nearly so.
std::string ConversationExplanation::received() const {
    const auto path = mail::render_path({about_.sender});
    return fmt::format("Return-Path: {}\r\n{}", path,
                       mail::render_received({.helo = about_.origin.helo,
                                              .client_name = about_.client_name,
                                              .client_address = address_.find(':') == std::string::npos ? address_ : "IPv6:" + address_,
                                              .by = with_.config.hostname,
                                              .protocol = about_.login.empty() ? "ESMTP" : "ESMTPA",
                                              .id = "explained",
                                              .tls = {},
                                              .recipient = about_.recipient ? mail::render_mailbox(*about_.recipient) : std::string(),
                                              .date = mail::render_date(about_.origin.now)}));
}

base::Result<void> ConversationExplanation::run() {
    using Self = ConversationExplanation;
    if (auto tested = rules_.test_lists(); !tested) return tested;
    for (const auto stage : {&Self::connect, &Self::helo, &Self::log_in, &Self::take_sender, &Self::take_recipient, &Self::begin_content,
                             &Self::take_content}) {
        auto passed = (this->*stage)();
        if (!passed) return base::pass_on(passed);
        if (!*passed) break;
    }
    return {};
}

/// Null, and told why, when it cannot be read.
template <class State>
State* ConversationExplanation::saved(Stage stage, std::string_view what, base::Result<State*> state) {
    if (state) return *state;
    story_.tell(stage, Remarked{fmt::format("{} cannot be told: {}", what, state.error().detail)});
    return nullptr;
}

/// False: it is refused.
bool ConversationExplanation::count(Counted what, double amount, const policy::Situation& now) {
    const auto& rates = with_.config.rulebook->rates;
    if (!rates.counts(what)) return true;
    const auto stage = policy::stage_of(what);
    const auto* buckets = saved(stage, "what rates have counted", with_.saved.rates());
    if (!buckets) return true;
    std::vector<policy::Excess> excesses;
    for (auto& counting : rates.look(what, amount, now, *buckets, about_.origin.now)) {
        if (counting.excess) excesses.push_back(*counting.excess);
        story_.tell(stage, std::move(counting));
    }
    if (const auto* refusing = policy::refusing(excesses)) {
        story_.refusal = Story::Refusal{stage, refusing->decision()};
        return false;
    }
    for (const auto& excess : excesses)
        if (excess.rate->action == policy::Action::hold) story_.file(policy::Filing::hold, excess.rate->name);
    return true;
}

ConversationExplanation::Passed ConversationExplanation::connect() {
    if (const auto& let_in = about_.listener.networks; !let_in.empty() && !inbound::is_among(let_in, address_))
        return story_.decide(Stage::connect, {.decision = {.kind = Decision::Kind::reject,
                                                           .rule = "listener.networks",
                                                           .reason = address_ + " is in none of them",
                                                           .code = 554,
                                                           .status = {5, 7, 1},
                                                           .text = "your address may not connect here"}});
    if (const auto* guard = saved(Stage::connect, "bans", with_.saved.logins()))
        if (auto refused = policy::refuse_admission(guard->admit(address_, network_, with_.config.logins, about_.origin.now), role()))
            return story_.decide(Stage::connect, {.decision = *std::move(refused)});
    if (!count(Counted::connections, 1, situation())) return false;
    return rules_.ask(Stage::connect, situation());
}

ConversationExplanation::Passed ConversationExplanation::log_in() {
    if (about_.login.empty()) return true;
    if (const auto* guard = saved(Stage::auth, "locked logins", with_.saved.logins())) {
        const auto verdict = guard->judge(attempt(), with_.config.logins, about_.origin.now);
        auto refused = policy::refuse_login(verdict);
        const auto waits = verdict.delay.count() > 0 ? fmt::format(", the answer is held back for {} ms", verdict.delay.count()) : "";
        auto decision = refused ? *std::move(refused)
                                : Decision{.kind = Decision::Kind::accept,
                                           .rule = "login_protection",
                                           .reason = fmt::format("{} may try from here{}", about_.login, waits),
                                           .status = {},
                                           .text = {}};
        if (!story_.decide(Stage::auth, {.decision = std::move(decision)})) return false;
    }
    auto failed = situation();
    failed.login_failed = true;
    if (!count(Counted::failed_logins, 1, failed)) return false;  // without room for a failure nothing is checked
    return rules_.ask(Stage::auth, situation());
}

base::Result<Decision> ConversationExplanation::decide_sender() {
    bool owns = false;
    if (!about_.login.empty()) {
        auto directory = with_.directory();
        if (!directory) return base::pass_on(directory);
        const auto account = (*directory)->find_account(about_.login);
        if (!account) return std::unexpected(account.error());
        if (*account && (!(*account)->enabled || (*account)->suspended)) return policy::refuse_stopped_account(about_.login);
        const auto owned = about_.sender ? (*directory)->owns(about_.login, *about_.sender) : base::Result<bool>(false);
        if (!owned) return std::unexpected(owned.error());
        owns = *owned;
    }
    return policy::decide_sender(facts(), {about_.sender}, owns, with_.config.senders);
}

ConversationExplanation::Passed ConversationExplanation::take_sender() {
    auto decision = decide_sender();
    if (!decision) return base::pass_on(decision);
    const bool unasked = about_.login.empty() && decision->kind == Decision::Kind::accept;  // nobody asks whose a stranger's sender is
    if (!unasked && !story_.decide(Stage::mail, {.decision = *std::move(decision)})) return false;
    return rules_.ask(Stage::mail, situation());
}

bool ConversationExplanation::is_relayed(const mail::Mailbox& mailbox) const {
    return std::ranges::find(with_.config.relay_domains, mailbox.domain.text()) != with_.config.relay_domains.end();
}

ConversationExplanation::Passed ConversationExplanation::take_recipient() {
    if (!about_.recipient) return true;
    const auto& mailbox = *about_.recipient;
    auto directory = with_.directory();
    if (!directory) return base::pass_on(directory);
    auto resolution = (*directory)->resolve(mailbox);
    if (!resolution) return base::pass_on(resolution);
    const bool relayed = is_relayed(mailbox);
    auto now = situation();
    now.recipient = &mailbox;
    now.recipient_kind = policy::recipient_kind(*resolution, relayed);
    if (now.recipient_kind == "unknown" && !count(Counted::unknown_recipients, 1, now)) return false;
    const auto& networks = about_.listener.relay ? with_.config.relay_networks : std::vector<policy::Network>();
    if (!story_.decide(Stage::rcpt, {.decision = policy::decide_recipient(facts(), *resolution, relayed, networks)})) return false;
    auto passed = rules_.ask(Stage::rcpt, now);
    if (!passed || !*passed) return passed;
    accepted_recipient_ = count(Counted::recipients, 1, now);
    return accepted_recipient_;
}

/// On a copy of what is known of the account.
void ConversationExplanation::watch_account() {
    const auto& rules = with_.config.accounts;
    if (about_.login.empty() || !rules.any()) return;
    auto* accounts = saved(Stage::data, "what the account usually sends", with_.saved.accounts());
    if (!accounts) return;
    std::vector<spool::Recipient> recipients;
    if (about_.recipient) recipients.push_back({.mailbox = *about_.recipient, .original = {}, .state = {}});
    const auto country = about_.countries ? about_.countries->country_of(address_) : std::string();
    const auto verdict = accounts->add({.login = about_.login, .recipients = recipients, .country = country}, rules, about_.origin.now);
    (void)story_.decide(Stage::data, tell_verdict(verdict));
}

ConversationExplanation::Passed ConversationExplanation::begin_content() {
    auto passed = rules_.ask(Stage::data, situation());
    if (!passed || !*passed) return passed;
    if (!count(Counted::messages, 1, situation())) return false;
    watch_account();
    return !story_.refusal;
}

/// The author as whom a login may not write, or that none can be made out.
base::Result<std::optional<Decision>> ConversationExplanation::find_wrong_author() {
    const auto authors = policy::authors_of(about_.message->header());
    if (!authors) return policy::refuse_authors(authors.error());
    for (const auto& author : *authors) {
        if (author == about_.sender || policy::is_within(with_.config.senders, about_.login, author)) continue;
        auto directory = with_.directory();
        if (!directory) return base::pass_on(directory);
        const auto owned = (*directory)->owns(about_.login, author);
        if (!owned) return std::unexpected(owned.error());
        if (!*owned) return policy::refuse_author(about_.login, author);
    }
    return std::nullopt;
}

ConversationExplanation::Passed ConversationExplanation::check_authors() {
    const auto& config = with_.config;
    if (!config.check_author || about_.login.empty() || config.senders == policy::SenderScope::any) return true;
    auto wrong = find_wrong_author();
    if (!wrong) return base::pass_on(wrong);
    return !*wrong || story_.decide(Stage::content, {.decision = **std::move(wrong)});
}

void ConversationExplanation::tell_who_is_not_asked() {
    for (const auto& milter : with_.config.milters)
        if (std::ranges::find(milter.on, role()) != milter.on.end())
            story_.tell(Stage::content, Remarked{fmt::format("milter {}: not asked, it could change or refuse the message", milter.name)});
}

ConversationExplanation::Passed ConversationExplanation::take_content() {
    if (!about_.message) return true;
    has_content_ = true;
    auto written = check_authors();
    if (!written || !*written) return written;
    tell_who_is_not_asked();
    if (!about_.findings) {
        const auto* why = with_.config.authentication.check ? "the client is no stranger" : "authentication.check is off";
        story_.tell(Stage::content, Remarked{fmt::format("SPF, DKIM and DMARC have no say: {}", why)});
    } else {
        auto content = policy::decide_content(*about_.findings, with_.config.authentication.rules);
        if (!story_.decide(Stage::content, {.decision = std::move(content.decision), .filing = content.filing})) return false;
    }
    auto passed = rules_.ask(Stage::content, situation());
    if (!passed || !*passed) return passed;
    const auto now = situation();
    return count(Counted::octets, static_cast<double>(now.size), now);
}

base::Result<policy::FactValue> ConversationExplanation::ask_greylist(const policy::Situation& now) {
    auto greylist = with_.saved.greylist();
    if (!greylist) return policy::Unavailable{greylist.error().detail};
    return (*greylist)->peek(policy::triplet_of(now), with_.config.rulebook->greylist, about_.origin.now).wait();
}

base::Result<policy::FactValue> ConversationExplanation::look_inside(const policy::Fact& fact) {
    if (!content_)
        content_ = std::make_unique<ContentExplanation>(
            with_.config, ContentExplanation::Message{.octets = about_.message->octets, .on_top = received(), .role = role()},
            with_.resolver, story_);
    return content_->find_out(fact);
}

}  // namespace thurn::app
