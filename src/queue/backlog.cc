#include "queue/backlog.h"

#include <algorithm>
#include <utility>

namespace thurn::queue {

void Backlog::add(Site& site, Job job) {
    Waiting waiting;
    waiting.id = job.id;
    if (job.recipients.size() == 1)
        waiting.one = job.recipients.front();
    else
        waiting.many = std::make_unique<std::vector<std::uint32_t>>(std::move(job.recipients));
    waiting.lane = lane_for(site, job.sender);
    Lane& lane = lanes_[waiting.lane];
    waiting.previous = lane.last;
    const Slot slot = jobs_.put(std::move(waiting));
    (lane.last == kNoSlot ? lane.first : jobs_[lane.last].next) = slot;
    lane.last = slot;
    by_id_.insert(slot);
    ++site.jobs;
}

Job Backlog::pop(Site& site) {
    const Lane& lane = lanes_[site.turn];
    Job job;
    job.sender = lane.sender->first;
    const Slot first = lane.first;
    site.turn = lane.next;
    Waiting waiting = unlink(first);
    job.id = waiting.id;
    if (waiting.many)
        job.recipients = std::move(*waiting.many);
    else
        job.recipients.push_back(waiting.one);
    return job;
}

std::vector<Backlog::Site*> Backlog::remove(base::MessageId id) {
    std::vector<Site*> touched;
    for (Slot slot = by_id_.find(id.value); slot != kNoSlot; slot = by_id_.find(id.value)) {
        touched.push_back(lanes_[jobs_[slot].lane].site);
        static_cast<void>(unlink(slot));
    }
    return touched;
}

const Backlog::Site* Backlog::where(base::MessageId id, std::optional<std::uint32_t> recipient) const {
    for (Slot slot = by_id_.find(id.value); slot != kNoSlot; slot = by_id_.next(slot)) {
        const Waiting& waiting = jobs_[slot];
        const bool meant =
            !recipient || (waiting.many ? std::ranges::find(*waiting.many, *recipient) != waiting.many->end() : waiting.one == *recipient);
        if (meant) return lanes_[waiting.lane].site;
    }
    return nullptr;
}

std::uint64_t Backlog::key_of(const Site* site, const Sender* sender) {
    // Addresses of live objects. Two odd factors, so that neighbours on the heap do not cancel each other out.
    return reinterpret_cast<std::uintptr_t>(site) * 0x9e3779b97f4a7c15U + reinterpret_cast<std::uintptr_t>(sender) * 0xc2b2ae3d27d4eb4fU;
}

Slot Backlog::lane_for(Site& site, const std::string& sender) {
    Sender& known = *senders_.try_emplace(sender, 0).first;
    for (Slot slot = by_site_and_sender_.find(key_of(&site, &known)); slot != kNoSlot; slot = by_site_and_sender_.next(slot)) {
        if (lanes_[slot].site == &site && lanes_[slot].sender == &known) return slot;
    }
    return open_lane(site, known);
}

/// At the end of the round: just before the lane whose turn it is.
Slot Backlog::open_lane(Site& site, Sender& sender) {
    const Slot slot = lanes_.put({.site = &site, .sender = &sender});
    Lane& lane = lanes_[slot];
    if (site.turn == kNoSlot) {
        lane.next = lane.previous = site.turn = slot;
    } else {
        lane.next = site.turn;
        lane.previous = lanes_[site.turn].previous;
        lanes_[lane.previous].next = lanes_[lane.next].previous = slot;
    }
    by_site_and_sender_.insert(slot);
    ++sender.second;
    return slot;
}

void Backlog::close_lane(Slot slot) {
    by_site_and_sender_.erase(slot);
    const Lane lane = lanes_.take(slot);
    if (lane.next == slot) {
        lane.site->turn = kNoSlot;
    } else {
        lanes_[lane.next].previous = lane.previous;
        lanes_[lane.previous].next = lane.next;
        if (lane.site->turn == slot) lane.site->turn = lane.next;
    }
    if (--lane.sender->second == 0) senders_.erase(senders_.find(lane.sender->first));
}

Backlog::Waiting Backlog::unlink(Slot slot) {
    by_id_.erase(slot);
    Waiting waiting = jobs_.take(slot);
    Lane& lane = lanes_[waiting.lane];
    (waiting.previous == kNoSlot ? lane.first : jobs_[waiting.previous].next) = waiting.next;
    (waiting.next == kNoSlot ? lane.last : jobs_[waiting.next].previous) = waiting.previous;
    --lane.site->jobs;
    if (lane.first == kNoSlot) close_lane(waiting.lane);
    return waiting;
}

}  // namespace thurn::queue
