#include "spool/committer.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace thurn::spool {

namespace {

constexpr std::uint64_t kLookForRoomEvery = 1U << 20;  // octets written

}  // namespace

Committer::Committer(SegmentLog& log, Catalogue& catalogue, Filesystem& filesystem, base::Log& events, Options options)
    : log_(log), catalogue_(catalogue), filesystem_(filesystem), events_(events), options_(options) {
    refresh_room();
    thread_ = std::thread([this] { run(); });
}

Committer::~Committer() { stop(); }

void Committer::submit(std::unique_ptr<Pending> pending) {
    bool asleep = false;
    {
        const std::lock_guard lock(mutex_);
        waiting_.push_back(std::move(pending));
        asleep = std::exchange(asleep_, false);
    }
    if (asleep) wake_.notify_one();  // without the lock, which it would only run into
}

void Committer::submit_all(std::vector<std::unique_ptr<Pending>> pending) {
    bool asleep = false;
    {
        const std::lock_guard lock(mutex_);
        std::ranges::move(pending, std::back_inserter(waiting_));
        asleep = std::exchange(asleep_, false);
    }
    if (asleep) wake_.notify_one();
}

void Committer::stop() {
    {
        const std::unique_lock lock(mutex_);
        stopping_ = true;
        wake_.notify_one();
    }
    if (thread_.joinable()) thread_.join();
}

void Committer::refresh_room() {
    room_seen_at_ = log_.octets_written();
    const auto free = filesystem_.free_space();
    const auto broken = broken_.with([](const auto& error) { return error; });
    const auto why = why_no_room(free, broken);
    why_no_room_.with([&why](auto& known) { known = why; });
    if (room_.exchange(why.empty()) == why.empty()) return;
    if (why.empty()) return events_.info("spool.has_room");
    const auto octets = free ? std::optional(free->count) : std::nullopt;
    events_.warning("spool.no_room", {{"reason", why}, {"free", octets}, {"reserve", options_.reserve.count}});
}

/// Empty when there is room. A disk that is full is one reason among others, such as no file descriptors left, and must not be blamed for them.
std::string Committer::why_no_room(const base::Result<base::Octets>& free, const std::optional<base::Error>& broken) const {
    if (broken) return "the spool cannot begin a segment: " + broken->detail;
    if (!free) return "the spool cannot learn how much of its disk is free: " + free.error().detail;
    return *free < options_.reserve ? "the disk of the spool is nearly full" : "";
}

bool Committer::take(Batch& batch) {
    batch.clear();
    std::unique_lock lock(mutex_);
    while (!stopping_ && waiting_.empty()) {
        asleep_ = true;
        wake_.wait(lock);
    }
    asleep_ = false;
    std::swap(batch, waiting_);
    return !batch.empty();
}

void Committer::run() {
    Batch batch;
    while (take(batch)) {
        if (!room_ || log_.octets_written() - room_seen_at_ >= kLookForRoomEvery) refresh_room();
        for (std::size_t at = 0; at < batch.size();) at = write_group(batch, at);
    }
}

/// Writes from `from` on as many as go together; returns where the next group begins.
std::size_t Committer::write_group(Batch& batch, std::size_t from) {
    const auto to = gather(batch, from);
    if (to == from) return from + 1;  // it was refused
    auto durability = log_.unsynced() > options_.unsynced_limit.count ? SegmentLog::Durability::synced : SegmentLog::Durability::written;
    for (auto i = from; i < to; ++i) {
        if (batch[i]->sync == Sync::yes) durability = SegmentLog::Durability::synced;
    }
    const auto outcome = log_.write_added(durability, catalogue_.newest());
    if (!outcome) events_.error("spool.write_failed", {{"error", outcome.error().detail}, {"records", to - from}});
    settle(batch, from, to, outcome);
    return to;
}

std::size_t Committer::gather(Batch& batch, std::size_t from) {
    places_.clear();
    auto at = from;
    for (; at < batch.size(); ++at) {
        auto& pending = *batch[at];
        if (at > from && pending.order == Pending::Order::behind_all && batch[at - 1]->order == Pending::Order::any) break;
        if (pending.room == Pending::Room::needed && !room_) {
            if (at > from) break;
            pending.settled(base::fail(base::ErrorKind::full, why_no_room_.with([](const auto& why) { return why; })));
            return from;
        }
        pending.prepare();
        const auto size = pending.record.head.size() + pending.record.content.size();
        if (!log_.fits(size)) {
            if (at > from) break;
            if (auto fits = make_fit(size); !fits) {
                pending.settled(std::unexpected(fits.error()));
                return from;
            }
        }
        places_.push_back(size == 0 ? log_.next() : log_.add(pending.record.head, pending.record.header, pending.record.content));
    }
    return at;
}

base::Result<void> Committer::make_fit(std::uint64_t record_octets) {
    auto begun = log_.roll(record_octets, catalogue_.newest());
    broken_.with([&begun](auto& broken) { broken = begun ? std::nullopt : std::optional(begun.error()); });
    if (!begun) events_.error("spool.no_segment", {{"error", begun.error().detail}});
    refresh_room();
    return begun;
}

void Committer::settle(Batch& batch, std::size_t from, std::size_t to, const base::Result<void>& outcome) {
    std::vector<base::Result<void>> outcomes(to - from, outcome);
    if (outcome) {
        for (auto i = from; i < to; ++i) outcomes[i - from] = batch[i]->applied(places_[i - from]);
    }
    for (auto i = from; i < to; ++i) {
        batch[i]->settled(std::move(outcomes[i - from]));
        batch[i].reset();
    }
}

}  // namespace thurn::spool
