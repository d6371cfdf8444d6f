// The hub between spool, queue and couriers. All state lives on one executor, so there are no locks but at the two doors where other
// threads leave things: arrivals (from the spool's thread) and settlements (from couriers). Both are drained in batches: under load one
// wake-up serves many messages.
//
// Invariant: a recipient is in `under_way` from the moment anything is done about it until its outcome is recorded in the spool. So it is
// never carried twice at once, and a sweep of the spool that sees a state from before the record cannot bring it back.
#include "delivery/dispatcher.h"

#include "delivery/site_feed.h"
#include "mail/mailbox.h"
#include "spool/content.h"
#include "spool/held.h"

#include <algorithm>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

namespace thurn::delivery {

namespace asio = net::asio;

namespace {

constexpr std::size_t kSweepPage = 500;
constexpr std::chrono::milliseconds kLocalIdle{100};
constexpr std::size_t kFewDestinations = 1000;

/// All, but where the originator wants its message held back (RFC 4865): then a sweep brings it in time.
std::vector<std::uint32_t> due_recipients(const spool::Envelope& envelope, base::Time now) {
    std::vector<std::uint32_t> due;
    due.reserve(envelope.recipients.size());
    for (std::uint32_t index = 0; index < envelope.recipients.size(); ++index) {
        const auto& state = envelope.recipients[index].state;
        if (state.standing == spool::Standing::waiting && state.due <= now) due.push_back(index);  // one may be held from the beginning
    }
    return due;
}

asio::awaitable<queue::SiteOutcome> async_carry_local(std::shared_ptr<const Maildir> maildir, std::shared_ptr<ParcelSource> parcels,
                                                      net::BlockingPool& pool) {
    while (auto parcel = co_await parcels->async_next(kLocalIdle)) {
        const auto begun = std::chrono::steady_clock::now();
        auto outcomes = co_await pool.async_run([&maildir, &parcel] {
            std::vector<RecipientOutcome> results;
            for (std::size_t i = 0; i < parcel->recipients.size(); ++i)
                results.push_back(maildir->deliver(*parcel->message, parcel->recipients[i], parcel->accounts[i]));
            return results;
        });
        for (std::size_t i = 0; i < outcomes.size(); ++i) {
            const bool delivered = outcomes[i].kind == RecipientOutcome::Kind::delivered;
            outcomes[i].mailbox = maildir->folder(parcel->accounts[i], parcel->message->envelope).string();
            parcels->attempted({.message = parcel->message, .recipients = {parcel->recipients[i]}, .accounts = {}},
                               {.host = outcomes[i].mailbox,
                                .tls = {},
                                .result = delivered                                              ? "delivered"
                                          : outcomes[i].kind == RecipientOutcome::Kind::deferred ? "deferred"
                                                                                                 : "failed",
                                .replies = delivered ? std::vector<std::string>{} : std::vector{outcomes[i].status},
                                .took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun)});
        }
        parcels->settled(*std::move(parcel), std::move(outcomes));
    }
    co_return queue::SiteOutcome::worked;
}

}  // namespace

std::string describe(const std::exception_ptr& trouble) {
    try {
        std::rethrow_exception(trouble);
    } catch (const std::exception& exception) {
        return exception.what();
    } catch (...) {
        return "unknown";
    }
}

Dispatcher::Dispatcher(DispatcherDependencies dependencies, queue::SchedulerOptions scheduler, Carriers carriers,
                       asio::any_io_executor home)
    : with_(dependencies),
      carriers_(std::move(carriers)),
      home_(std::move(home)),
      contents_(with_.spool, carriers_.options->content_memory),
      scheduler_(scheduler),
      forget_beyond_(kFewDestinations),
      sweep_timer_(home_) {}

Dispatcher::~Dispatcher() = default;

void Dispatcher::start() { spawn(async_sweep_for_ever(), "sweep"); }

/// An exception is a bug or no memory. It ends the coroutine, not the server, and what was under way waits for the next start.
void Dispatcher::spawn(Awaitable<> work, const char* name) {
    asio::co_spawn(home_, std::move(work), [this, name](std::exception_ptr trouble) {
        if (trouble) with_.log.error("dispatcher_failed", {{"what", name}, {"reason", describe(trouble)}});
    });
}

void Dispatcher::accept(spool::StoredMessage&& message) {
    const bool first = arrivals_.with([&](auto& waiting) {
        waiting.push_back(std::move(message));
        return waiting.size() == 1;
    });
    if (first) asio::post(home_, [this] { take_arrivals(); });
}

void Dispatcher::take_arrivals() {
    auto arrived = arrivals_.with([](auto& waiting) { return std::exchange(waiting, {}); });
    for (auto& message : arrived) {
        if (stopping_ || active_.size() >= carriers_.options->active_messages) {
            rewind_sweep();  // it is due in the spool: the sweep brings it when there is room
            continue;
        }
        auto due = due_recipients(message.envelope, with_.clock.now());
        if (!due.empty()) enter(hold(std::move(message)), std::move(due));
    }
    pump();
}

/// The message, to be shared by all who have to do with it.
std::shared_ptr<const spool::StoredMessage> Dispatcher::hold(spool::StoredMessage&& message) {
    message.content = contents_.admit(message);
    return std::make_shared<const spool::StoredMessage>(std::move(message));
}

/// Takes up those of the recipients that are not under way.
void Dispatcher::enter(std::shared_ptr<const spool::StoredMessage> message, std::vector<std::uint32_t> recipients) {
    const auto id = message->id;
    auto& active = active_[id];
    if (!active.message) active.message = std::move(message);
    std::erase_if(recipients, [&](auto index) { return !active.under_way.insert(index).second; });
    if (recipients.empty()) return;
    spawn(async_route(id, std::move(recipients)), "route");
}

/// An open connection is better than a new one. The work is handed over here, as pump() would be quicker than what wakes up.
void Dispatcher::offer_to_idle(const std::string& site) {
    const auto idle = idle_.find(site);
    if (idle == idle_.end()) return;
    auto parcels = take_more(site);
    if (parcels.empty()) return;
    const auto feed = idle->second.back();
    no_longer_idle(*feed);
    feed->hand_over(std::move(parcels));
}

/// Invariant: what has jobs has a destination. Looks again when there are twice as many, so the cost is constant for each site.
void Dispatcher::forget_destinations() {
    decltype(destinations_) needed;
    for (const auto& view : scheduler_.sites(with_.clock.now()))
        if (auto found = destinations_.find(view.site); view.ready > 0 && found != destinations_.end()) needed.insert(*found);
    destinations_ = std::move(needed);
    forget_beyond_ = std::max(kFewDestinations, 2 * destinations_.size());
}

/// Starts couriers for all that may start now.
void Dispatcher::pump() {
    if (stopping_) return;
    while (auto batch = scheduler_.take(with_.clock.now())) start_courier(*std::move(batch));
    defer_stale();
}

void Dispatcher::start_courier(queue::Batch batch) {
    auto site = batch.site;
    auto feed = std::make_shared<SiteFeed>(*this, site, make_parcels(batch));  // shared: idle_ wakes it while the courier waits in it
    auto& loop = with_.loops.next();
    ++couriers_;
    auto done = [this, site, feed](std::exception_ptr trouble, queue::SiteOutcome outcome) {
        if (trouble) with_.log.error("courier_failed", {{"site", site}, {"reason", describe(trouble)}});
        const auto end = trouble ? queue::SiteOutcome::unreachable : outcome;
        asio::post(home_, [this, site, end, left = feed->take_unsettled()]() mutable { courier_ended(site, end, std::move(left)); });
    };
    if (site == kLocalSite)
        asio::co_spawn(loop, async_carry_local(carriers_.maildir, std::move(feed), with_.pool), std::move(done));
    else
        asio::co_spawn(loop, async_carry_remote(carriers_.smtp, destinations_.at(site), std::move(feed)), std::move(done));
}

asio::awaitable<queue::SiteOutcome> Dispatcher::async_carry_remote(std::shared_ptr<const SmtpCourier> courier,
                                                                   std::shared_ptr<const Destination> destination,
                                                                   std::shared_ptr<SiteFeed> feed) {
    co_return co_await courier->async_carry(std::move(destination), std::move(feed));
}

/// What the courier leaves unsettled, since it failed or we are stopping, must not stay under way for ever.
void Dispatcher::courier_ended(const std::string& site, queue::SiteOutcome outcome, std::deque<Parcel> unsettled) {
    --couriers_;
    take_settlements();  // what it reported last comes before its end
    for (auto& parcel : unsettled) {
        scheduler_.finished(site, 1);
        if (stopping_) continue;  // it is due in the spool
        std::vector<RecipientOutcome> outcomes(
            parcel.recipients.size(),
            {.kind = RecipientOutcome::Kind::deferred, .status = "451 4.3.0 delivery was interrupted", .remote_host = {}});
        settle({.site = site, .parcel = std::move(parcel), .outcomes = std::move(outcomes)});
    }
    scheduler_.released(site, outcome, with_.clock.now());
    pump();
}

/// Jobs become parcels: the messages are in memory, since they are active.
std::deque<Parcel> Dispatcher::make_parcels(const queue::Batch& batch) {
    std::deque<Parcel> parcels;
    for (const auto& job : batch.jobs) {
        auto& active = active_.at(job.id);
        Parcel parcel{.message = active.message, .recipients = job.recipients, .accounts = {}};
        for (const auto index : job.recipients) active.scheduled.erase(index);
        add_accounts(active, parcel);
        add_senders(parcel);
        parcels.push_back(std::move(parcel));
    }
    return parcels;
}

/// Of all recipients or of none.
void Dispatcher::add_accounts(const Active& active, Parcel& parcel) {
    const auto has_account = [&](auto index) { return active.accounts.contains(index); };
    if (active.accounts.empty() || std::ranges::none_of(parcel.recipients, has_account)) return;
    for (const auto index : parcel.recipients)
        parcel.accounts.push_back(has_account(index) ? active.accounts.at(index) : active.message->envelope.recipients[index].mailbox);
}

/// Mail that an alias sends on to another host comes from us now: with a sender in the alias's domain SPF holds there, and bounces find their
/// way back (mailauth/srs.h). One of our own may send from here as he is.
std::optional<mail::Mailbox> Dispatcher::rewritten_sender(const spool::Envelope& envelope, const spool::Recipient& recipient) const {
    const auto& rewriting = carriers_.options->rewriting;
    if (!rewriting || envelope.sender.is_null() || recipient.original.empty()) return std::nullopt;
    const auto known = with_.directory.peek(*envelope.sender.mailbox);
    if (known && *known && !std::holds_alternative<directory::NotLocal>(**known)) return std::nullopt;
    const auto forwarder = mail::parse_mailbox(recipient.original, mail::Charset::utf8);
    if (!forwarder) return std::nullopt;
    auto rewritten = rewriting->rewrite(*envelope.sender.mailbox, forwarder->domain, with_.clock.now());
    return rewritten ? std::optional(*std::move(rewritten)) : std::nullopt;
}

/// Of all recipients or of none.
void Dispatcher::add_senders(Parcel& parcel) {
    if (!parcel.accounts.empty()) return;
    const auto& envelope = parcel.message->envelope;
    std::vector<mail::ReversePath> senders;
    bool rewritten = false;
    for (const auto index : parcel.recipients) {
        const auto& recipient = envelope.recipients[index];
        auto sender = rewritten_sender(envelope, recipient);
        rewritten = rewritten || sender;
        if (sender && recipient.state.attempts == 0)
            trace(parcel.message->id,
                  trace::Noted{"sender rewritten", fmt::format("to {} for {}, as {} sends it on", mail::render_mailbox(*sender),
                                                               mail::render_mailbox(recipient.mailbox), recipient.original)});
        senders.push_back(sender ? mail::ReversePath{std::move(sender)} : envelope.sender);
    }
    if (rewritten) parcel.senders = std::move(senders);
}

std::deque<Parcel> Dispatcher::take_more(const std::string& site) {
    if (stopping_) return {};
    auto batch = scheduler_.take_more(site, with_.clock.now());
    return batch ? make_parcels(*batch) : std::deque<Parcel>{};
}

void Dispatcher::no_longer_idle(const SiteFeed& feed) {
    const auto found = idle_.find(feed.site());
    if (found == idle_.end()) return;
    std::erase_if(found->second, [&](const auto& one) { return one.get() == &feed; });
    if (found->second.empty()) idle_.erase(found);
}

/// Jobs of sites at rest go back to the spool, with the reason, for their usual retry time or to the end of the rest.
void Dispatcher::defer_stale() {
    while (auto stale = scheduler_.take_stale(with_.clock.now()))
        for (auto& job : stale->jobs) {
            auto& active = active_.at(job.id);
            std::vector<RecipientOutcome> outcomes;
            for (const auto index : job.recipients) {
                active.scheduled.erase(index);
                // What a host said itself tells people more.
                const auto& said = active.message->envelope.recipients[index].state.last_status;
                outcomes.push_back(
                    {.kind = RecipientOutcome::Kind::deferred,
                     .status = said.empty() ? fmt::format("451 4.4.1 no host of {} could be reached lately", stale->site) : said,
                     .remote_host = {},
                     .not_before = stale->until});
            }
            settle({.site = stale->site,
                    .parcel = {.message = active.message, .recipients = std::move(job.recipients), .accounts = {}},
                    .outcomes = std::move(outcomes)});
        }
}

Waiting Dispatcher::why(base::MessageId id, std::uint32_t index, const spool::RecipientState& state) const {
    if (state.standing == spool::Standing::held) return {spool::why_held(state), std::nullopt};
    const auto active = active_.find(id);
    if (active != active_.end() && active->second.under_way.contains(index)) {
        if (!active->second.scheduled.contains(index)) return {"being delivered now", std::nullopt};
        const auto wait = scheduler_.why(id, index, with_.clock.now());
        return wait ? Waiting{wait->reason, wait->until} : Waiting{"about to be delivered", std::nullopt};
    }
    if (state.due <= with_.clock.now())
        return {state.last_status.empty() ? "waiting for its turn" : "waiting for its turn after: " + state.last_status, std::nullopt};
    return {state.last_status.empty() ? "deferred" : "deferred: " + state.last_status, state.due};
}

asio::awaitable<void> Dispatcher::async_stop(std::chrono::milliseconds grace) {
    stopping_ = true;
    sweep_timer_.cancel();
    for (auto& [site, feeds] : idle_)
        for (auto& feed : feeds) feed->wake();
    const auto until = std::chrono::steady_clock::now() + grace;
    asio::steady_timer pause(home_);
    while ((couriers_ > 0 || unrecorded_ > 0 || reports_ > 0) && std::chrono::steady_clock::now() < until) {
        pause.expires_after(std::chrono::milliseconds(20));
        co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    take_settlements();
}

void Dispatcher::trace(base::MessageId id, trace::Body body) { with_.journal.append({id, with_.clock.now(), std::move(body)}); }

asio::awaitable<void> Dispatcher::async_sweep_for_ever() {
    while (!stopping_) {
        bool more = false;
        try {
            more = co_await async_sweep();
            pump();
        } catch (const std::exception& trouble) {  // the sweep must go on: without it no deferred mail is ever tried again
            with_.log.error("dispatcher_failed", {{"what", "sweep"}, {"reason", trouble.what()}});
        }
        if (more) continue;
        sweep_timer_.expires_after(carriers_.options->sweep_every);
        co_await sweep_timer_.async_wait(asio::as_tuple(asio::use_awaitable));
    }
}

/// Brings one page of what is due into memory. True when there is more to bring right away.
asio::awaitable<bool> Dispatcher::async_sweep() {
    // Some room is left for fresh mail, which a deep backlog must not keep waiting.
    if (active_.size() >= carriers_.options->active_messages - carriers_.options->active_messages / 64) co_return false;
    const auto page = co_await async_next_page();
    if (!page) co_return false;
    std::map<base::MessageId, std::vector<std::uint32_t>> by_message;
    for (const auto& due : *page) by_message[due.id].push_back(due.index);
    for (auto& [id, recipients] : by_message) {
        if (stopping_) break;
        co_await async_bring(id, std::move(recipients));
    }
    co_return page->size() == kSweepPage;
}

/// What is due behind what was seen last. From time to time that begins anew, and so finds what an error made us leave out.
asio::awaitable<std::optional<std::vector<spool::DueRecipient>>> Dispatcher::async_next_page() {
    const auto started = std::chrono::steady_clock::now();
    // A wish to begin anew that comes while the page is read counts for the next one.
    if (std::exchange(rewind_, false) || started - swept_from_start_ >= carriers_.options->sweep_anew) {
        swept_.reset();
        swept_from_start_ = started;
    }
    const auto now = with_.clock.now();
    auto page =
        co_await with_.pool.async_run([this, now, from = swept_] { return with_.spool.due(now, from ? &*from : nullptr, kSweepPage); });
    if (!page) {
        with_.log.error("spool_failed", {{"what", "due"}, {"reason", page.error().detail}});
        co_return std::nullopt;
    }
    if (!page->empty()) swept_ = page->back();
    co_return *std::move(page);
}

/// Loads a message and takes up those of its recipients that are still due once it is here.
asio::awaitable<void> Dispatcher::async_bring(base::MessageId id, std::vector<std::uint32_t> recipients) {
    auto& active = active_[id];
    std::erase_if(recipients, [&](auto index) { return !active.under_way.insert(index).second; });
    if (recipients.empty()) co_return;
    auto loaded = co_await async_load(id);
    if (!loaded && loaded.error().kind == base::ErrorKind::corrupt) co_return co_await async_defer_damaged(id, std::move(recipients));
    auto& still_active = active_.at(id);
    for (const auto index : recipients) still_active.under_way.erase(index);
    if (!loaded) {
        if (loaded.error().kind != base::ErrorKind::not_found)
            with_.log.error("spool_failed", {{"id", id.text()}, {"what", "load"}, {"reason", loaded.error().detail}});
        if (still_active.under_way.empty()) active_.erase(id);
        co_return;
    }
    const auto now = with_.clock.now();
    std::erase_if(recipients, [&](auto index) {
        if (index >= loaded->envelope.recipients.size()) return true;
        const auto& state = loaded->envelope.recipients[index].state;
        if (state.standing == spool::Standing::in_doubt)
            trace(id, trace::Noted{"in doubt", fmt::format("{}: the server ended while its final dot was under way; it may arrive twice",
                                                           mail::render_mailbox(loaded->envelope.recipients[index].mailbox))});
        return (state.standing != spool::Standing::waiting && state.standing != spool::Standing::in_doubt) || state.due > now;
    });
    if (recipients.empty() && still_active.under_way.empty()) {
        active_.erase(id);
        co_return;
    }
    auto message = hold(*std::move(loaded));
    // The spool's states are newer than those in memory, but an expansion may not be written yet.
    if (!still_active.message || message->envelope.recipients.size() >= still_active.message->envelope.recipients.size())
        still_active.message = message;
    enter(std::move(message), std::move(recipients));
}

/// Of a message whose content is damaged on the disk the envelope is still known. It is deferred, for somebody may mend the disk, and
/// bounces without content when its lifetime is over.
asio::awaitable<void> Dispatcher::async_defer_damaged(base::MessageId id, std::vector<std::uint32_t> recipients) {
    auto listed = co_await with_.pool.async_run([this, id] { return with_.spool.list({id.value - 1}, 1); });
    spool::StoredMessage message{.id = id, .envelope = {}, .content = std::make_shared<const spool::MemoryContent>("")};
    std::set<std::uint32_t> waiting;
    if (listed && !listed->empty() && listed->front().id == id) {
        message.envelope.sender = listed->front().sender;
        message.envelope.wishes = listed->front().wishes;
        for (auto& [index, recipient] : listed->front().recipients) {
            if (index >= message.envelope.recipients.size()) message.envelope.recipients.resize(index + 1);
            if (recipient.state.standing != spool::Standing::held && recipient.state.due <= with_.clock.now()) waiting.insert(index);
            message.envelope.recipients[index] = std::move(recipient);
        }
    }
    Parcel parcel{.message = std::make_shared<const spool::StoredMessage>(std::move(message)), .recipients = {}, .accounts = {}};
    for (const auto index : recipients) waiting.contains(index) ? parcel.recipients.push_back(index) : leave(id, index);
    if (parcel.recipients.empty()) co_return;
    active_.at(id).message = parcel.message;
    std::vector<RecipientOutcome> outcomes(parcel.recipients.size(), {.kind = RecipientOutcome::Kind::deferred,
                                                                      .status = "451 4.3.0 the message is damaged on the disk of its spool",
                                                                      .remote_host = {}});
    settle({.site = {}, .parcel = std::move(parcel), .outcomes = std::move(outcomes)});
}

asio::awaitable<base::Result<spool::StoredMessage>> Dispatcher::async_load(base::MessageId id) {
    try {
        co_return co_await with_.pool.async_run([this, id] { return with_.spool.load(id); });
    } catch (const std::exception& trouble) {  // what waits for this must be let go as with any other failure
        co_return base::fail(base::ErrorKind::disk, trouble.what());
    }
}

/// Resumes on the caller's executor once the spool has written the updates.
asio::awaitable<base::Result<void>> Dispatcher::async_update(std::vector<spool::RecipientUpdate> updates, spool::Sync sync) {
    auto initiate = [this, sync](auto handler, std::vector<spool::RecipientUpdate> changes) {
        auto executor = asio::get_associated_executor(handler);
        with_.spool.update(std::move(changes), sync, [executor, handler = std::move(handler)](base::Result<void> result) mutable {
            asio::post(executor, [handler = std::move(handler), result = std::move(result)]() mutable { handler(std::move(result)); });
        });
    };
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(base::Result<void>)>(
        std::move(initiate), asio::use_awaitable, std::move(updates));
}

}  // namespace thurn::delivery
