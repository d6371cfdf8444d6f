#include "queue/scheduler.h"

#include "queue/backlog.h"
#include "queue/site_window.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <list>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

// The idea: a site is always in exactly one list, and the list says what can be done with it, so that nothing is ever searched.
//
//   ready_local, ready_remote   has jobs and a free slot; take() serves the front and puts it behind the others
//   others                      has jobs or connections, but nothing can start now: all slots in use, or it rests
//   idle                        nothing going on; kept, the last used at the end, so that what was learnt about it is not forgotten at once
//
// After each change of a site, place() moves it where it belongs; that is a splice. Sites that rest while jobs wait for them are also in
// `rests`, ordered by the end of the rest, for next_wake() and take_stale().
//
// Local deliveries do not count against the connections in all, so hosts that hang cannot hold up local mail; they are served first, which
// starves nobody as they have few slots.

namespace thurn::queue {
namespace {

/// Jobs of a site by their priority.
enum class Urgency : std::uint8_t { urgent, usual, patient };
constexpr std::size_t kUrgencies = 3;
Urgency urgency_of(int priority) { return priority > 0 ? Urgency::urgent : priority < 0 ? Urgency::patient : Urgency::usual; }

/// Whose turn it is, job by job.
constexpr std::array<Urgency, 10> kTurns{Urgency::urgent, Urgency::urgent, Urgency::usual,  Urgency::urgent, Urgency::urgent,
                                         Urgency::usual,  Urgency::urgent, Urgency::urgent, Urgency::usual,  Urgency::patient};

struct SiteState;
struct Ring : Backlog::Site {
    explicit Ring(SiteState& site) : owner(&site) {}
    SiteState* owner;
};

struct SiteState {
    SiteState(std::string site, const SchedulerOptions& options)
        : name(std::move(site)),
          local(name.starts_with("local")),
          window(options, local ? SiteWindow::Kind::fixed : SiteWindow::Kind::adaptive) {}

    SiteState(const SiteState&) = delete;  // the rings know where it is

    std::string name;
    bool local;
    SiteWindow window;
    std::array<Ring, kUrgencies> rings{Ring(*this), Ring(*this), Ring(*this)};
    std::size_t turn = 0;  // of kTurns
    std::size_t running = 0;
    std::list<SiteState>* home = nullptr;
    std::list<SiteState>::iterator self;
    std::optional<base::Time> listed_until;  // its place in `rests`

    [[nodiscard]] std::size_t jobs() const { return rings[0].jobs + rings[1].jobs + rings[2].jobs; }
    [[nodiscard]] Ring& ring(Urgency urgency) { return rings[static_cast<std::size_t>(urgency)]; }
    /// Whose job is next. Precondition: there is one.
    [[nodiscard]] Ring& next_ring() {
        turn = (turn + 1) % kTurns.size();
        if (Ring& due = ring(kTurns[turn]); due.jobs > 0) return due;
        return *std::ranges::find_if(rings, [](const Ring& each) { return each.jobs > 0; });
    }
    [[nodiscard]] bool is_idle() const { return jobs() == 0 && running == 0 && window.in_use() == 0; }
};
using Sites = std::list<SiteState>;

std::size_t divide_up(std::size_t jobs, std::size_t connections) { return (jobs + connections - 1) / connections; }

}  // namespace

struct Scheduler::State {
    explicit State(SchedulerOptions given) : options(std::move(given)) {}

    SchedulerOptions options;
    Backlog backlog;
    Sites ready_local, ready_remote, others, idle;
    std::unordered_map<std::string_view, SiteState*> by_name;  // views into the sites
    std::set<std::pair<base::Time, SiteState*>> rests;
    std::size_t connections = 0;  // to sites that are not local
    std::size_t running = 0;

    [[nodiscard]] SiteState& site_named(const std::string& name);
    [[nodiscard]] SiteState* find_site(const std::string& name);
    void place(SiteState& site);
    [[nodiscard]] Sites& place_for(const SiteState& site);
    void list_rest(SiteState& site);
    void forget_oldest();
    void end_rests(base::Time now);
    [[nodiscard]] SiteState* next_site();
    [[nodiscard]] std::size_t free_slots(const SiteState& site) const;
    [[nodiscard]] Batch start(SiteState& site, std::size_t jobs);
    [[nodiscard]] Wait why(const SiteState& site) const;
};

SiteState& Scheduler::State::site_named(const std::string& name) {
    if (SiteState* known = find_site(name)) return *known;
    SiteState& site = others.emplace_back(name, options);
    site.home = &others;
    site.self = std::prev(others.end());
    by_name.emplace(site.name, &site);
    return site;
}

SiteState* Scheduler::State::find_site(const std::string& name) {
    const auto found = by_name.find(name);
    return found == by_name.end() ? nullptr : found->second;
}

/// The last thing to do with a site: it may be forgotten in here.
void Scheduler::State::place(SiteState& site) {
    list_rest(site);
    Sites& home = place_for(site);
    if (&home != site.home) {
        home.splice(home.end(), *site.home, site.self);
        site.home = &home;
    }
    if (idle.size() > options.remembered_sites) forget_oldest();
}

Sites& Scheduler::State::place_for(const SiteState& site) {
    if (site.is_idle()) return idle;
    if (site.jobs() == 0 || !site.window.has_slot()) return others;
    return site.local ? ready_local : ready_remote;
}

void Scheduler::State::list_rest(SiteState& site) {
    const auto until = site.jobs() > 0 ? site.window.resting_until() : std::nullopt;
    if (until == site.listed_until) return;
    if (site.listed_until) rests.erase({*site.listed_until, &site});
    if (until) rests.emplace(*until, &site);
    site.listed_until = until;
}

void Scheduler::State::forget_oldest() {
    by_name.erase(idle.front().name);
    idle.pop_front();
}

void Scheduler::State::end_rests(base::Time now) {
    // A rest that ends further away than the longest rest lasts began before the clock was set back.
    while (!rests.empty() && (rests.begin()->first <= now || rests.begin()->first > now + options.site_rest_limit)) {
        SiteState& site = *rests.begin()->second;
        site.window.end_rest();
        place(site);
    }
}

SiteState* Scheduler::State::next_site() {
    if (!ready_local.empty()) return &ready_local.front();
    if (ready_remote.empty() || connections >= options.total_connections) return nullptr;
    return &ready_remote.front();
}

std::size_t Scheduler::State::free_slots(const SiteState& site) const {
    const std::size_t here = site.window.allowed() - site.window.in_use();
    return site.local ? here : std::min(here, options.total_connections - connections);
}

Batch Scheduler::State::start(SiteState& site, std::size_t jobs) {
    const std::size_t most = site.window.probing() ? 1 : std::max<std::size_t>(options.jobs_per_batch, 1);
    const std::size_t count = std::min({jobs, site.jobs(), most});
    Batch batch{.site = site.name, .jobs = {}};
    batch.jobs.reserve(count);
    while (batch.jobs.size() < count) batch.jobs.push_back(backlog.pop(site.next_ring()));
    site.running += count;
    running += count;
    return batch;
}

Wait Scheduler::State::why(const SiteState& site) const {
    const auto& window = site.window;
    if (const auto until = window.resting_until()) return {fmt::format("site {} could not be reached and rests", site.name), until};
    if (window.probing()) return {fmt::format("site {} could not be reached; waiting for a probe of it", site.name), std::nullopt};
    if (!window.has_slot()) {
        return {fmt::format("waiting for a slot at site {} ({} of {} in use)", site.name, window.in_use(), window.allowed()), std::nullopt};
    }
    if (!site.local && connections >= options.total_connections) {
        return {fmt::format("waiting for a connection ({} of {} in use)", connections, options.total_connections), std::nullopt};
    }
    return {fmt::format("about to start at site {}", site.name), std::nullopt};
}

Scheduler::Scheduler(SchedulerOptions options) : state_(std::make_unique<State>(std::move(options))) {}
Scheduler::~Scheduler() = default;

void Scheduler::add(const std::string& site, Job job) {
    SiteState& target = state_->site_named(site);
    auto& ring = target.ring(urgency_of(job.priority));
    state_->backlog.add(ring, std::move(job));
    state_->place(target);
}

std::optional<Batch> Scheduler::take(base::Time now) {
    state_->end_rests(now);
    SiteState* site = state_->next_site();
    if (!site) return std::nullopt;
    const std::size_t share = divide_up(site->jobs(), state_->free_slots(*site));
    site->window.opened();
    if (!site->local) ++state_->connections;
    Batch batch = state_->start(*site, share);
    site->home->splice(site->home->end(), *site->home, site->self);
    state_->place(*site);
    return batch;
}

std::optional<Batch> Scheduler::take_more(const std::string& name, base::Time now) {
    state_->end_rests(now);
    SiteState* site = state_->find_site(name);
    if (!site || site->window.in_use() == 0 || site->jobs() == 0 || site->window.resting()) return std::nullopt;
    site->window.came_back();
    std::optional<Batch> batch;
    if (!site->window.is_crowded()) batch = state_->start(*site, divide_up(site->jobs(), site->window.allowed()));
    state_->place(*site);
    return batch;
}

void Scheduler::finished(const std::string& name, std::size_t jobs) {
    SiteState* site = state_->find_site(name);
    if (!site) return;
    const std::size_t count = std::min(jobs, site->running);
    site->running -= count;
    state_->running -= count;
    state_->place(*site);
}

void Scheduler::released(const std::string& name, SiteOutcome outcome, base::Time now) {
    SiteState* site = state_->find_site(name);
    if (!site || site->window.in_use() == 0) return;
    site->window.closed(outcome, now);
    if (!site->local) --state_->connections;
    state_->place(*site);
}

std::optional<Scheduler::Stale> Scheduler::take_stale(base::Time now) {
    state_->end_rests(now);
    if (state_->rests.empty()) return std::nullopt;
    const auto [until, site] = *state_->rests.begin();
    Stale stale{.site = site->name, .until = until, .jobs = {}};
    const std::size_t count = std::min(site->jobs(), std::max<std::size_t>(state_->options.jobs_per_hand_back, 1));
    while (stale.jobs.size() < count) stale.jobs.push_back(state_->backlog.pop(site->next_ring()));
    state_->place(*site);
    return stale;
}

void Scheduler::remove(base::MessageId id) {
    std::vector<SiteState*> touched;
    for (Backlog::Site* ring : state_->backlog.remove(id)) touched.push_back(static_cast<Ring*>(ring)->owner);
    std::ranges::sort(touched);
    const auto repeated = std::ranges::unique(touched);
    touched.erase(repeated.begin(), repeated.end());
    for (SiteState* site : touched) state_->place(*site);
}

void Scheduler::wake(const std::string& name) {
    SiteState* site = state_->find_site(name);
    if (!site) return;
    site->window.restore();
    state_->place(*site);
}

std::optional<base::Time> Scheduler::next_wake(base::Time now) const {
    if (state_->rests.empty()) return std::nullopt;
    return std::max(now, state_->rests.begin()->first);
}

std::optional<Wait> Scheduler::why(base::MessageId id, base::Time) const {
    const Backlog::Site* site = state_->backlog.where(id, std::nullopt);
    if (!site) return std::nullopt;
    return state_->why(*static_cast<const Ring*>(site)->owner);
}

std::optional<Wait> Scheduler::why(base::MessageId id, std::uint32_t recipient, base::Time) const {
    const Backlog::Site* site = state_->backlog.where(id, recipient);
    if (!site) return std::nullopt;
    return state_->why(*static_cast<const Ring*>(site)->owner);
}

std::vector<SiteView> Scheduler::sites(base::Time now) const {
    std::vector<SiteView> views;
    for (const auto& [name, site] : state_->by_name) {
        auto until = site->window.resting_until();
        if (until && *until <= now) until.reset();
        if (site->is_idle() && !until) continue;
        views.push_back({.site = site->name,
                         .ready = site->jobs(),
                         .running = site->running,
                         .in_use = site->window.in_use(),
                         .allowed = site->window.allowed(),
                         .resting_until = until});
    }
    std::ranges::sort(views, {}, &SiteView::site);
    return views;
}

std::size_t Scheduler::ready() const { return state_->backlog.size(); }

std::size_t Scheduler::ready(const std::string& name) const {
    const SiteState* site = state_->find_site(name);
    return site ? site->jobs() : 0;
}

std::size_t Scheduler::running() const { return state_->running; }

}  // namespace thurn::queue
