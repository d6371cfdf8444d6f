// Between the wire and the spool. Every event of the session is answered here and nowhere else; the order is: facts, decision, reply. An
// internal failure is always 4yz: the client must try again, never give up and never believe us (docs/life-of-a-message.md).
#include "inbound/conversation.h"

#include "mail/date.h"
#include "mail/header.h"
#include "mail/status.h"

#include <algorithm>
#include <cstring>
#include <ranges>
#include <utility>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

namespace thurn::inbound {

namespace {

using net::asio::awaitable;

constexpr std::chrono::seconds kHandshakeTimeout{60};
constexpr std::chrono::seconds kSendTimeout{300};
constexpr std::size_t kMostNames = 5;  // of one address; who owns it says how many there are

smtp::ServerOptions session_options(const Options& options, const ListenerProfile& profile, const Dependencies& with) {
    auto result = options.session;
    if (profile.role == policy::Role::submission && options.future_release.count() > 0)
        result.extensions.future_release = smtp::FutureRelease{options.future_release, with.clock.now() + options.future_release};
    result.tls = with.certificates ? profile.tls : smtp::TlsState::unavailable;
    result.auth = profile.role == policy::Role::submission ? smtp::AuthRule::required : smtp::AuthRule::off;
    if (result.auth != smtp::AuthRule::off && with.directory.offers_scram()) result.random = &with.random;
    return result;
}

/// What a failure of our own is worth to the client: always another try.
smtp::Reply try_again(const base::Error& error) {
    if (error.kind == base::ErrorKind::full) return smtp::make_reply(452, {4, 3, 1}, "no room for new mail now, try again later");
    if (error.kind == base::ErrorKind::stopping) return smtp::make_reply(421, {4, 3, 2}, "shutting down, try again later");
    return smtp::make_reply(451, {4, 3, 0}, "local trouble, try again later");
}

void wipe(std::string& secret) {
    explicit_bzero(secret.data(), secret.size());
    secret.clear();
}

std::int64_t milliseconds_since(std::chrono::steady_clock::time_point begin) {
    return (std::chrono::steady_clock::now() - begin) / std::chrono::milliseconds(1);
}

std::string status_text(const smtp::Reply& reply) { return reply.status ? mail::render_status(*reply.status) : std::string(); }

/// What MAIL asked for, with times that count from `now` made absolute.
spool::Wishes wishes_of(const smtp::MailParameters& parameters, base::Time now) {
    spool::Wishes wishes{
        .ret = parameters.ret, .envid = parameters.envid, .smtputf8 = parameters.smtputf8, .require_tls = parameters.require_tls};
    if (parameters.hold_for) wishes.release = now + *parameters.hold_for;
    if (parameters.hold_until) wishes.release = *parameters.hold_until;
    return wishes;
}

spool::Recipient recipient_of(smtp::RecipientGiven given) {
    spool::Recipient recipient{.mailbox = std::move(given.mailbox), .original = {}, .notify = given.parameters.notify, .state = {}};
    if (const auto& original = given.parameters.original_recipient) recipient.orcpt = original->type + ';' + original->address;
    return recipient;
}

/// Only where there is one: nobody shall learn of another. In UTF-8 it would outlast an alias that leads to where UTF-8 cannot go.
std::string recipient_to_name(const Transaction& transaction) {
    if (transaction.recipients.size() != 1) return {};
    auto address = mail::render_mailbox(transaction.recipients.front().mailbox);
    const bool ascii = std::ranges::none_of(address, [](char c) { return static_cast<unsigned char>(c) > 127; });
    return ascii ? address : std::string();
}

std::string address_text(const net::asio::ip::address& address) {
    if (address.is_v6() && address.to_v6().is_v4_mapped())
        return net::asio::ip::make_address_v4(net::asio::ip::v4_mapped, address.to_v6()).to_string();
    return address.to_string();
}

}  // namespace

Conversation::Conversation(Service& service, net::Stream stream, const ListenerProfile& profile, std::shared_ptr<const Options> options,
                           std::span<char> read_buffer, std::uint64_t number)
    : service_(service),
      with_(service.with_),
      stream_(std::move(stream)),
      profile_(profile),
      options_(std::move(options)),
      read_buffer_(read_buffer),
      session_(session_options(*options_, profile, with_)),
      session_id_(fmt::format("s{}", number)),
      client_address_(address_text(stream_.peer().address())) {}

Conversation::~Conversation() { leave_limits(); }

awaitable<void> Conversation::async_run() {
    if (co_await async_begin()) co_await async_converse();
    stream_.close();
    leave_limits();  // not only in the destructor: a look-up of the client's name may outlive the connection
    with_.log.info("disconnected", {{"session", session_id_},
                                    {"client", client_address_},
                                    {"login", login_},
                                    {"tls", tls_},
                                    {"messages", messages_},
                                    {"ms", milliseconds_since(begun_)}});
}

/// A reply on its way is let through: the client must learn that its message was taken.
void Conversation::stop() {
    session_.shut_down();
    if (reading_) stream_.cancel();
}

void Conversation::leave_limits() {
    if (std::exchange(counted_, false)) service_.limits_.leave(client_address_);
}

void Conversation::abort() { stream_.close(); }

/// Limits, implicit TLS, greeting. False when it ends here.
awaitable<bool> Conversation::async_begin() {
    const auto verdict = service_.limits_.enter(client_address_);
    counted_ = verdict == ConnectionLimits::Verdict::welcome;
    with_.log.info("connected",
                   {{"session", session_id_}, {"client", client_address_}, {"port", stream_.peer().port()}, {"listener", profile_.name}});
    if (!counted_) {
        const bool by_all = verdict == ConnectionLimits::Verdict::too_many;
        with_.log.warning("connection_refused", {{"session", session_id_},
                                                 {"client", client_address_},
                                                 {"listener", profile_.name},
                                                 {"reason", by_all ? "limits.connections" : "limits.connections_per_ip"}});
        if (profile_.tls == smtp::TlsState::active) co_return false;  // no words before the handshake
        session_.greet_with_refusal(by_all ? smtp::make_reply(421, {4, 3, 2}, "all connections are in use, try again later")
                                           : smtp::make_reply(421, {4, 7, 0}, "too many connections from your address, try again later"));
        co_await async_flush();
        co_return false;
    }
    if (profile_.tls == smtp::TlsState::active && !co_await async_start_tls()) co_return false;
    if (with_.resolver && profile_.role == policy::Role::mx && !stream_.peer().address().is_loopback()) {
        auto executor = stream_.executor();
        net::asio::co_spawn(
            executor,
            [](std::shared_ptr<Conversation> self) -> awaitable<void> { co_await self->async_look_up_name(); }(shared_from_this()),
            net::asio::detached);
    }
    if (!co_await async_hear_silence()) co_return false;
    session_.greet();
    co_return co_await async_flush();
}

/// Who talks before the greeting is a program that sends without listening: no mail server does (RFC 5321 §4.3.1). False when it ends here.
awaitable<bool> Conversation::async_hear_silence() {
    const auto delay = options_->greeting_delay;
    if (profile_.role != policy::Role::mx || delay.count() == 0 ||
        std::ranges::any_of(options_->relay_networks, [this](const auto& network) { return network.contains(client_address_); }))
        co_return true;
    reading_ = true;
    const auto spoke = co_await stream_.async_read(read_buffer_, net::within(delay));
    reading_ = false;
    if (!spoke) {
        const bool silent = spoke.error().kind == base::ErrorKind::timed_out;
        if (!silent) co_await async_flush();  // we may be stopping
        co_return silent;
    }
    session_.receive({read_buffer_.data(), *spoke});
    const auto reply = smtp::make_reply(554, {5, 5, 1}, "you talked before you were greeted");
    log_refusal("early_talker", "", "greeting", reply);
    session_.greet_with_refusal(reply);
    co_await async_flush();
    co_return false;
}

/// Read, answer, send, until the session or the peer is done.
awaitable<void> Conversation::async_converse() {
    while (!session_.closed()) {
        const auto deadline = net::within(session_.time_limit());
        reading_ = true;
        const auto count = co_await stream_.async_read(read_buffer_, deadline);
        reading_ = false;
        if (count)
            session_.receive({read_buffer_.data(), *count});
        else if (count.error().kind == base::ErrorKind::timed_out)
            session_.timed_out();
        else if (count.error().kind != base::ErrorKind::stopping)
            co_return;
        if (!co_await async_handle_events()) co_return;
        if (!co_await async_flush()) co_return;
    }
}

awaitable<bool> Conversation::async_handle_events() {
    while (auto event = session_.next_event()) {
        const bool alive = co_await async_handle(*std::move(event));
        if (!alive) co_return false;
    }
    co_return true;
}

/// False when the connection is lost.
awaitable<bool> Conversation::async_handle(smtp::ServerEvent event) {
    if (auto* chunk = std::get_if<smtp::ContentChunk>(&event)) {
        co_await async_take_chunk(chunk->octets);
    } else if (auto* recipient = std::get_if<smtp::RecipientGiven>(&event)) {
        co_await async_take_recipient(std::move(*recipient));
    } else if (auto* sender = std::get_if<smtp::SenderGiven>(&event)) {
        co_await async_take_sender(std::move(*sender));
    } else if (std::holds_alternative<smtp::ContentBegins>(event)) {
        begin_content();
    } else if (std::holds_alternative<smtp::ContentEnded>(event)) {
        co_await async_finish_message();
    } else if (std::holds_alternative<smtp::HelloGiven>(event)) {
        transaction_ = {};
        session_.accept();
    } else if (auto* wanted = std::get_if<smtp::SecretWanted>(&event)) {
        co_await async_find_secret(std::move(*wanted));
    } else if (auto* credentials = std::get_if<smtp::CredentialsGiven>(&event)) {
        co_await async_check_credentials(std::move(*credentials));
    } else if (std::holds_alternative<smtp::TlsWanted>(event)) {
        co_return co_await async_flush() && co_await async_start_tls();
    } else if (auto* dropped = std::get_if<smtp::ContentDropped>(&event)) {
        with_.log.info(
            "content_refused",
            {{"session", session_id_}, {"id", transaction_.id.text()}, {"client", client_address_}, {"reason", dropped->reason}});
        transaction_ = {};
    } else if (std::holds_alternative<smtp::TransactionReset>(event)) {
        transaction_ = {};
    } else if (const auto* hasty = std::get_if<smtp::ImproperPipelining>(&event)) {
        with_.log.info("improper_pipelining", {{"session", session_id_}, {"client", client_address_}, {"subject", hasty->verb}});
    } else if (auto* refused = std::get_if<smtp::CommandRefused>(&event)) {
        if (refused->verb == "AUTH") log_failed_proof(refused->reply);
        log_refusal("command_refused", transaction_.id.value == 0 ? "" : transaction_.id.text(), refused->verb, refused->reply);
    }
    co_return true;
}

awaitable<bool> Conversation::async_flush() {
    while (session_.has_output()) {
        const auto output = session_.take_output();
        const auto sent = co_await stream_.async_write(std::string_view(output), net::within(kSendTimeout));
        if (!sent) co_return false;
    }
    co_return true;
}

awaitable<bool> Conversation::async_start_tls() {
    auto context = with_.certificates->current();
    const auto shaken = co_await stream_.async_accept_tls(std::move(context), net::within(kHandshakeTimeout));
    if (!shaken) {
        with_.log.info(
            "tls_failed",
            {{"session", session_id_}, {"client", client_address_}, {"listener", profile_.name}, {"reason", shaken.error().detail}});
        co_return false;
    }
    const auto agreed = stream_.tls_facts();
    if (agreed) tls_ = fmt::format("{} with {}", agreed->version, agreed->cipher);
    login_.clear();
    transaction_ = {};
    auto bindings = stream_.tls_bindings();
    session_.bind_channel({.exporter = std::move(bindings.exporter), .server_end_point = std::move(bindings.server_end_point)});
    if (profile_.tls != smtp::TlsState::active) session_.tls_started();
    co_return true;
}

void Conversation::log_login(const LoginEnd& end, const smtp::Reply& reply) {
    with_.log.info("auth", {{"session", session_id_},
                            {"client", client_address_},
                            {"listener", profile_.name},
                            {"mechanism", end.mechanism},
                            {"login", end.login},
                            {"result", end.result},
                            {"reason", end.reason},
                            {"code", reply.code},
                            {"status", status_text(reply)},
                            {"tls", tls_},
                            {"ms", milliseconds_since(end.begun)}});
}

/// The session refused an exchange; which login it was about is known once its first message was read.
void Conversation::log_failed_proof(const smtp::Reply& reply) {
    constexpr std::uint16_t kWrongProof = 535;
    const auto proving = std::exchange(proving_, std::nullopt);
    if (reply.code != kWrongProof) return;
    if (proving)
        log_login({.mechanism = proving->wanted.mechanism,
                   .login = proving->wanted.login,
                   .result = "refused",
                   .reason = {},
                   .begun = proving->begun},
                  reply);
    else
        log_login({.mechanism = {}, .login = {}, .result = "refused", .reason = {}, .begun = std::chrono::steady_clock::now()}, reply);
}

/// SCRAM: what is stored goes to the session, which does the rest.
awaitable<void> Conversation::async_find_secret(smtp::SecretWanted wanted) {
    proving_ = {.wanted = std::move(wanted), .begun = std::chrono::steady_clock::now()};
    auto secret = co_await async_stored_secret();
    if (secret) {
        proving_->secret = *secret;
        session_.give_secret(*std::move(secret));
        co_return;
    }
    const auto proving = std::exchange(proving_, std::nullopt);
    const auto reply = smtp::make_reply(454, {4, 7, 0}, "logins cannot be checked now, try again later");
    log_login({.mechanism = proving->wanted.mechanism,
               .login = proving->wanted.login,
               .result = "unavailable",
               .reason = secret.error().detail,
               .begun = proving->begun},
              reply);
    session_.answer(reply);
}

/// Precondition: an exchange is under way.
awaitable<base::Result<sasl::ScramSecret>> Conversation::async_stored_secret() {
    co_return co_await with_.pool.async_run(
        [this] { return with_.directory.find_scram_secret(proving_->wanted.login, proving_->wanted.hash); });
}

/// Between the two ends of the exchange the account may have been disabled, or its password changed.
awaitable<base::Result<bool>> Conversation::async_still_good() {
    const auto now = co_await async_stored_secret();
    if (!now) co_return std::unexpected(now.error());
    co_return *now == proving_->secret;
}

awaitable<void> Conversation::async_check_credentials(smtp::CredentialsGiven given) {
    const bool proven = given.proof == smtp::CredentialsGiven::Proof::proven && proving_;
    const auto begun = proven ? proving_->begun : std::chrono::steady_clock::now();
    const bool impersonation = !given.authorization.empty() && given.authorization != given.login;
    base::Result<bool> checked = false;
    if (proven)
        checked = co_await async_still_good();
    else
        checked =
            co_await with_.pool.async_run([&passwords = with_.passwords, &given] { return passwords.check(given.login, given.password); });
    proving_.reset();
    wipe(given.password);
    const bool right = checked && *checked && !impersonation;
    const auto reply = right      ? smtp::make_reply(235, {2, 7, 0}, "logged in")
                       : !checked ? smtp::make_reply(454, {4, 7, 0}, "logins cannot be checked now, try again later")
                                  : smtp::make_reply(535, {5, 7, 8}, "login or password is wrong");
    log_login({.mechanism = given.mechanism,
               .login = given.login,
               .result = right      ? "ok"
                         : !checked ? "unavailable"
                                    : "refused",
               .reason = checked ? std::string_view() : std::string_view(checked.error().detail),
               .begun = begun},
              reply);
    if (right) {
        login_ = given.login;
        session_.accept();
    } else {
        session_.answer(reply);
    }
}

policy::Facts Conversation::facts() const { return {.role = profile_.role, .client_address = client_address_, .login = login_}; }

awaitable<void> Conversation::async_take_sender(smtp::SenderGiven given) {
    transaction_ = {};
    if (!with_.spool.has_room()) {
        put_off("mail", mail::render_path(given.path), {base::ErrorKind::full, "the spool has no room for new mail"});
        co_return;
    }
    bool owns = true;
    if (!login_.empty() && given.path.mailbox && !options_->any_sender) {
        auto owned = co_await with_.pool.async_run([this, &given] { return with_.directory.owns(login_, *given.path.mailbox); });
        if (!owned) {
            put_off("mail", mail::render_path(given.path), owned.error());
            co_return;
        }
        owns = *owned;
    }
    auto decision = policy::decide_sender(facts(), given.path, owns, options_->any_sender);
    if (decision.kind != policy::Decision::Kind::accept) {
        refuse("mail", mail::render_path(given.path), decision);
        co_return;
    }
    transaction_.id = with_.ids.next();
    transaction_.wishes = wishes_of(given.parameters, with_.clock.now());
    transaction_.sender = std::move(given.path);
    transaction_.begun = std::chrono::steady_clock::now();
    session_.accept();
}

awaitable<void> Conversation::async_take_recipient(smtp::RecipientGiven given) {
    const auto& mailbox = given.mailbox;
    auto resolution = with_.directory.peek(mailbox);
    if (!resolution) resolution = co_await with_.pool.async_run([this, &mailbox] { return with_.directory.resolve(mailbox); });
    if (!*resolution) {
        put_off("rcpt", mail::render_mailbox(mailbox), resolution->error());
        co_return;
    }
    const bool relayed = std::ranges::find(options_->relay_domains, mailbox.domain.text()) != options_->relay_domains.end();
    auto decision = policy::decide_recipient(facts(), **resolution, relayed, options_->relay_networks);
    const auto address = mail::render_mailbox(mailbox);
    if (decision.kind != policy::Decision::Kind::accept) {
        refuse("rcpt", address, decision);
        co_return;
    }
    const auto known = std::ranges::find(transaction_.recipients, mailbox, &spool::Recipient::mailbox);
    if (known != transaction_.recipients.end()) {
        known->notify = mail::merge(known->notify, given.parameters.notify);
    } else {
        transaction_.decisions.push_back({"rcpt", address, "accept", decision.rule, decision.reason});
        transaction_.recipients.push_back(recipient_of(std::move(given)));
    }
    session_.accept();
}

void Conversation::refuse(std::string_view what, const std::string& subject, const policy::Decision& decision) {
    auto reply = smtp::make_reply(decision.code, decision.status, decision.text);
    with_.log.info("refused", {{"session", session_id_},
                               {"id", transaction_.id.value == 0 ? "" : transaction_.id.text()},
                               {"client", client_address_},
                               {"listener", profile_.name},
                               {"login", login_},
                               {"stage", what},
                               {"subject", subject},
                               {"rule", decision.rule},
                               {"reply", smtp::describe_reply(reply)},
                               {"code", reply.code},
                               {"status", status_text(reply)}});
    if (transaction_.id.value != 0)
        transaction_.decisions.push_back({std::string(what), subject, decision.kind == policy::Decision::Kind::defer ? "defer" : "reject",
                                          decision.rule, decision.reason});
    session_.answer(reply);
}

/// A failure of our own: refused for now, and why is for the log alone.
void Conversation::put_off(std::string_view what, const std::string& subject, const base::Error& error) {
    const auto reply = try_again(error);
    with_.log.warning("put_off", {{"session", session_id_},
                                  {"id", transaction_.id.value == 0 ? "" : transaction_.id.text()},
                                  {"client", client_address_},
                                  {"listener", profile_.name},
                                  {"login", login_},
                                  {"stage", what},
                                  {"subject", subject},
                                  {"reason", error.detail},
                                  {"reply", smtp::describe_reply(reply)},
                                  {"code", reply.code},
                                  {"status", status_text(reply)}});
    session_.answer(reply);
}

void Conversation::log_refusal(std::string_view event, std::string_view id, std::string_view subject, const smtp::Reply& reply) {
    with_.log.info(event, {{"session", session_id_},
                           {"id", id},
                           {"client", client_address_},
                           {"listener", profile_.name},
                           {"login", login_},
                           {"subject", subject},
                           {"reply", smtp::describe_reply(reply)},
                           {"code", reply.code},
                           {"status", status_text(reply)}});
}

void Conversation::log_spool_failure(base::MessageId id, const base::Error& error) {
    const auto reply = try_again(error);
    with_.log.error("spool_failed", {{"session", session_id_},
                                     {"id", id.text()},
                                     {"client", client_address_},
                                     {"login", login_},
                                     {"reason", error.detail},
                                     {"code", reply.code},
                                     {"status", status_text(reply)}});
}

void Conversation::begin_content() {
    transaction_.draft = with_.spool.draft(transaction_.id);
    session_.accept();
}

/// ESMTP, ESMTPS, UTF8SMTPSA … (RFC 3848, RFC 6531 §4.3).
std::string Conversation::protocol_name(const Transaction& transaction) const {
    if (!session_.extended()) return "SMTP";
    return fmt::format("{}{}{}", transaction.wishes.smtputf8 ? "UTF8SMTP" : "ESMTP", tls_.empty() ? "" : "S", login_.empty() ? "" : "A");
}

/// What we put on top: where it came from and, for our own users, what their program left out (RFC 5321 §4.4, RFC 6409 §8).
std::string Conversation::trace_header(const Transaction& transaction) const {
    const auto now = mail::render_date(with_.clock.now());
    auto header = mail::render_received(
        {.helo = session_.helo_name(),
         .client_name = client_name_,
         .client_address = client_address_.find(':') == std::string::npos ? client_address_ : "IPv6:" + client_address_,
         .by = options_->session.hostname,
         .protocol = protocol_name(transaction),
         .id = transaction.id.text(),
         .tls = tls_,
         .recipient = recipient_to_name(transaction),
         .date = now});
    if (profile_.role != policy::Role::submission) return header;
    if (!transaction.gate.has_date()) header += fmt::format("Date: {}\r\n", now);
    if (!transaction.gate.has_message_id())
        header += fmt::format("Message-ID: <{}@{}>\r\n", transaction.id.text(), options_->session.hostname);
    return header;
}

awaitable<void> Conversation::async_take_chunk(std::string_view octets) {
    const bool opened_before = transaction_.gate.opened();
    const auto passed = transaction_.gate.feed(octets);
    if (!transaction_.gate.opened()) co_return;
    if (!opened_before) co_await async_store(trace_header(transaction_));
    co_await async_store(passed);
}

awaitable<void> Conversation::async_store(std::string_view octets) {
    if (!transaction_.draft || octets.empty()) co_return;
    auto& draft = *transaction_.draft;
    base::Result<void> appended;
    if (draft.needs_disk(octets.size()))
        appended = co_await with_.pool.async_run([&draft, octets] { return draft.append(octets); });
    else
        appended = draft.append(octets);
    if (appended) co_return;
    log_spool_failure(transaction_.id, appended.error());
    transaction_.storage_error = appended.error();
    transaction_.draft.reset();
}

awaitable<void> Conversation::async_finish_message() {
    if (!transaction_.gate.opened()) {
        const auto rest = transaction_.gate.finish();
        co_await async_store(trace_header(transaction_));
        co_await async_store(rest);
    }
    auto transaction = std::exchange(transaction_, {});
    if (transaction.storage_error) {
        session_.answer(try_again(*transaction.storage_error));
        co_return;
    }
    if (transaction.gate.received_fields() > options_->received_fields) {
        const auto reply =
            smtp::make_reply(554, {5, 4, 6}, fmt::format("mail loop: more than {} Received fields", options_->received_fields));
        log_refusal("message_refused", transaction.id.text(), "content", reply);
        session_.answer(reply);
        co_return;
    }
    const auto now = with_.clock.now();
    const auto size = transaction.draft->size();
    const auto count = transaction.recipients.size();
    trace_accepted(transaction, size, now);
    const auto committed = co_await async_commit(std::move(transaction.draft), make_envelope(transaction, now));
    const auto id = transaction.id.text();
    if (!committed) {
        log_spool_failure(transaction.id, committed.error());
        with_.journal.append({transaction.id, with_.clock.now(), trace::Noted{"not accepted after all", committed.error().detail}});
        session_.answer(try_again(committed.error()));
        co_return;
    }
    with_.log.info("accepted", {{"session", session_id_},
                                {"id", id},
                                {"client", client_address_},
                                {"login", login_},
                                {"listener", profile_.name},
                                {"from", mail::render_path(transaction.sender)},
                                {"recipients", count},
                                {"size", size.count},
                                {"tls", tls_},
                                {"code", 250},
                                {"status", "2.0.0"},
                                {"ms", milliseconds_since(transaction.begun)}});
    ++messages_;
    session_.accept("queued as " + id);
}

spool::Envelope Conversation::make_envelope(Transaction& transaction, base::Time now) const {
    const auto& release = transaction.wishes.release;
    for (auto& recipient : transaction.recipients) {
        recipient.state.due = std::max(now, release.value_or(now));
        if (release) recipient.state.last_status = "to be sent on later, as its sender asked";
    }
    // Who declared SMTPUTF8 without need for it shall not be refused where it is missing (RFC 6531 §3.2); addresses tell for themselves.
    transaction.wishes.smtputf8 = transaction.wishes.smtputf8 && transaction.gate.eight_bit_header();
    return {.sender = transaction.sender,
            .recipients = std::move(transaction.recipients),
            .body = transaction.gate.eight_bit() ? mail::BodyType::eight_bit : mail::BodyType::seven_bit,
            .wishes = std::move(transaction.wishes),
            .login = login_,
            .client = client_address_};
}

/// Resumes here once the message is on stable storage; the queue has got it by then, whatever becomes of this connection.
awaitable<base::Result<base::MessageId>> Conversation::async_commit(std::unique_ptr<spool::Draft> draft, spool::Envelope envelope) {
    auto initiate = [this](auto handler, std::unique_ptr<spool::Draft> content, spool::Envelope about) {
        auto executor = net::asio::get_associated_executor(handler);
        with_.spool.commit(
            std::move(content), std::move(about),
            [&hand_over = with_.hand_over, executor, handler = std::move(handler)](base::Result<spool::StoredMessage> stored) mutable {
                base::Result<base::MessageId> result = stored ? base::Result<base::MessageId>(stored->id) : base::pass_on(stored);
                if (stored) hand_over(*std::move(stored));
                net::asio::post(executor,
                                [handler = std::move(handler), result = std::move(result)]() mutable { handler(std::move(result)); });
            });
    };
    co_return co_await net::asio::async_initiate<const net::asio::use_awaitable_t<>, void(base::Result<base::MessageId>)>(
        std::move(initiate), net::asio::use_awaitable, std::move(draft), std::move(envelope));
}

void Conversation::trace_accepted(const Transaction& transaction, base::Octets size, base::Time at) {
    trace::Accepted accepted{.listener = profile_.name,
                             .client = fmt::format("{}:{}", client_address_, stream_.peer().port()),
                             .client_name = client_name_,
                             .helo = session_.helo_name(),
                             .tls = tls_,
                             .login = login_,
                             .sender = mail::render_path(transaction.sender),
                             .recipients = {},
                             .size = size.count};
    for (const auto& recipient : transaction.recipients) accepted.recipients.push_back(mail::render_mailbox(recipient.mailbox));
    with_.journal.append({transaction.id, at, std::move(accepted)});
    for (const auto& decided : transaction.decisions) with_.journal.append({transaction.id, at, decided});
}

/// Forward-confirmed reverse DNS: a name counts only if it leads back to the address.
awaitable<void> Conversation::async_look_up_name() {
    const auto address = net::asio::ip::make_address(client_address_);
    const bool v4 = address.is_v4();
    const auto reverse =
        v4 ? dns::reverse_name(dns::Ipv4{address.to_v4().to_bytes()}) : dns::reverse_name(dns::Ipv6{address.to_v6().to_bytes()});
    const auto names = co_await with_.resolver->async_ask({reverse, dns::Type::ptr});
    for (const auto& record : names.records | std::views::take(kMostNames)) {
        const auto* name = std::get_if<dns::NameRecord>(&record);
        if (!name || !mail::parse_domain(name->target)) continue;
        const auto addresses = co_await with_.resolver->async_ask({name->target, v4 ? dns::Type::a : dns::Type::aaaa});
        const bool confirmed = std::ranges::any_of(addresses.records, [&](const dns::Record& found) {
            if (v4) return found == dns::Record(dns::Ipv4{address.to_v4().to_bytes()});
            return found == dns::Record(dns::Ipv6{address.to_v6().to_bytes()});
        });
        if (!confirmed) continue;
        client_name_ = name->target;
        co_return;
    }
}

}  // namespace thurn::inbound
