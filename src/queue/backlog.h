#pragma once

#include "queue/scheduler.h"
#include "queue/slab.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace thurn::queue {

/// The jobs that wait, each in the lane of its site and sender; the lanes of a site form a ring whose turn moves on with every job.
///
/// Cost     Every operation is constant but remove() and where(), which walk the jobs of one message. 40 octets a job and 40 a lane,
///          beside at most 8 each to find them.
/// Threads  One at a time.
class Backlog {
public:
    /// A site's jobs. Precondition: it stays where it is while it has any.
    struct Site {
        Slot turn = kNoSlot;  // the lane that is served next
        std::size_t jobs = 0;
    };

    void add(Site& site, Job job);
    /// The oldest job of the sender whose turn it is. Precondition: `site.jobs` > 0.
    [[nodiscard]] Job pop(Site& site);
    /// Drops the jobs of a message; gives the sites that lost some, each perhaps more than once.
    [[nodiscard]] std::vector<Site*> remove(base::MessageId id);
    /// Where a job of that message, with that recipient if one is given, waits; null when none does.
    [[nodiscard]] const Site* where(base::MessageId id, std::optional<std::uint32_t> recipient) const;
    [[nodiscard]] std::size_t size() const { return jobs_.size(); }

private:
    using Sender = std::pair<const std::string, std::size_t>;  // its name, and how many lanes it has

    struct Waiting {
        base::MessageId id;
        std::unique_ptr<std::vector<std::uint32_t>> many;  // the recipients, unless there is just one
        std::uint32_t one = 0;
        Slot lane = kNoSlot;
        Slot next = kNoSlot, previous = kNoSlot;  // in the lane
        Slot chain_next = kNoSlot, chain_previous = kNoSlot;
        [[nodiscard]] std::uint64_t key() const { return id.value; }
    };
    struct Lane {
        Site* site = nullptr;
        Sender* sender = nullptr;
        Slot first = kNoSlot, last = kNoSlot;     // jobs
        Slot next = kNoSlot, previous = kNoSlot;  // in the site's ring
        Slot chain_next = kNoSlot, chain_previous = kNoSlot;
        [[nodiscard]] std::uint64_t key() const { return key_of(site, sender); }
    };
    // Ten million recipients fit in memory only as long as these stay small.
    static_assert(sizeof(Waiting) <= 40 && sizeof(Lane) <= 40);

    [[nodiscard]] static std::uint64_t key_of(const Site* site, const Sender* sender);
    [[nodiscard]] Slot lane_for(Site& site, const std::string& sender);
    [[nodiscard]] Slot open_lane(Site& site, Sender& sender);
    void close_lane(Slot slot);
    [[nodiscard]] Waiting unlink(Slot slot);

    Slab<Waiting> jobs_;
    Slab<Lane> lanes_;
    SlabIndex<Waiting> by_id_{jobs_};
    SlabIndex<Lane> by_site_and_sender_{lanes_};
    std::unordered_map<std::string, std::size_t> senders_;
};

}  // namespace thurn::queue
