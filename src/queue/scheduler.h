#pragma once

#include "base/clock.h"
#include "base/message_id.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace thurn::queue {

/// Recipients of one message that go the same way.
struct Job {
    base::MessageId id;
    std::vector<std::uint32_t> recipients;  // indices into the envelope
    std::string sender;                     // for fairness: login, or reverse path; one bulk sender must not hold up another
    int priority = 0;                       // over 0 before the others, under 0 behind them; jobs given back have 0
};

/// A site may be worked on: carry these jobs over one connection, then say finished() for each and released() at the end.
struct Batch {
    std::string site;
    std::vector<Job> jobs;  // never empty
};

/// How the last use of a site's connection went.
enum class SiteOutcome {
    worked,       // at least one transaction got a final answer
    unreachable,  // no host could be connected to, or 421/4yz before MAIL; says nothing about sites that begin with `local`
};

struct SchedulerOptions {
    std::size_t connections_per_site = 20;  // the most, reached by success
    std::size_t first_connections = 5;      // where a site starts
    std::size_t local_concurrency = 16;     // for sites that begin with `local`
    std::size_t jobs_per_batch = 20;
    std::size_t total_connections = 1000;                 // local deliveries not counted
    base::Duration site_rest = std::chrono::seconds(30);  // first rest of a dead site; doubles up to the next
    base::Duration site_rest_limit = std::chrono::minutes(10);
    std::size_t jobs_per_hand_back = 1000;  // the most take_stale() gives at once
    std::size_t remembered_sites = 10000;   // idle sites whose limits and rests are not forgotten
};

/// Why a job is not under way right now.
struct Wait {
    std::string reason;               // `waiting for a slot at site X (20 of 20 in use)`
    std::optional<base::Time> until;  // when known
};

struct SiteView {
    std::string site;
    std::size_t ready = 0, running = 0, in_use = 0, allowed = 0;
    std::optional<base::Time> resting_until;
};

/// Decides when, how many and who first, for jobs that are due. Holds nothing on disk and does no I/O; time is an argument.
///
/// Sites     Connections per site grow by one on success (additive), halve on `unreachable` (multiplicative); a site that is dead rests,
///           then gets one probe at a time, with a single job. While it rests its jobs are handed back by take_stale() so that they can be
///           deferred with a reason. Success is a connection that closed after work, or that comes back for more.
/// Fairness  Round robin over senders within a site, job by job, and over sites, batch by batch. Batches are small while slots are free.
/// Priority  Of ten jobs of a site six are urgent ones, three usual ones and one is of those that may wait, as long as there are such; what
///           a kind leaves over goes to the others, the more urgent first. So urgent jobs are ahead of everything, and nothing starves.
/// Cost      add() and take() are O(log n) or better in sites and senders, O(1) in jobs. A waiting job with one recipient takes some 90
///           octets beside the names of its site and sender, which are kept once.
/// Loop      After add(), finished(), released() and wake(), and at next_wake(): take() and take_stale() until both give nothing. Offer new
///           jobs to idle open connections by take_more() first.
/// Threads   One at a time.
class Scheduler {
public:
    explicit Scheduler(SchedulerOptions options);
    ~Scheduler();

    void add(const std::string& site, Job job);
    /// The next batch to start a connection for, if any may start now.
    [[nodiscard]] std::optional<Batch> take(base::Time now);
    /// More jobs for a connection that is already open to that site.
    [[nodiscard]] std::optional<Batch> take_more(const std::string& site, base::Time now);
    void finished(const std::string& site, std::size_t jobs);                     // that many jobs were settled or handed back
    void released(const std::string& site, SiteOutcome outcome, base::Time now);  // the connection is closed
    /// Jobs of sites that rest: nobody will try them before `until`. They are forgotten here; no finished() follows.
    struct Stale {
        std::string site;
        base::Time until;
        std::vector<Job> jobs;
    };
    [[nodiscard]] std::optional<Stale> take_stale(base::Time now);
    /// Removes the not yet started jobs of a message (held, deleted).
    void remove(base::MessageId id);
    /// Forgets that a site was dead: the operator asked for a retry.
    void wake(const std::string& site);

    [[nodiscard]] std::optional<base::Time> next_wake(base::Time now) const;  // earliest end of a rest, when something waits for it
    /// Nothing when no job of the message waits here: it is under way, or not due.
    [[nodiscard]] std::optional<Wait> why(base::MessageId id, base::Time now) const;
    [[nodiscard]] std::optional<Wait> why(base::MessageId id, std::uint32_t recipient, base::Time now) const;
    /// Sites with something to tell, by name.
    [[nodiscard]] std::vector<SiteView> sites(base::Time now) const;
    [[nodiscard]] std::size_t ready() const;  // jobs not started
    [[nodiscard]] std::size_t ready(const std::string& site) const;
    [[nodiscard]] std::size_t running() const;  // jobs taken and not finished

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace thurn::queue
