// A round never tries one parcel for ever: an attempt either settles a recipient, or puts its host out of the round. The one exception is a
// connection kept from an earlier message that turns out dead at the next envelope, which is no fault of the host's: that connection is
// replaced, and what fails on the new one counts.
#include "delivery/courier_round.h"

#include "net/connect.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace thurn::delivery {

namespace asio = boost::asio;
using Kind = RecipientOutcome::Kind;

namespace {

constexpr std::chrono::seconds kDataTimeout{120};  // RFC 5321 §4.5.3.2.4

class Stopwatch {
public:
    [[nodiscard]] std::chrono::milliseconds read() const {
        return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin_);
    }

private:
    std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

base::Time wall_clock() { return std::chrono::time_point_cast<base::Duration>(std::chrono::system_clock::now()); }

/// Our disk failed, not the host.
bool is_ours(const Failure& failure) {
    return failure.error.kind == base::ErrorKind::disk || failure.error.kind == base::ErrorKind::corrupt;
}

/// Another host is not asked when this one may have taken the message, or is not to blame.
bool ends_parcel(const Failure& failure) { return failure.stage == Stage::ending || is_ours(failure); }

/// A 421 before the dot says nothing about the message: another connection, or another host, may take it.
bool is_about_connection(const smtp::Reply& reply, const std::optional<Failure>& ended) {
    return ended && ended->stage < Stage::ending && reply.code == 421;
}

/// It said so, or its certificate did; a handshake that broke, or 454, may go well another time.
bool shows_no_trusted_tls(const Failure& failure) {
    const bool transient = failure.reply && failure.reply->transient();
    return failure.stage == Stage::securing && failure.error.kind == base::ErrorKind::refused && !transient;
}

std::string_view name_of(mail::Passage passage) {
    return passage == mail::Passage::seven_bit ? "converted to 7-bit" : "converted from binary to 8-bit";
}

/// A route's own, and everybody's for the family it has none of.
std::vector<asio::ip::address> sources_of(const route::Egress* egress, const SmtpCourierOptions& options) {
    std::vector<asio::ip::address> sources;
    if (egress)
        for (const auto& address : egress->sources) sources.push_back(ip_address_of(address));
    for (const auto& address : options.sources) sources.push_back(ip_address_of(address));  // behind: the first of a family counts
    return sources;
}

/// Each reply once: most often all recipients have the same.
std::vector<std::string> distinct_statuses(const std::vector<RecipientOutcome>& outcomes) {
    std::vector<std::string> statuses;
    for (const auto& outcome : outcomes)
        if (std::ranges::find(statuses, outcome.status) == statuses.end()) statuses.push_back(outcome.status);
    return statuses;
}

/// Among the first `fitting` those that are wanted come first, in their order; how many those are.
template <class Wanted>
std::size_t bring_forward(std::vector<std::size_t>& open, std::size_t fitting, Wanted wanted) {
    std::vector<std::size_t> first;
    std::vector<std::size_t> others;
    for (std::size_t i = 0; i < open.size(); ++i) (i < fitting && wanted(open[i]) ? first : others).push_back(open[i]);
    const auto count = first.size();
    first.insert(first.end(), others.begin(), others.end());
    open = std::move(first);
    return count;
}

}  // namespace

CourierRound::CourierRound(Means means, asio::any_io_executor executor, std::shared_ptr<const Destination> destination,
                           std::shared_ptr<ParcelSource> parcels)
    : means_(means),
      executor_(std::move(executor)),
      destination_(std::move(destination)),
      parcels_(std::move(parcels)),
      standings_(destination_->hosts.addresses.size()),
      sources_(sources_of(destination_->egress.get(), means.options)),
      messages_per_connection_(std::max<std::size_t>(means.options.messages_per_connection, 1)),
      last_failure_{Kind::deferred, "451 4.4.1 the destination has no hosts", {}} {}

asio::awaitable<queue::SiteOutcome> CourierRound::async_run() {
    bool tried = false;
    bool ever_worked = false;
    while (auto parcel = co_await parcels_->async_next(means_.options.idle)) {
        tried = true;
        co_await async_carry(*std::move(parcel));
        ever_worked = ever_worked || worked_;
        if (connection_ || !all_failed()) continue;
        if (!std::exchange(worked_, false)) {
            co_await async_defer_rest();
            co_return queue::SiteOutcome::unreachable;
        }
        for (auto& standing : standings_) standing.failed = false;
    }
    co_await async_drop();
    // Without a parcel nothing was learnt, and a site must not be punished for that.
    co_return ever_worked || !tried ? queue::SiteOutcome::worked : queue::SiteOutcome::unreachable;
}

asio::awaitable<Connection::Outcome<Connection::Answered>> CourierRound::async_ask(mail::Mailbox recipient) {
    Connection::Outcome<Connection::Answered> answered =
        std::unexpected(Failure{Stage::connecting, {base::ErrorKind::not_found, "the destination has no hosts"}, std::nullopt});
    for (std::size_t host = 0; host < standings_.size(); ++host) {
        auto opened = co_await Connection::async_open(connection_options(host));
        if (!opened && opened.error().stage == Stage::securing && may_speak_in_clear()) {
            standings_[host].tls_failed = true;
            opened = co_await Connection::async_open(connection_options(host));
        }
        if (!opened) {
            answered = std::unexpected(std::move(opened).error());
            continue;
        }
        answered = co_await (*opened)->async_ask(recipient);
        co_await (*opened)->async_quit();
        if (answered) break;
    }
    co_return answered;
}

/// Parcels the source has set apart for this round would be nobody's otherwise.
asio::awaitable<void> CourierRound::async_defer_rest() {
    while (auto parcel = co_await parcels_->async_next(std::chrono::milliseconds(0))) {
        std::vector<RecipientOutcome> outcomes(parcel->recipients.size(), last_failure_);
        parcels_->settled(*std::move(parcel), std::move(outcomes));
    }
}

bool CourierRound::all_failed() const { return std::ranges::all_of(standings_, &Standing::failed); }

asio::awaitable<void> CourierRound::async_carry(Parcel parcel) {
    const std::size_t count = parcel.recipients.size();
    Load load{parcel, std::vector<RecipientOutcome>(count), std::vector<std::size_t>(count), InDoubtMark(executor_, parcels_, parcel), {}};
    std::iota(load.open.begin(), load.open.end(), std::size_t{0});
    while (!load.open.empty()) {
        const bool connected = connection_ || co_await async_connect(load);
        if (connected)
            co_await async_attempt(load);
        else
            settle_open(load, without_host(load));
    }
    co_await load.mark.async_wait();
    parcels_->settled(std::move(parcel), std::move(load.outcomes));
}

bool CourierRound::may_try(std::size_t host, const Load& load) const {
    return !standings_[host].failed && std::ranges::find(load.set_aside, host) == load.set_aside.end();
}

std::optional<std::size_t> CourierRound::next_host(const Load& load) const {
    std::optional<std::size_t> slow;
    for (std::size_t host = 0; host < standings_.size(); ++host) {
        if (!may_try(host, load)) continue;
        if (!standings_[host].slow) return host;
        if (!slow) slow = host;
    }
    return slow;
}

/// The next address that may be tried beside this one: what a domain put behind it is not asked while this may still answer (RFC 5321 §5.1).
std::optional<std::size_t> CourierRound::rival_of(std::size_t host, const Load& load) const {
    const auto& addresses = destination_->hosts.addresses;
    if (destination_->proxy || standings_[host].slow || !addresses[host].socket.empty()) return std::nullopt;
    for (std::size_t next = host + 1; next < standings_.size(); ++next)
        if (may_try(next, load) && !standings_[next].slow && addresses[next].preference == addresses[host].preference) return next;
    return std::nullopt;
}

asio::awaitable<bool> CourierRound::async_connect(const Load& load) {
    const auto& parcel = load.parcel;
    while (const auto host = next_host(load)) {
        const auto rival = rival_of(*host, load);
        auto dialled = rival ? co_await async_race(*host, *rival, parcel) : co_await async_dial(*host, parcel);
        if (!dialled) continue;
        current_ = dialled->host;
        const Stopwatch watch;
        auto opened = co_await async_begin(*std::move(dialled), parcel);
        if (opened) {
            connection_ = *std::move(opened);
            co_return true;
        }
        note_failed_host(parcel, current_, opened.error(), watch.read());
    }
    co_return false;
}

asio::awaitable<std::optional<CourierRound::Dialled>> CourierRound::async_dial(std::size_t host, const Parcel& parcel) {
    const Stopwatch watch;
    const auto options = connection_options(host);
    auto tunnel = co_await Connection::async_dial(options);
    if (tunnel) co_return Dialled{host, *std::move(tunnel)};
    note_failed_host(parcel, host, {Stage::connecting, std::move(tunnel).error(), std::nullopt}, watch.read());
    co_return std::nullopt;
}

asio::awaitable<std::optional<CourierRound::Dialled>> CourierRound::async_race(std::size_t host, std::size_t rival, const Parcel& parcel) {
    const Stopwatch watch;
    const auto& addresses = destination_->hosts.addresses;
    const std::array<std::size_t, 2> hosts{host, rival};
    std::array<net::Racer, 2> racers;
    for (std::size_t k = 0; k < hosts.size(); ++k) {
        racers[k].to = endpoint_of(addresses[hosts[k]]);
        racers[k].source = net::source_for(sources_, racers[k].to);
    }
    auto race = co_await net::async_connect_first(racers, means_.options.head_start, means_.options.connect_timeout);
    for (std::size_t k = 0; k < hosts.size(); ++k)
        if (race.errors[k]) note_failed_host(parcel, hosts[k], {Stage::connecting, *std::move(race.errors[k]), std::nullopt}, watch.read());
    if (!race.stream) co_return std::nullopt;
    if (race.winner == 1 && !standings_[host].failed) standings_[host].slow = true;
    co_return Dialled{hosts[race.winner], {.stream = *std::move(race.stream)}};
}

/// With TlsDemand::may a host whose TLS is broken is better spoken to in clear than not at all (RFC 7435 §3).
asio::awaitable<CourierRound::Opened> CourierRound::async_begin(Dialled dialled, const Parcel& parcel) {
    const Stopwatch watch;
    const auto host = dialled.host;
    auto options = connection_options(host);
    auto opened = co_await Connection::async_begin(std::move(options), std::move(dialled.tunnel));
    if (opened || opened.error().stage != Stage::securing || opened.error().reply || standings_[host].tls_failed || !may_speak_in_clear())
        co_return opened;
    note_failed_host(parcel, host, opened.error(), watch.read());
    standings_[host].failed = false;
    standings_[host].tls_failed = true;
    auto options_in_clear = connection_options(host);
    co_return co_await Connection::async_open(std::move(options_in_clear));
}

asio::awaitable<void> CourierRound::async_attempt(Load& load) {
    const HostFacts host{connection_->extensions(), connection_->name(), verified(), wall_clock()};
    if (auto refused = refusal(load.parcel, host)) {
        if (others_may_differ(load, *refused))
            co_await async_set_aside(load, *std::move(refused));
        else
            settle_untried(load, *refused);
        co_return;
    }
    const Stopwatch watch;
    const auto later = set_apart(load);
    auto transaction = make_transaction(load.parcel, load.open, host.now);
    auto content = load.parcel.message->content;
    load.remark.clear();
    if (const auto passage = conversion_for(load.parcel.message->envelope.body, connection_->extensions())) {
        auto converted = co_await async_convert(load, *passage);
        if (!converted) {
            load.open.insert(load.open.end(), later.begin(), later.end());
            settle_untried(load, unconverted(converted.error()));
            co_return;
        }
        content = *std::move(converted);
        transaction.parameters.size = content->size();
        transaction.parameters.body = *passage == mail::Passage::seven_bit ? mail::BodyType::seven_bit : mail::BodyType::eight_bit;
        load.remark = name_of(*passage);
    }
    auto handed = co_await connection_->async_hand_over(std::move(transaction), std::move(content), load.mark, means_.pool);
    if (handed)
        take_replies(load, *handed, watch.read());
    else
        take_failure(load, handed.error(), watch.read());
    load.open.insert(load.open.end(), later.begin(), later.end());
    if (!connection_) co_return;
    const std::size_t most = connection_->extensions().limits.messages.value_or(std::numeric_limits<std::uint32_t>::max());
    if (!connection_->reusable() || connection_->messages() >= std::min(messages_per_connection_, most)) co_await async_drop();
}

/// Takes out of `open` what the host said beforehand is too much for one transaction (RFC 9422 §4).
std::vector<std::size_t> CourierRound::set_apart(Load& load) const {
    const auto& limits = connection_->extensions().limits;
    std::size_t fitting = bring_sender_forward(load);
    if (limits.recipient_domains) fitting = bring_domains_forward(load, fitting, *limits.recipient_domains);
    if (limits.recipients) fitting = std::min<std::size_t>(fitting, *limits.recipients);
    const auto from = load.open.begin() + static_cast<std::ptrdiff_t>(fitting);
    std::vector<std::size_t> later(from, load.open.end());
    load.open.erase(from, load.open.end());
    return later;
}

/// Recipients with the first one's sender come first; how many those are.
std::size_t CourierRound::bring_sender_forward(Load& load) {
    if (load.parcel.senders.empty()) return load.open.size();
    const auto sender = load.parcel.sender_for(load.open.front());
    return bring_forward(load.open, load.open.size(), [&](std::size_t position) { return load.parcel.sender_for(position) == sender; });
}

/// Among the first `fitting`, recipients of the first `most` domains come first; how many those are.
std::size_t CourierRound::bring_domains_forward(Load& load, std::size_t fitting, std::size_t most) {
    std::set<std::string_view> domains;
    return bring_forward(load.open, fitting, [&](std::size_t position) {
        const auto& recipient = load.parcel.message->envelope.recipients.at(load.parcel.recipients[position]);
        const std::string_view domain = recipient.mailbox.domain.text();
        if (domains.size() < most) domains.insert(domain);
        return domains.contains(domain);
    });
}

/// A connection that had to be verified and was not does not come about.
bool CourierRound::verified() const { return destination_->tls == route::TlsDemand::verify && !connection_->tls().empty(); }

/// In what is sent; our copy stays as it came.
asio::awaitable<CourierRound::Converted> CourierRound::async_convert(const Load& load, mail::Passage passage) {
    auto work = [content = load.parcel.message->content, passage, signatory = means_.options.signatory]() -> Converted {
        auto converted = convert_content(*content, passage);
        if (!converted) return converted;
        return sign_converted(*content, *std::move(converted), signatory, wall_clock());
    };
    co_return co_await means_.pool.async_run(std::move(work));
}

/// The disk may be better the next time, the message will not.
RecipientOutcome CourierRound::unconverted(const base::Error& error) const {
    if (error.kind == base::ErrorKind::disk || error.kind == base::ErrorKind::corrupt)
        return {Kind::deferred, fmt::format("451 4.3.0 cannot read the message from the spool: {}", error.detail), {}};
    return {Kind::failed,
            fmt::format("554 5.6.3 {} cannot take the message as it is, and it cannot be converted: {}", connection_->name(), error.detail),
            {}};
}

// REQUIRETLS asks something of each host, and one domain's hosts need not be alike (RFC 8689 §4.2.1): a message ends for lack of it only when
// every host has been asked, and none of them was merely out of reach.

/// Where nothing is verified, no host will do: there is nobody else to ask.
bool CourierRound::others_may_differ(const Load& load, const RecipientOutcome& refused) const {
    return load.parcel.message->envelope.wishes.require_tls && verified() && split_status(refused.status).enhanced == "5.7.30";
}

asio::awaitable<void> CourierRound::async_set_aside(Load& load, RecipientOutcome refused) {
    load.set_aside.push_back(current_);
    note_attempt(load, refused, "not tried");
    load.lack = std::move(refused);
    co_await async_drop();
}

/// What becomes of a message that found no host.
RecipientOutcome CourierRound::without_host(const Load& load) const {
    if (!load.parcel.message->envelope.wishes.require_tls || standings_.empty()) return last_failure_;
    for (std::size_t host = 0; host < standings_.size(); ++host)
        if (may_try(host, load) || (standings_[host].failed && !standings_[host].insecure)) return last_failure_;
    if (load.lack) return *load.lack;
    const auto status =
        fmt::format("550 5.7.10 the message asks for REQUIRETLS, and no host can be trusted with it: {}", last_failure_.status);
    return {Kind::failed, status, {}};
}

/// Of a message that was not handed over.
void CourierRound::note_attempt(const Load& load, const RecipientOutcome& outcome, std::string result) {
    parcels_->attempted(load.parcel, {connection_->name(), connection_->tls(), std::move(result), {outcome.status}, {}, {}});
    worked_ = true;
}

void CourierRound::settle_untried(Load& load, const RecipientOutcome& outcome) {
    settle_open(load, outcome);
    note_attempt(load, outcome, summarize(load.outcomes));
}

asio::awaitable<void> CourierRound::async_drop() {
    if (!connection_) co_return;
    co_await connection_->async_quit();
    connection_.reset();
}

ConnectionOptions CourierRound::connection_options(std::size_t host) const {
    const auto& options = means_.options;
    const auto& egress = destination_->egress;
    const bool verify = destination_->tls == route::TlsDemand::verify;
    const auto starttls = standings_[host].tls_failed ? smtp::StartTls::never
                          : destination_->credentials ? smtp::StartTls::must  // a password is never sent in clear
                                                      : smtp::StartTls::may;
    return {.host = destination_->hosts.addresses[host],
            .tls = destination_->tls,
            .implicit_tls = destination_->implicit_tls,
            .tls_context = verify ? means_.verifying : means_.opportunistic,
            .connect_timeout = options.connect_timeout,
            .sources = sources_,
            .proxy = destination_->proxy,
            .proxy_header = egress ? egress->header : route::ProxyHeader::none,
            .session = {.hello_name = egress && !egress->hello.empty() ? egress->hello : options.hello_name,
                        .protocol = destination_->protocol,
                        .starttls = starttls,
                        .chunking = sends_chunks(host) ? smtp::Chunking::when_offered : smtp::Chunking::when_needed,
                        .tls_active = false,
                        .credentials = destination_->credentials,
                        .random = options.random,
                        .greeting_timeout = options.greeting_timeout,
                        .hello_timeout = options.hello_timeout.value_or(options.command_timeout),
                        .mail_timeout = options.mail_timeout.value_or(options.command_timeout),
                        .rcpt_timeout = options.rcpt_timeout.value_or(options.command_timeout),
                        .command_timeout = options.command_timeout,
                        .data_timeout = options.data_timeout.value_or(std::min(options.command_timeout, kDataTimeout)),
                        .content_timeout = options.content_timeout,
                        .ending_timeout = options.ending_timeout}};
}

bool CourierRound::sends_chunks(std::size_t host) const {
    return means_.options.chunking == smtp::Chunking::when_offered && destination_->protocol == smtp::Protocol::smtp &&
           !standings_[host].no_chunks;
}

bool CourierRound::may_speak_in_clear() const {
    return destination_->tls == route::TlsDemand::may && !destination_->implicit_tls && !destination_->credentials;
}

void CourierRound::take_replies(Load& load, const Connection::HandedOver& handed, std::chrono::milliseconds took) {
    const std::string& remote_host = connection_->host().host;
    const bool some_taken = std::ranges::any_of(handed.replies, &smtp::Reply::positive);
    const bool chunked = connection_->extensions().chunking && sends_chunks(current_);
    std::vector<RecipientOutcome> now;
    std::vector<std::size_t> left;
    std::string unknown;  // what a host said to BDAT that offered it
    for (std::size_t k = 0; k < load.open.size(); ++k) {
        const auto& reply = handed.replies.at(k);
        // The rest goes in a transaction of its own; each takes some, so this ends. When none was taken, the reply means what it says.
        const bool over_limit = some_taken && is_recipient_limit(reply);
        const bool connection_only =
            is_about_connection(reply, handed.ended) || std::ranges::find(handed.unanswered, k) != handed.unanswered.end();
        const bool unknown_chunk = chunked && is_unknown_command(reply);
        if (unknown_chunk) unknown = smtp::describe_reply(reply);
        if (over_limit || connection_only || unknown_chunk) left.push_back(load.open[k]);
        if (connection_only || unknown_chunk) continue;
        auto outcome = outcome_of_reply(reply, remote_host);
        if (over_limit) outcome.kind = Kind::deferred;
        outcome.handed = handed_to();
        outcome.relaying_told = relaying_is_told(load.parcel.message->envelope.wishes, connection_->extensions());
        load.outcomes[load.open[k]] = outcome;
        now.push_back(std::move(outcome));
    }
    load.open = std::move(left);
    if (!now.empty()) {
        worked_ = true;
        parcels_->attempted(load.parcel,
                            {connection_->name(), connection_->tls(), summarize(now), distinct_statuses(now), took, load.remark});
    }
    if (!unknown.empty()) {
        parcels_->attempted(load.parcel,
                            {connection_->name(), connection_->tls(), "offers CHUNKING, does not know BDAT", {unknown}, took, load.remark});
        standings_[current_].no_chunks = true;
        connection_.reset();  // it takes the chunk for commands
        return;
    }
    if (!handed.ended) return;
    if (!load.open.empty()) return take_failure(load, *handed.ended, took);
    connection_.reset();
}

/// What LMTP took lies in its mailbox (RFC 2033 §1).
RecipientOutcome::Handed CourierRound::handed_to() const {
    if (connection_->extensions().dsn) return RecipientOutcome::Handed::to_host_that_reports;
    return destination_->protocol == smtp::Protocol::lmtp ? RecipientOutcome::Handed::to_mailbox : RecipientOutcome::Handed::to_host;
}

void CourierRound::take_failure(Load& load, const Failure& failure, std::chrono::milliseconds took) {
    const bool was_kept = connection_->messages() > 0;
    const auto outcome = outcome_of_failure(failure, connection_->name(), connection_->host().host);
    // A host that ends kept connections after so many messages says so with 421: no need to run into that again.
    if (was_kept && failure.reply && failure.reply->code == 421)
        messages_per_connection_ = std::min(messages_per_connection_, connection_->messages());
    if (ends_parcel(failure)) settle_open(load, outcome);
    worked_ = worked_ || is_ours(failure);
    const std::string result = load.open.empty() ? summarize(load.outcomes) : "connection failed";
    parcels_->attempted(load.parcel, {connection_->name(), connection_->tls(), result, {outcome.status}, took, load.remark});
    means_.log.debug("connection_lost", {{"host", connection_->name()}, {"reason", outcome.status}});
    connection_.reset();
    const bool stale = was_kept && failure.stage == Stage::envelope;
    if (stale || is_ours(failure)) return;
    standings_[current_].failed = true;
    standings_[current_].insecure = false;
    last_failure_ = outcome;
}

void CourierRound::settle_open(Load& load, const RecipientOutcome& outcome) {
    for (const std::size_t position : load.open) load.outcomes[position] = outcome;
    load.open.clear();
}

void CourierRound::note_failed_host(const Parcel& parcel, std::size_t host, const Failure& failure, std::chrono::milliseconds took) {
    const auto& address = destination_->hosts.addresses[host];
    const std::string name = render_host(address);
    last_failure_ = outcome_of_failure(failure, name, address.host);
    standings_[host].failed = true;
    standings_[host].insecure = shows_no_trusted_tls(failure);
    // The trace wants what the host really said, even where that is not our status.
    std::vector<std::string> replies{failure.reply ? smtp::describe_reply(*failure.reply) : last_failure_.status};
    means_.log.debug("connection_failed", {{"host", name}, {"reason", replies.front()}});
    parcels_->attempted(parcel, {name, {}, "connection failed", std::move(replies), took, {}});
}

}  // namespace thurn::delivery
