// The hub between spool, queue and couriers. All state lives on one executor, so there are no locks but at the two doors where other
// threads leave things: arrivals (from the spool's thread) and settlements (from couriers). Both are drained in batches: under load one
// wake-up serves many messages.
//
// Invariant: a recipient is in `under_way` from the moment anything is done about it until its outcome is recorded in the spool. So it is
// never carried twice at once, and a sweep of the spool that sees a state from before the record cannot bring it back.
#include "delivery/dispatcher.h"

#include "delivery/site_feed.h"
#include "mail/mailbox.h"

#include <algorithm>
#include <numeric>

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
constexpr std::chrono::seconds kSweepEvery{1};
constexpr std::string_view kLocalSite = "local";

asio::awaitable<queue::SiteOutcome> async_carry_local(std::shared_ptr<const Maildir> maildir, std::shared_ptr<ParcelSource> parcels,
                                                      net::BlockingPool& pool) {
    while (auto parcel = co_await parcels->async_next(std::chrono::milliseconds(0))) {
        const auto begun = std::chrono::steady_clock::now();
        auto outcomes = co_await pool.async_run([&maildir, &parcel] {
            std::vector<RecipientOutcome> results;
            for (std::size_t i = 0; i < parcel->recipients.size(); ++i)
                results.push_back(maildir->deliver(*parcel->message, parcel->recipients[i], parcel->accounts[i]));
            return results;
        });
        for (std::size_t i = 0; i < outcomes.size(); ++i) {
            const bool delivered = outcomes[i].kind == RecipientOutcome::Kind::delivered;
            parcels->attempted({.message = parcel->message, .recipients = {parcel->recipients[i]}, .accounts = {}},
                               {.host = maildir->folder(parcel->accounts[i]).string(),
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

Dispatcher::Dispatcher(DispatcherDependencies dependencies, queue::SchedulerOptions scheduler, Carriers carriers,
                       asio::any_io_executor home)
    : with_(dependencies), carriers_(std::move(carriers)), home_(std::move(home)), scheduler_(scheduler), sweep_timer_(home_) {}

Dispatcher::~Dispatcher() = default;

void Dispatcher::start() { asio::co_spawn(home_, async_sweep_for_ever(), asio::detached); }

void Dispatcher::accept(spool::StoredMessage message) {
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
            swept_.reset();  // it is due in the spool: the sweep brings it when there is room
            continue;
        }
        std::vector<std::uint32_t> all(message.envelope.recipients.size());
        std::iota(all.begin(), all.end(), 0U);
        auto shared = std::make_shared<const spool::StoredMessage>(std::move(message));
        enter(std::move(shared), std::move(all));
    }
    pump();
}

/// Takes up those of the recipients that are not under way.
void Dispatcher::enter(std::shared_ptr<const spool::StoredMessage> message, std::vector<std::uint32_t> recipients) {
    const auto id = message->id;
    auto& active = active_[id];
    if (!active.message) active.message = std::move(message);
    std::erase_if(recipients, [&](auto index) { return !active.under_way.insert(index).second; });
    if (recipients.empty()) return;
    asio::co_spawn(home_, async_route(id, std::move(recipients)), asio::detached);
}

asio::awaitable<void> Dispatcher::async_route(base::MessageId id, std::vector<std::uint32_t> recipients) {
    std::map<std::string, std::vector<std::uint32_t>> by_site;
    for (const auto index : recipients) co_await async_route_one(id, index, by_site);
    for (auto& [site, indices] : by_site) schedule(id, site, std::move(indices));
    pump();
}

/// Finds the recipient's site, or settles it at once when there is none.
asio::awaitable<void> Dispatcher::async_route_one(base::MessageId id, std::uint32_t index,
                                                  std::map<std::string, std::vector<std::uint32_t>>& by_site) {
    const auto message = active_.at(id).message;
    const auto& recipient = message->envelope.recipients[index];
    const auto address = mail::render_mailbox(recipient.mailbox);
    const auto settle_now = [&](RecipientOutcome::Kind kind, std::string status) {
        settle({.message = message, .recipients = {index}, .accounts = {}},
               {{.kind = kind, .status = std::move(status), .remote_host = {}}});
    };
    auto router = carriers_.router;
    auto routed = co_await async_ask_router(std::move(router), message, index);
    if (!routed) {
        settle_now(RecipientOutcome::Kind::deferred, "451 4.3.0 " + routed.error().detail);
        co_return;
    }
    std::shared_ptr<const Destination> destination;
    auto sites = carriers_.sites;
    if (auto* local = std::get_if<route::LocalMailbox>(&routed->hop)) {
        trace(id, trace::Routed{address, "mailbox " + mail::render_mailbox(local->account), routed->reason});
        active_.at(id).accounts[index] = local->account;
        by_site[std::string(kLocalSite)].push_back(index);
    } else if (auto* expansion = std::get_if<route::Expansion>(&routed->hop)) {
        expand(id, index, *expansion);
    } else if (auto* mx = std::get_if<route::ByMx>(&routed->hop)) {
        destination = co_await sites->async_find(*mx);
    } else if (auto* host = std::get_if<route::ToHost>(&routed->hop)) {
        destination = co_await sites->async_find(*host);
    } else if (auto* nowhere = std::get_if<route::Unroutable>(&routed->hop)) {
        trace(id, trace::Routed{address, "nowhere", routed->reason});
        settle_now(nowhere->permanent ? RecipientOutcome::Kind::failed : RecipientOutcome::Kind::deferred, nowhere->status);
    } else {
        trace(id, trace::Routed{address, "discarded", routed->reason});
        settle_now(RecipientOutcome::Kind::delivered, "discarded by " + routed->reason);
    }
    if (!destination) co_return;
    const auto& hosts = destination->hosts;
    trace(id, trace::Routed{address, hosts.problem ? "nowhere" : hosts.site,
                            hosts.reason.empty() ? routed->reason : routed->reason + ": " + hosts.reason});
    if (hosts.problem) {
        settle_now(hosts.problem->permanent ? RecipientOutcome::Kind::failed : RecipientOutcome::Kind::deferred, hosts.problem->status);
        co_return;
    }
    destinations_[hosts.site] = destination;
    by_site[hosts.site].push_back(index);
}

/// On the loop when the directory knows the answer by heart, else on the pool.
asio::awaitable<base::Result<route::Routed>> Dispatcher::async_ask_router(std::shared_ptr<const route::Router> router,
                                                                          std::shared_ptr<const spool::StoredMessage> message,
                                                                          std::uint32_t index) {
    const auto& recipient = message->envelope.recipients[index].mailbox;
    if (with_.directory.peek(recipient)) co_return router->route(message->envelope.sender, recipient);
    co_return co_await with_.pool.async_run([router, message, &recipient] { return router->route(message->envelope.sender, recipient); });
}

/// Replaces an alias by its targets, as further recipients of the same message, in one record.
void Dispatcher::expand(base::MessageId id, std::uint32_t index, const route::Expansion& expansion) {
    auto& active = active_.at(id);
    const auto& old = *active.message;
    const auto& recipient = old.envelope.recipients[index];
    const auto address = mail::render_mailbox(recipient.mailbox);
    if (recipient.expansions >= carriers_.options->alias_depth) {
        settle({.message = active.message, .recipients = {index}, .accounts = {}},
               {{.kind = RecipientOutcome::Kind::failed,
                 .status = fmt::format("550 5.4.6 alias loop: {} expansions lead to {}", recipient.expansions, address),
                 .remote_host = {}}});
        return;
    }
    auto state = recipient.state;
    state.standing = spool::Standing::expanded;
    state.last_status = "alias " + expansion.alias;
    spool::RecipientUpdate update{.id = id, .index = index, .state = state, .expansion = {}};
    auto renewed = std::make_shared<spool::StoredMessage>(old);
    renewed->envelope.recipients[index].state = state;
    std::vector<std::uint32_t> added;
    for (const auto& target : expansion.targets) {
        if (std::ranges::any_of(renewed->envelope.recipients, [&](const auto& known) { return known.mailbox == target; })) continue;
        spool::Recipient next{
            .mailbox = target,
            .original = recipient.original.empty() ? address : recipient.original,
            .expansions = static_cast<std::uint8_t>(recipient.expansions + 1),
            .state = {.standing = spool::Standing::waiting, .attempts = 0, .due = with_.clock.now(), .last_status = {}, .site = {}}};
        added.push_back(static_cast<std::uint32_t>(renewed->envelope.recipients.size()));
        renewed->envelope.recipients.push_back(next);
        update.expansion.push_back(std::move(next));
    }
    trace(id, trace::Routed{address, fmt::format("{} recipients", expansion.targets.size()), "alias " + expansion.alias});
    trace(id, trace::Settled{address, "expanded", state.last_status, {}});
    active.message = std::move(renewed);
    std::vector<spool::RecipientUpdate> updates;
    updates.push_back(std::move(update));
    record(std::move(updates));
    if (!added.empty()) enter(active.message, std::move(added));
}

void Dispatcher::schedule(base::MessageId id, const std::string& site, std::vector<std::uint32_t> recipients) {
    auto& active = active_.at(id);
    active.scheduled.insert(recipients.begin(), recipients.end());
    const auto& envelope = active.message->envelope;
    scheduler_.add(site, {.id = id,
                          .recipients = std::move(recipients),
                          .sender = envelope.login.empty() ? mail::render_path(envelope.sender) : envelope.login});
    const auto idle = idle_.find(site);
    if (idle != idle_.end()) idle->second.back()->wake();
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
    auto done = [this, site](std::exception_ptr trouble, queue::SiteOutcome outcome) {
        asio::post(home_,
                   [this, site, outcome, trouble] { courier_ended(site, trouble ? queue::SiteOutcome::unreachable : outcome, trouble); });
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

void Dispatcher::courier_ended(const std::string& site, queue::SiteOutcome outcome, std::exception_ptr trouble) {
    --couriers_;
    take_settlements();  // what it reported last comes before its end
    if (trouble) with_.log.error("courier_failed", {{"site", site}});
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
        if (batch.site == kLocalSite)
            for (const auto index : job.recipients) parcel.accounts.push_back(active.accounts.at(index));
        parcels.push_back(std::move(parcel));
    }
    return parcels;
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

/// Jobs of sites at rest go back to the spool, with the reason and their usual retry time.
void Dispatcher::defer_stale() {
    while (auto stale = scheduler_.take_stale(with_.clock.now()))
        for (auto& job : stale->jobs) {
            auto& active = active_.at(job.id);
            for (const auto index : job.recipients) active.scheduled.erase(index);
            std::vector<RecipientOutcome> outcomes(job.recipients.size(),
                                                   {.kind = RecipientOutcome::Kind::deferred,
                                                    .status = fmt::format("451 4.4.1 no host of {} could be reached lately", stale->site),
                                                    .remote_host = {}});
            settle({.message = active.message, .recipients = std::move(job.recipients), .accounts = {}}, outcomes);
        }
}

Waiting Dispatcher::why(base::MessageId id, std::uint32_t index, const spool::RecipientState& state) const {
    if (state.standing == spool::Standing::held) return {"held by the operator", std::nullopt};
    const auto active = active_.find(id);
    if (active != active_.end() && active->second.under_way.contains(index)) {
        if (!active->second.scheduled.contains(index)) return {"being delivered now", std::nullopt};
        const auto wait = scheduler_.why(id, with_.clock.now());
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
    while (couriers_ > 0 && std::chrono::steady_clock::now() < until) {
        pause.expires_after(std::chrono::milliseconds(20));
        co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    take_settlements();
}

void Dispatcher::trace(base::MessageId id, trace::Body body) { with_.journal.append({id, with_.clock.now(), std::move(body)}); }

asio::awaitable<void> Dispatcher::async_sweep_for_ever() {
    while (!stopping_) {
        const bool more = co_await async_sweep();
        pump();
        if (more) continue;
        sweep_timer_.expires_after(kSweepEvery);
        co_await sweep_timer_.async_wait(asio::as_tuple(asio::use_awaitable));
    }
}

/// Brings one page of what is due into memory. True when there is more to bring right away.
asio::awaitable<bool> Dispatcher::async_sweep() {
    if (active_.size() >= carriers_.options->active_messages) co_return false;
    const auto now = with_.clock.now();
    auto page =
        co_await with_.pool.async_run([this, now, from = swept_] { return with_.spool.due(now, from ? &*from : nullptr, kSweepPage); });
    if (!page) {
        with_.log.error("spool_failed", {{"what", "due"}, {"reason", page.error().detail}});
        co_return false;
    }
    std::map<base::MessageId, std::vector<std::uint32_t>> by_message;
    for (const auto& due : *page) by_message[due.id].push_back(due.index);
    if (!page->empty()) swept_ = page->back();
    for (auto& [id, recipients] : by_message) co_await async_bring(id, std::move(recipients));
    co_return page->size() == kSweepPage;
}

/// Loads a message and takes up those of its recipients that are still due once it is here.
asio::awaitable<void> Dispatcher::async_bring(base::MessageId id, std::vector<std::uint32_t> recipients) {
    auto& active = active_[id];
    std::erase_if(recipients, [&](auto index) { return !active.under_way.insert(index).second; });
    if (recipients.empty()) co_return;
    auto loaded = co_await async_load(id);
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
    auto message = std::make_shared<const spool::StoredMessage>(*std::move(loaded));
    // The spool's states are newer than those in memory, but an expansion may not be written yet.
    if (!still_active.message || message->envelope.recipients.size() >= still_active.message->envelope.recipients.size())
        still_active.message = message;
    enter(std::move(message), std::move(recipients));
}

asio::awaitable<base::Result<spool::StoredMessage>> Dispatcher::async_load(base::MessageId id) {
    co_return co_await with_.pool.async_run([this, id] { return with_.spool.load(id); });
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
