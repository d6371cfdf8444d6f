// Who a message is from: what strangers send is checked while it arrives, what our own users send is signed.
#include "inbound/client_network.h"
#include "inbound/conversation.h"
#include "mailauth/authentication_results.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

namespace thurn::inbound {

using net::asio::awaitable;

namespace {

std::string path_text(const mail::ReversePath& path) { return path.is_null() ? std::string() : mail::render_mailbox(*path.mailbox); }

std::string results_field(const mailauth::AuthenticationResults& results) {
    return "Authentication-Results: " + mailauth::render_authentication_results(results) + "\r\n";
}

std::string_view name_of(policy::Filing filing, policy::Decision::Kind kind) {
    if (kind == policy::Decision::Kind::reject) return "reject";
    if (kind == policy::Decision::Kind::defer) return "defer";
    return filing == policy::Filing::junk ? "junk" : filing == policy::Filing::hold ? "hold" : "accept";
}

mailauth::DeliveryResult delivery_result(const policy::ContentDecision& verdict) {
    using mailauth::DeliveryResult;
    if (verdict.decision.kind == policy::Decision::Kind::reject) return DeliveryResult::reject;
    if (verdict.decision.kind == policy::Decision::Kind::defer) return DeliveryResult::other;
    return verdict.filing == policy::Filing::junk   ? DeliveryResult::spam
           : verdict.filing == policy::Filing::hold ? DeliveryResult::policy
                                                    : DeliveryResult::delivered;
}

}  // namespace

/// Neither logged in nor of our networks: somebody who has to prove who they are.
bool Conversation::is_stranger() const { return profile_.role == policy::Role::mx && client_.login.empty() && !in_relay_networks_; }

/// Our own machines may hand on what another of them has checked.
bool Conversation::removes_results() const { return is_stranger() || !client_.login.empty(); }

bool Conversation::signs() const { return options_->authentication->signatory && profile_.role != policy::Role::lmtp && !is_stranger(); }

/// With the content, not before: a client that names recipients and resets, over and over, must not have DNS asked each time.
void Conversation::begin_checks() {
    const auto client = dns::parse_ip(client_.address);
    if (!options_->authentication->check || !with_.resolver || !client || !is_stranger()) return;
    transaction_.checks = std::make_shared<Authentication>(stream_.executor(), *with_.resolver, options_->authentication,
                                                           mailauth::MessageOrigin{.client = dns::unmapped(*client),
                                                                                   .helo = helo_name(),
                                                                                   .reverse_path = path_text(transaction_.sender),
                                                                                   .receiver = options_->session.hostname,
                                                                                   .now = with_.clock.now()});
    transaction_.checks->begin();
}

void Conversation::take_header(const ContentGate::Passed& passed) {
    if (milters_ || !options_->rulebook->rules.at(policy::Stage::content).empty()) transaction_.header = passed.header;
    if (checks_authors()) transaction_.authors = policy::authors_of(passed.header);
    const auto& options = *options_->authentication;
    if (transaction_.checks)
        transaction_.checks->take_header(std::string(passed.original), options.seal ? transaction_.passed_on_for : std::string());
    transaction_.completion = complete_header();
    if (!signs()) return;
    transaction_.signing = std::make_unique<mailauth::MessageSigning>(
        options.signatory, transaction_.completion + std::string(passed.header), with_.clock.now());
}

/// What goes on top of the message, and what is to be done with it, if it was checked.
awaitable<std::string> Conversation::async_authenticate(Transaction& transaction) {
    if (!transaction.checks) co_return sign(transaction);
    const auto& options = *options_->authentication;
    const auto& findings = transaction.checked.emplace(co_await transaction.checks->async_finish());
    transaction.verdict = policy::decide_content(findings, options.rules);
    transaction.filing = std::max(transaction.filing, transaction.verdict->filing);
    if (transaction.filing == transaction.verdict->filing) transaction.filed_because = transaction.verdict->decision.reason;
    std::ranges::move(mailauth::tell(findings), std::back_inserter(transaction.findings));
    const auto& [decision, filing, disposition, overrides] = *transaction.verdict;
    transaction.decisions.push_back({"content", "", std::string(name_of(filing, decision.kind)), decision.rule, decision.reason});
    tally(transaction, findings);
    report_failure(transaction, findings);
    co_await async_watch_for_spoofing(transaction, findings);
    if (decision.kind != policy::Decision::Kind::accept) co_return std::string();
    auto seal = transaction.checks->seal(findings);
    if (seal.told) transaction.findings.push_back(*std::move(seal.told));
    co_return seal.fields + results_field(mailauth::results_of(findings, options.authserv_id));
}

/// `reason`: why not; empty if it was signed.
void Conversation::tell_signing(Transaction& transaction, const std::string& reason) {
    if (reason.empty())
        transaction.findings.push_back({"signed", transaction.signing->keys()});
    else
        transaction.findings.push_back({"not signed", reason});
}

/// Signatures, and that it was our user who sent it (RFC 8601 §2.7.4): by name where that is the sender's, which everybody sees.
std::string Conversation::sign(Transaction& transaction) {
    std::string head;
    if (transaction.signing) {
        auto fields = transaction.signing->finish();
        tell_signing(transaction, fields ? transaction.signing->reason() : fields.error().detail);
        if (fields)
            head = *std::move(fields);
        else
            log_.warning("not_signed", {.id = transaction.id, .reason = fields.error().detail});
    } else if (profile_.role == policy::Role::submission) {
        tell_signing(transaction, "there are no keys");
    }
    if (client_.login.empty()) return head;
    mailauth::AuthenticationResult result{.method = "auth", .result = "pass"};
    if (client_.login == path_text(transaction.sender)) result.properties.push_back({"smtp", "auth", client_.login});
    return head + results_field({.authserv_id = options_->authentication->authserv_id, .results = {std::move(result)}});
}

/// Whoever asks why has the id from the reply, which most bounces quote: the trace tells of it although there is no message.
void Conversation::refuse_content(const Transaction& transaction, const policy::Decision& decision) {
    const auto reply = smtp::make_reply(decision.code, decision.status, fmt::format("{} ({})", decision.text, transaction.id.text()));
    log_.info("message_refused", {.id = transaction.id, .subject = "content", .rule = decision.rule, .reply = &reply});
    session_.answer(reply);
}

/// Whoever sent it is told what those are told whose mail arrives; the trace knows better.
void Conversation::discard(Transaction& transaction) {
    log_.warning("discarded", {.id = transaction.id, .subject = mail::render_path(transaction.sender), .rule = transaction.discarded_by});
    trace_accepted(transaction, transaction.draft->size());
    with_.journal.append({transaction.id, with_.clock.now(), trace::Noted{"discarded", "by " + transaction.discarded_by}});
    session_.accept("queued as " + transaction.id.text());
}

void Conversation::tally(const Transaction& transaction, const mailauth::Findings& findings) {
    if (!with_.tallies) return;
    const auto& verdict = *transaction.verdict;
    with_.tallies->add({.when = findings.asked.now,
                        .client = findings.asked.client,
                        .verdict = findings.dmarc,
                        .discovery = options_->authentication->suffixes ? mailauth::DmarcDiscovery::public_suffix_list
                                                                        : mailauth::DmarcDiscovery::tree_walk,
                        .done = verdict.disposition,
                        .overrides = verdict.overrides,
                        .envelope_from_domain = transaction.sender.is_null() ? "" : transaction.sender.mailbox->domain.text(),
                        .envelope_to_domain = transaction.recipients.front().mailbox.domain.text(),
                        .spf = findings.origin.mail_from,
                        .dkim = findings.signatures.dkim});
}

void Conversation::report_failure(const Transaction& transaction, const mailauth::Findings& findings) {
    if (!with_.failures) return;
    const auto id = transaction.id.text();
    auto failure = mailauth::describe_failure({.findings = findings,
                                               .header = transaction.checks->header(),
                                               .message_id = id,
                                               .authserv_id = options_->authentication->authserv_id,
                                               .became = delivery_result(*transaction.verdict)});
    if (failure) with_.failures->add(*std::move(failure));
}

}  // namespace thurn::inbound
