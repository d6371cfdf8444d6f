// Rules that ask somebody what to do: policy servers and scripts.
#include "inbound/conversation.h"
#include "inbound/policy_asking.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace thurn::inbound {

using net::asio::awaitable;
using policy::Advice;

namespace {

constexpr mail::Notify kNotifyNobody{.given = true};

template <class Options>
auto find_asked(const std::vector<Options>& all, std::string_view name) {
    return std::ranges::find_if(all, [name](const Options& one) { return one.asked.name == name; });
}

Advice advice_of(const PolicyServerOptions& server, const base::Error& error) {
    auto advice = policy::advice_to_wait("nothing that could be used: " + error.detail);
    if (server.default_action == PolicyServerOptions::DefaultAction::tempfail) return advice;
    Advice none;
    none.said = std::move(advice.said);
    return none;
}

}  // namespace

/// Precondition: what they ruled about was taken.
void Conversation::note_copies(Transaction& transaction, const policy::Ruling& ruling) {
    for (const auto& applied : ruling.applied) {
        if (!applied.advice || applied.advice->bcc.empty()) continue;
        auto mailbox = *mail::parse_mailbox(applied.advice->bcc, mail::Charset::utf8);  // fit_to_stage() has seen to it
        if (std::ranges::find(transaction.copies, mailbox) == transaction.copies.end()) transaction.copies.push_back(std::move(mailbox));
    }
}

/// Whom the operator asks is believed: copies need no permission to be relayed. Their sender hears nothing of them, not even that they came back.
void Conversation::add_copies(Transaction& transaction) {
    for (auto& mailbox : transaction.copies) {
        if (std::ranges::find(transaction.recipients, mailbox, &spool::Recipient::mailbox) != transaction.recipients.end()) continue;
        transaction.recipients.push_back({.mailbox = std::move(mailbox), .original = {}, .notify = kNotifyNobody, .state = {}});
    }
    transaction.copies.clear();
}

policy::Question Conversation::question(const policy::Rule& rule, const Transaction& transaction, const policy::Situation& now,
                                        const policy::Marks& marks, std::string_view message) const {
    policy::Question question{.stage = rule.said.stage, .rule = rule.said.name, .now = now, .marks = marks};
    const auto& facts = options_->rulebook->rules.facts();
    for (const auto fact : rule.told) question.told.emplace_back(facts[fact].name, facts_[fact]);
    question.session = client_.session;
    question.message = transaction.id.value == 0 ? std::string_view() : message;
    question.protocol = profile_.role == policy::Role::lmtp ? "LMTP" : session_.extended() ? "ESMTP" : "SMTP";
    question.mechanism = client_.mechanism;
    question.client_port = client_.port;
    question.server_address = stream_.local().address().to_string();
    question.server_port = stream_.local().port();
    return question;
}

awaitable<Advice> Conversation::async_ask(const policy::Rule& rule, Transaction& transaction, const policy::Situation& now,
                                          const policy::Marks& marks) {
    const auto begun = std::chrono::steady_clock::now();
    const auto server = find_asked(options_->policy_servers, rule.said.ask);
    if (server == options_->policy_servers.end()) {
        const auto script = find_asked(options_->scripts, rule.said.ask);
        if (script == options_->scripts.end()) co_return policy::advice_to_wait("there is nobody of the name to ask");
        co_return co_await async_run_script(*script, rule, transaction, now, marks);
    }
    const auto message = transaction.id.text();
    auto asked = question(rule, transaction, now, marks, message);
    const auto tls = stream_.tls_facts();
    if (tls) {
        asked.tls_version = tls->version;
        asked.tls_cipher = tls->cipher;
        asked.tls_bits = tls->bits;
    }
    auto advice = co_await async_ask_policy_server(*server, asked, with_.resolver, idle_);
    if (advice) co_return *std::move(advice);
    const auto why = policy::tame(advice.error().detail);
    log_.warning("policy_server_failed",
                 {.id = transaction.id, .stage = name_of(rule.said.stage), .rule = rule.said.name, .reason = why, .begun = begun});
    co_return advice_of(*server, advice.error());
}

}  // namespace thurn::inbound
