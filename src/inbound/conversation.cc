// Between the wire and the spool. Every event of the session is answered here and nowhere else; the order is: facts, decision, reply. An
// internal failure is always 4yz: the client must try again, never give up and never believe us (docs/life-of-a-message.md).
#include "inbound/conversation.h"

#include "directory/resolve.h"
#include "inbound/client_name.h"
#include "inbound/client_network.h"
#include "inbound/conversation.h"

#include <algorithm>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

namespace thurn::inbound {

using net::asio::awaitable;

namespace {

constexpr std::chrono::seconds kHandshakeTimeout{60};
/// Octets of commands read at once. Their replies, up to 25 times as long, are held for a client that may never read them.
constexpr std::size_t kCommands = 4096;
/// The same outside a transaction, where commands bring no mail: who sends HELP without end gets small turns, and the mail of others is not
/// held up by it (300 such clients made others wait for seconds).
constexpr std::size_t kIdleCommands = 512;
constexpr std::size_t kPace = 4096;  // octets of content for which a client has the time limit
constexpr std::chrono::seconds kSendTimeout{300};
constexpr std::chrono::seconds kLinger{2};         // for a client that is still sending when we hang up, so that it hears why
constexpr std::size_t kMostDiscarded = 64 * 1024;  // octets it may send meanwhile

}  // namespace

Conversation::Conversation(Service& service, net::Stream stream, const ListenerProfile& profile, std::shared_ptr<const Options> options,
                           std::span<char> read_buffer, IdleConnections& idle, std::uint64_t number)
    : service_(service),
      with_(service.with_),
      stream_(std::move(stream)),
      profile_(profile),
      options_(std::move(options)),
      read_buffer_(read_buffer),
      idle_(idle),
      client_{.session = fmt::format("s{}", number),
              .listener = profile.name,
              .address = client_address(stream_.peer()),
              .network = client_network(client_address(stream_.peer())),
              .port = stream_.peer().port()},
      in_relay_networks_(profile.relays && is_among(options_->relay_networks, client_.address)),
      speaker_(client_.address),
      session_(session_options()) {}

/// What follows from an address is asked for with every message, and found out once.
void Conversation::note_address() {
    client_.network = client_network(client_.address);
    in_relay_networks_ = profile_.relays && is_among(options_->relay_networks, client_.address);
}

Conversation::~Conversation() { leave_limits(); }

smtp::ServerOptions Conversation::session_options() const {
    auto result = options_->session;
    result.extensions = extensions();
    result.tls = with_.certificates ? profile_.tls : smtp::TlsState::unavailable;
    result.tokens = with_.tokens != nullptr;
    result.auth = profile_.role == policy::Role::submission ? smtp::AuthRule::required : smtp::AuthRule::off;
    if (result.auth != smtp::AuthRule::off) {
        result.random = &with_.random;
        result.scram = with_.directory.offers_scram();
        result.cram_md5 = options_->cram_md5;
    }
    if (profile_.role == policy::Role::lmtp) {
        result.protocol = smtp::Protocol::lmtp;
        result.greeting = "LMTP thurn";
    }
    return result;
}

/// What this client is offered; anew when it becomes another.
smtp::ServerExtensions Conversation::extensions() const {
    const bool submission = profile_.role == policy::Role::submission;
    const auto told = [&](Disclosure rule) {
        return rule == Disclosure::on || (rule == Disclosure::authenticated && (submission || !client_.login.empty()));
    };
    auto result = options_->session.extensions;
    if (submission && options_->future_release.count() > 0)
        result.future_release = smtp::FutureRelease{options_->future_release, with_.clock.now() + options_->future_release};
    result.vrfy = told(options_->vrfy);
    result.expn = told(options_->expn);
    result.etrn = may_run_queue();
    result.xclient = is_among(profile_.xclient_from, speaker_);
    result.xforward = is_among(profile_.xforward_from, speaker_);
    return result;
}

awaitable<void> Conversation::async_run() {
    if (co_await async_begin()) co_await async_converse();
    close_transaction();
    if (milters_) co_await milters_->async_quit();
    if (!counted_as_.empty()) co_await stream_.async_hang_up(net::within(kLinger), kMostDiscarded);  // who was turned away gets no time
    stream_.close();
    leave_limits();  // not only in the destructor: a look-up of the client's name may outlive the connection
    with_.log.info("disconnected", {{"session", client_.session},
                                    {"client", client_.address},
                                    {"login", client_.login},
                                    {"tls", client_.tls},
                                    {"messages", messages_},
                                    {"ms", milliseconds_since(begun_)}});
}

/// A reply on its way is let through: the client must learn that its message was taken.
void Conversation::stop() {
    session_.shut_down();
    if (reading_) stream_.cancel();
    if (held_back_) held_back_->cancel();
}

ConnectionLimits::Verdict Conversation::enter_limits() {
    const auto verdict = service_.limits_.enter(client_.address);
    if (verdict == ConnectionLimits::Verdict::welcome) counted_as_ = client_.address;
    return verdict;
}

void Conversation::leave_limits() {
    if (!counted_as_.empty()) service_.limits_.leave(std::exchange(counted_as_, {}));
}

void Conversation::abort() {
    stream_.close();
    if (held_back_) held_back_->cancel();
}

/// Who it is, implicit TLS, greeting. False when it ends here.
awaitable<bool> Conversation::async_begin() {
    if (is_among(profile_.proxy_protocol_from, client_.address) && !co_await async_take_proxy_header()) co_return false;
    with_.log.info("connected", {{"session", client_.session},
                                 {"client", client_.address},
                                 {"port", client_.port},
                                 {"proxy", through_},
                                 {"listener", client_.listener}});
    if (!co_await async_let_in()) co_return false;
    if (profile_.tls == smtp::TlsState::active && !co_await async_start_tls()) co_return false;
    look_up_name();
    if (!co_await async_pass_connection() || !co_await async_hear_silence()) co_return false;
    session_.greet();
    co_return co_await async_flush();
}

bool Conversation::may_connect() const { return profile_.networks.empty() || is_among(profile_.networks, client_.address); }

/// The listener's networks, bans and the limits. False when it was turned away.
awaitable<bool> Conversation::async_let_in() {
    if (!may_connect()) {
        co_await async_turn_away("listener.networks", smtp::make_reply(554, {5, 7, 1}, "your address may not connect here"));
        co_return false;
    }
    if (auto ban = find_ban()) {
        co_await async_turn_away(ban->rule, std::move(ban->reply));
        co_return false;
    }
    switch (enter_limits()) {
        case ConnectionLimits::Verdict::welcome:
            co_return true;
        case ConnectionLimits::Verdict::too_many:
            co_await async_turn_away("limits.connections", smtp::make_reply(421, {4, 3, 2}, "all connections are in use, try again later"));
            break;
        case ConnectionLimits::Verdict::too_many_from_there:
            co_await async_turn_away("limits.connections_per_ip",
                                     smtp::make_reply(421, {4, 7, 0}, "too many connections from your address, try again later"));
    }
    co_return false;
}

awaitable<void> Conversation::async_turn_away(std::string_view rule, smtp::Reply reply) {
    log_.warning("connection_refused", {.reason = rule});
    if (profile_.tls == smtp::TlsState::active) co_return;  // no words before the handshake
    session_.greet_with_refusal(reply);
    co_await async_flush();
}

/// Meanwhile the conversation goes on: the name is for trace and `Received:`.
void Conversation::look_up_name() {
    boost::system::error_code none;
    const auto address = net::asio::ip::make_address(client_.address, none);
    if (!with_.resolver || profile_.role != policy::Role::mx || none || address.is_loopback()) return;
    auto executor = stream_.executor();
    net::asio::co_spawn(
        executor,
        [](std::shared_ptr<Conversation> self) -> awaitable<void> {
            const auto asked = self->client_.address;
            auto name = co_await async_confirmed_name(*self->with_.resolver, asked);
            if (self->client_.address == asked) self->client_.name = std::move(name);  // XCLIENT may have told of another meanwhile
        }(shared_from_this()),
        net::asio::detached);
}

/// Who talks before the greeting is a program that sends without listening: no mail server does (RFC 5321 §4.3.1). Without a delay what has
/// come by now counts; the look costs nothing, for the first read of the conversation is spared it. False when it ends here.
awaitable<bool> Conversation::async_hear_silence() {
    const auto delay = options_->greeting_delay;
    if (profile_.role != policy::Role::mx || in_relay_networks_) co_return true;
    auto spoke = stream_.try_read(read_buffer_);
    if (!spoke && spoke.error().kind == base::ErrorKind::timed_out && delay.count() > 0) {
        reading_ = true;
        spoke = co_await stream_.async_read(read_buffer_, net::within(delay));
        reading_ = false;
    }
    if (!spoke) {
        const bool silent = spoke.error().kind == base::ErrorKind::timed_out;
        if (!silent) co_await async_flush();  // we may be stopping
        co_return silent;
    }
    session_.receive({read_buffer_.data(), *spoke});
    const auto reply = smtp::make_reply(554, {5, 5, 1}, "you talked before you were greeted");
    log_.info("early_talker", {.subject = "greeting", .reply = &reply});
    session_.greet_with_refusal(reply);
    co_await async_flush();
    co_return false;
}

/// Read, answer, send, until the session or the peer is done. Only what gets somewhere buys more time, a command that is whole or so many
/// octets: who sends one octet now and then would hold the connection for ever (slowloris).
awaitable<void> Conversation::async_converse() {
    std::size_t octets = 0;
    auto deadline = net::within(session_.time_limit());
    while (!session_.closed()) {
        const bool in_content = session_.in_content();
        reading_ = true;
        const auto room = read_buffer_.first(std::min(session_.in_content()       ? read_buffer_.size()
                                                      : session_.in_transaction() ? kCommands
                                                                                  : kIdleCommands,
                                                      read_buffer_.size()));
        const auto count = co_await stream_.async_read(room, deadline);
        reading_ = false;
        const auto heard = std::chrono::steady_clock::now();
        octets += count ? *count : 0;
        if (count)
            session_.receive({read_buffer_.data(), *count});
        else if (count.error().kind == base::ErrorKind::timed_out)
            session_.timed_out();
        else if (count.error().kind != base::ErrorKind::stopping)
            co_return;
        if (!co_await async_handle_events()) co_return;
        if (!co_await async_flush()) co_return;
        if (count && *count == room.size() && !session_.in_content()) co_await async_let_others();
        deadline += std::chrono::steady_clock::now() - heard;           // our own time is not the client's
        const bool chunk_begun = session_.in_content() && !in_content;  // by BDAT, which has no answer yet
        if (!std::exchange(answered_, false) && octets < kPace && !chunk_begun) continue;
        deadline = net::within(session_.time_limit());
        octets = 0;
    }
}

/// There is more from this client, and others of this loop have waited.
awaitable<void> Conversation::async_let_others() {
    auto executor = stream_.executor();
    co_await net::asio::post(executor, net::asio::use_awaitable);
}

awaitable<bool> Conversation::async_handle_events() {
    while (auto event = session_.next_event()) {
        const bool alive = co_await async_handle(*event);
        if (!alive) co_return false;
    }
    co_return true;
}

/// What most of mail is made of comes first. False when the connection is lost.
awaitable<bool> Conversation::async_handle(smtp::ServerEvent& event) {
    if (auto* chunk = std::get_if<smtp::ContentChunk>(&event)) {
        co_await async_take_chunk(chunk->octets);
    } else if (auto* recipient = std::get_if<smtp::RecipientGiven>(&event)) {
        co_await async_take_recipient(std::move(*recipient));
    } else if (auto* sender = std::get_if<smtp::SenderGiven>(&event)) {
        co_await async_take_sender(std::move(*sender));
    } else if (std::holds_alternative<smtp::ContentBegins>(event)) {
        co_await async_begin_content();
    } else if (std::holds_alternative<smtp::ContentEnded>(event)) {
        co_await async_finish_message();
        close_transaction();
    } else if (auto* hello = std::get_if<smtp::HelloGiven>(&event)) {
        co_await async_take_hello(std::move(hello->name));
    } else {
        co_return co_await async_handle_rare(event);
    }
    co_return true;
}

awaitable<bool> Conversation::async_handle_rare(smtp::ServerEvent& event) {
    if (auto* wanted = std::get_if<smtp::SecretWanted>(&event)) {
        wanted->login = directory::fold_address(wanted->login);
        co_await async_find_secret(std::move(*wanted));
    } else if (auto* credentials = std::get_if<smtp::CredentialsGiven>(&event)) {
        credentials->login = directory::fold_address(credentials->login);
        credentials->authorization = directory::fold_address(credentials->authorization);
        co_await async_check_credentials(std::move(*credentials));
    } else if (std::holds_alternative<smtp::TlsWanted>(event)) {
        co_return co_await async_flush() && co_await async_start_tls();
    } else if (auto* verify = std::get_if<smtp::VerifyWanted>(&event)) {
        co_await async_verify(std::move(*verify));
    } else if (auto* expand = std::get_if<smtp::ExpandWanted>(&event)) {
        co_await async_expand(std::move(*expand));
    } else if (auto* run = std::get_if<smtp::QueueRunWanted>(&event)) {
        co_await async_run_queue(std::move(*run));
    } else if (auto* other = std::get_if<smtp::XclientGiven>(&event)) {
        co_await async_become(std::move(*other));
    } else if (const auto* forwarded = std::get_if<smtp::XforwardGiven>(&event)) {
        take_forwarded(*forwarded);
    } else {
        note(event);
    }
    co_return true;
}

/// What needs no answer.
void Conversation::note(const smtp::ServerEvent& event) {
    if (const auto* dropped = std::get_if<smtp::ContentDropped>(&event)) {
        log_.info("content_refused", {.id = transaction_.id, .reason = dropped->reason});
        watch_for_attacks(*dropped);
        end_transaction();
    } else if (std::holds_alternative<smtp::TransactionReset>(event)) {
        end_transaction();
    } else if (const auto* hasty = std::get_if<smtp::ImproperPipelining>(&event)) {
        log_.info("improper_pipelining", {.subject = hasty->verb});
    } else if (const auto* refused = std::get_if<smtp::CommandRefused>(&event)) {
        if (refused->verb == "AUTH") log_failed_proof(refused->reply);
        if (milters_ && refused->reply.code == 500) milters_->note_unknown(refused->verb);
        log_.info("command_refused", {.id = transaction_.id, .subject = refused->verb, .reply = &refused->reply});
        watch_for_attacks(*refused);
    }
}

awaitable<bool> Conversation::async_flush() {
    while (session_.has_output()) {
        const auto output = session_.take_output();
        const auto sent = co_await stream_.async_write(std::string_view(output), net::within(kSendTimeout));
        if (!sent) co_return false;
        answered_ = true;
    }
    co_return true;
}

awaitable<bool> Conversation::async_start_tls() {
    auto context = with_.certificates->current();
    const auto shaken = co_await stream_.async_accept_tls(
        std::move(context), net::within(kHandshakeTimeout),
        profile_.role == policy::Role::submission ? net::ClientCertificate::wanted : net::ClientCertificate::ignored);
    if (!shaken) {
        log_.info("tls_failed", {.reason = shaken.error().detail});
        co_return false;
    }
    const auto agreed = stream_.tls_facts();
    if (agreed) {
        client_.tls = fmt::format("{} with {}{}", agreed->version, agreed->cipher, agreed->verified ? kCertificateVerified : "");
        session_.certificate_shown(agreed->client_mailboxes);
    }
    if (!client_.login.empty()) {  // told by XCLIENT in clear; what was said there is forgotten (RFC 3207 §4.2)
        client_.login.clear();
        session_.offer(extensions());
    }
    close_transaction();
    auto bindings = stream_.tls_bindings();
    session_.bind_channel({.exporter = std::move(bindings.exporter), .server_end_point = std::move(bindings.server_end_point)});
    if (profile_.tls != smtp::TlsState::active) session_.tls_started();
    co_return true;
}

}  // namespace thurn::inbound
