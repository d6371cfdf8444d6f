// Where recipients go. What becomes of an address here, the router says one recipient after another; the hosts of those that leave are then
// looked up for all next hops at once. Recipients whose sites are known within kPatience set out together, so that one copy of the message
// serves those who share a site; a name whose servers are silent holds up nobody but its own.
#include "delivery/dispatcher.h"
#include "delivery/failure.h"
#include "mail/mailbox.h"

#include <algorithm>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

namespace thurn::delivery {

namespace asio = net::asio;

namespace {

constexpr std::chrono::milliseconds kPatience{500};

/// Its sender wants it back rather than late (RFC 2852 §4.1.3).
bool is_overdue(const spool::Wishes& wishes, base::Time now) {
    return wishes.deliver_by && wishes.deliver_by->after == spool::DeliverBy::After::give_back && wishes.deliver_by->deadline <= now;
}

}  // namespace

asio::awaitable<base::Result<bool>> Dispatcher::async_ask_next_hop(mail::Mailbox recipient) {
    const auto router = carriers_.router;
    const auto sites = carriers_.sites;
    const auto courier = carriers_.smtp;
    auto routed = co_await with_.pool.async_run([router, &recipient] { return router->route({}, recipient); });
    if (!routed) co_return base::pass_on(routed);
    std::optional<SiteFinder::Hop> hop;
    if (auto* mx = std::get_if<route::ByMx>(&routed->hop)) hop = std::move(*mx);
    if (auto* host = std::get_if<route::ToHost>(&routed->hop)) hop = std::move(*host);
    if (!hop) co_return base::fail(base::ErrorKind::invalid, "no other server keeps its mail");
    const auto destination = co_await sites->async_find(*std::move(hop));
    if (destination->hosts.problem) co_return base::fail(base::ErrorKind::not_found, destination->hosts.problem->status);
    auto reply = co_await courier->async_ask(destination, std::move(recipient));
    if (!reply) co_return base::pass_on(reply);
    if (reply->positive()) co_return true;
    if (says_no_such_mailbox(*reply)) co_return false;
    co_return base::fail(base::ErrorKind::refused, smtp::describe_reply(*reply));
}

/// What one coroutine routes, and its lookups share.
struct Dispatcher::Routing {
    /// Recipients with one next hop. `reason`, of the router, is the first one's.
    struct Abroad {
        SiteFinder::Hop hop;
        std::string reason;
        std::vector<std::uint32_t> recipients;
    };
    base::MessageId id;
    std::vector<std::uint32_t> recipients;  // grows by the targets of aliases
    std::map<std::string, Abroad> abroad;   // by SiteFinder::key()
    std::map<std::string, Way> by_site;     // ready to set out
    std::size_t lookups = 0;                // under way
    bool patient = true;
};

asio::awaitable<void> Dispatcher::async_route(base::MessageId id, std::vector<std::uint32_t> recipients) {
    const auto routing = std::make_shared<Routing>(Routing{.id = id, .recipients = std::move(recipients), .abroad = {}, .by_site = {}});
    for (std::size_t next = 0; next < routing->recipients.size(); ++next) {
        const auto index = routing->recipients[next];
        std::exception_ptr trouble;
        try {
            co_await async_route_one(*routing, index);
        } catch (...) {
            trouble = std::current_exception();
        }
        if (trouble) routing_failed(id, {index}, trouble);
    }
    find_sites(routing);
}

void Dispatcher::routing_failed(base::MessageId id, const std::vector<std::uint32_t>& recipients, const std::exception_ptr& trouble) {
    with_.log.error("dispatcher_failed", {{"what", "route"}, {"id", id.text()}, {"reason", describe(trouble)}});
    for (const auto index : recipients) settle_alone(id, index, RecipientOutcome::Kind::deferred, "451 4.3.0 internal error while routing");
}

/// Finds the recipient's next hop, or settles it at once when there is none.
asio::awaitable<void> Dispatcher::async_route_one(Routing& routing, std::uint32_t index) {
    const auto message = active_.at(routing.id).message;
    if (is_overdue(message->envelope.wishes, with_.clock.now())) {
        settle_alone(routing.id, index, RecipientOutcome::Kind::failed, "550 5.4.7 not delivered within the time its sender gave it");
        co_return;
    }
    auto routed = co_await async_ask_router(carriers_.router, message, index);
    if (!routed)
        settle_alone(routing.id, index, RecipientOutcome::Kind::deferred, "451 4.3.0 " + routed.error().detail);
    else if (auto* expansion = std::get_if<route::Expansion>(&routed->hop))
        co_await async_expand(routing, index, std::move(*expansion));
    else
        take_direction(routing, index, *std::move(routed));
}

void Dispatcher::take_direction(Routing& routing, std::uint32_t index, route::Routed routed) {
    using Kind = RecipientOutcome::Kind;
    const auto id = routing.id;
    auto& active = active_.at(id);
    const auto go_abroad = [&](SiteFinder::Hop hop) {
        const auto key = SiteFinder::key(hop);
        auto& abroad =
            routing.abroad.try_emplace(key, std::move(hop), std::move(routed.reason), std::vector<std::uint32_t>()).first->second;
        abroad.recipients.push_back(index);
    };
    if (auto* mx = std::get_if<route::ByMx>(&routed.hop)) return go_abroad(std::move(*mx));
    if (auto* host = std::get_if<route::ToHost>(&routed.hop)) {
        if (host->account) active.accounts[index] = *std::exchange(host->account, std::nullopt);
        return go_abroad(std::move(*host));
    }
    const auto address = mail::render_mailbox(active.message->envelope.recipients[index].mailbox);
    if (auto* local = std::get_if<route::LocalMailbox>(&routed.hop)) {
        trace(id, trace::Routed{address, "mailbox " + mail::render_mailbox(local->account), routed.reason});
        active.accounts[index] = std::move(local->account);
        routing.by_site[std::string(kLocalSite)].recipients.push_back(index);
    } else if (auto* nowhere = std::get_if<route::Unroutable>(&routed.hop)) {
        trace(id, trace::Routed{address, "nowhere", routed.reason});
        settle_alone(id, index, nowhere->permanent ? Kind::failed : Kind::deferred, nowhere->status);
    } else {
        trace(id, trace::Routed{address, "discarded", routed.reason});
        settle_alone(id, index, Kind::delivered, "discarded by " + routed.reason);
    }
}

/// On the loop when the directory knows the answer by heart, else on the pool.
asio::awaitable<base::Result<route::Routed>> Dispatcher::async_ask_router(std::shared_ptr<const route::Router> router,
                                                                          std::shared_ptr<const spool::StoredMessage> message,
                                                                          std::uint32_t index) {
    const auto& recipient = message->envelope.recipients[index].mailbox;
    if (with_.directory.peek(recipient)) co_return router->route(message->envelope.sender, recipient);
    co_return co_await with_.pool.async_run([router, message, &recipient] { return router->route(message->envelope.sender, recipient); });
}

void Dispatcher::find_sites(const std::shared_ptr<Routing>& routing) {
    const auto sites = carriers_.sites;
    for (auto& [key, abroad] : routing->abroad) {
        if (const auto known = sites->recall(key)) {
            site_found(*routing, key, known);
        } else {
            ++routing->lookups;
            spawn(async_find_site(sites, routing, key), "lookup");
        }
    }
    if (routing->lookups == 0) return set_out(*routing);
    spawn(async_lose_patience(routing), "lookup");
}

asio::awaitable<void> Dispatcher::async_find_site(std::shared_ptr<SiteFinder> sites, std::shared_ptr<Routing> routing, std::string key) {
    std::exception_ptr trouble;
    try {
        const auto destination = co_await sites->async_find(routing->abroad.at(key).hop);
        site_found(*routing, key, destination);
    } catch (...) {
        trouble = std::current_exception();
    }
    if (trouble) routing_failed(routing->id, routing->abroad.at(key).recipients, trouble);
    if (--routing->lookups == 0 || !routing->patient) set_out(*routing);
}

asio::awaitable<void> Dispatcher::async_lose_patience(std::shared_ptr<Routing> routing) {
    asio::steady_timer pause(home_, kPatience);
    co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
    routing->patient = false;
    set_out(*routing);
}

void Dispatcher::site_found(Routing& routing, const std::string& key, const std::shared_ptr<const Destination>& destination) {
    const auto& abroad = routing.abroad.at(key);
    const auto& hosts = destination->hosts;
    const auto& envelope = active_.at(routing.id).message->envelope;
    for (const auto index : abroad.recipients)
        trace(routing.id, trace::Routed{mail::render_mailbox(envelope.recipients[index].mailbox), hosts.problem ? "nowhere" : hosts.site,
                                        hosts.reason.empty() ? abroad.reason : abroad.reason + ": " + hosts.reason});
    if (hosts.problem) {
        const auto kind = hosts.problem->permanent ? RecipientOutcome::Kind::failed : RecipientOutcome::Kind::deferred;
        for (const auto index : abroad.recipients) settle_alone(routing.id, index, kind, hosts.problem->status);
        return;
    }
    auto& way = routing.by_site[hosts.site];
    way.destination = destination;
    way.recipients.insert(way.recipients.end(), abroad.recipients.begin(), abroad.recipients.end());
}

void Dispatcher::set_out(Routing& routing) {
    for (auto& [site, way] : routing.by_site) {
        if (is_crowded(site))
            postpone(routing.id, site, way.recipients);
        else
            schedule(routing.id, site, std::move(way));
    }
    routing.by_site.clear();
    pump();
}

/// A slow site must not fill the memory that all share: each may have four times as many jobs waiting as there is room left. So one alone
/// gets four fifths of it, and some is left however many sites are slow.
bool Dispatcher::is_crowded(const std::string& site) const {
    const auto room = carriers_.options->active_messages;
    return scheduler_.ready(site) > 4 * (room - std::min(active_.size(), room));
}

/// The line goes on in the spool.
void Dispatcher::postpone(base::MessageId id, const std::string& site, const std::vector<std::uint32_t>& recipients) {
    const auto now = with_.clock.now();
    auto& overflow = overflows_.try_emplace(site, now).first->second;
    const auto waiting = scheduler_.ready(site);
    const auto back = overflow.join(waiting, now);
    std::vector<RecipientOutcome> outcomes(recipients.size(),
                                           {.kind = RecipientOutcome::Kind::postponed,
                                            .status = fmt::format("451 4.3.2 {} messages are in line for {} already", waiting, site),
                                            .remote_host = {},
                                            .not_before = back});
    settle({.site = site,
            .parcel = {.message = active_.at(id).message, .recipients = recipients, .accounts = {}},
            .outcomes = std::move(outcomes)});
}

/// Replaces an alias by its targets, as further recipients of the same message, in one record. They are routed when that record is written:
/// only then do the indices they will be recorded under exist in the spool.
asio::awaitable<void> Dispatcher::async_expand(Routing& routing, std::uint32_t index, route::Expansion expansion) {
    const auto id = routing.id;
    const auto message = active_.at(id).message;
    const auto& recipient = message->envelope.recipients[index];
    const auto address = mail::render_mailbox(recipient.mailbox);
    if (recipient.expansions >= carriers_.options->alias_depth) {
        settle_alone(id, index, RecipientOutcome::Kind::failed,
                     fmt::format("550 5.4.6 alias loop: {} expansions lead to {}", recipient.expansions, address));
        co_return;
    }
    spool::RecipientUpdate update{.id = id, .index = index, .state = recipient.state, .expansion = {}};
    update.state.standing = spool::Standing::expanded;
    update.state.last_status = "alias " + expansion.alias;
    for (const auto& target : expansion.targets) {
        const auto is_target = [&](const auto& known) { return known.mailbox == target; };
        if (std::ranges::any_of(message->envelope.recipients, is_target) || std::ranges::any_of(update.expansion, is_target)) continue;
        update.expansion.push_back(
            {.mailbox = target,
             .original = recipient.original.empty() ? address : recipient.original,
             .expansions = static_cast<std::uint8_t>(recipient.expansions + 1),
             .notify = recipient.notify,  // RFC 3461 §5.2.7.1
             .orcpt = recipient.orcpt,
             .state = {.standing = spool::Standing::waiting, .attempts = 0, .due = with_.clock.now(), .last_status = {}, .site = {}}});
    }
    trace(id, trace::Routed{address, fmt::format("{} recipients", expansion.targets.size()), "alias " + expansion.alias});
    with_.log.info("expanded", {{"id", id.text()}, {"to", address}, {"alias", expansion.alias}, {"targets", expansion.targets.size()}});
    trace(id, trace::Settled{address, "expanded", update.state.last_status, {}});
    std::vector updates{std::move(update)};
    const auto written = co_await async_update(std::move(updates), spool::Sync::no);
    if (written) {
        auto loaded = co_await async_load(id);
        take_in_targets(routing, message->envelope.recipients.size(), std::move(loaded));
    } else {
        with_.log.error("spool_failed", {{"what", "update"}, {"id", id.text()}, {"reason", written.error().detail}});
    }
    leave(id, index);
}

/// The message as it stands in the spool now; `known` recipients were there before.
void Dispatcher::take_in_targets(Routing& routing, std::size_t known, base::Result<spool::StoredMessage> loaded) {
    if (!loaded) {
        if (loaded.error().kind != base::ErrorKind::not_found) rewind_sweep();  // else all targets were recipients already, and are done
        return;
    }
    auto& active = active_.at(routing.id);
    active.message = hold(*std::move(loaded));
    const auto& recipients = active.message->envelope.recipients;
    for (auto index = static_cast<std::uint32_t>(known); index < recipients.size(); ++index)
        if (recipients[index].state.standing == spool::Standing::waiting && active.under_way.insert(index).second)
            routing.recipients.push_back(index);
}

void Dispatcher::schedule(base::MessageId id, const std::string& site, Way way) {
    auto& active = active_.at(id);
    active.scheduled.insert(way.recipients.begin(), way.recipients.end());
    if (way.destination) destinations_[site] = std::move(way.destination);
    const auto& envelope = active.message->envelope;
    scheduler_.add(site, {.id = id,
                          .recipients = std::move(way.recipients),
                          .sender = envelope.login.empty() ? mail::render_path(envelope.sender) : envelope.login,
                          .priority = envelope.wishes.priority.value_or(0)});
    offer_to_idle(site);
    if (destinations_.size() > forget_beyond_) forget_destinations();
}

}  // namespace thurn::delivery
