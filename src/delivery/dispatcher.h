#pragma once

#include "base/clock.h"
#include "base/guarded.h"
#include "base/log.h"
#include "base/message_id.h"
#include "base/random.h"
#include "delivery/content_budget.h"
#include "delivery/maildir.h"
#include "delivery/parcel.h"
#include "delivery/site_finder.h"
#include "delivery/smtp_courier.h"
#include "mailauth/sender_rewriting.h"
#include "mailauth/signatory.h"
#include "net/loops.h"
#include "queue/overflow.h"
#include "queue/retry.h"
#include "queue/scheduler.h"
#include "report/dsn.h"
#include "route/router.h"
#include "spool/spool.h"
#include "trace/journal.h"

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

namespace thurn::delivery {

/// The site of all mailboxes of our own; for `queue::Scheduler` a local one.
inline constexpr std::string_view kLocalSite = "local";

/// What an exception was about: its text.
[[nodiscard]] std::string describe(const std::exception_ptr& trouble);

/// What the configuration says about delivery; a snapshot, swapped at reload.
struct DispatcherOptions {
    std::string hostname;
    std::string postmaster;  // the From of reports
    queue::RetryOptions retry;
    std::chrono::seconds delay_notice{0};               // 0: none
    std::size_t active_messages = 20000;                // held in memory at once; the rest waits in the spool
    base::Octets content_memory = base::mebibytes(64);  // for their contents; beyond it they are read from the spool again
    std::chrono::milliseconds sweep_every{1000};
    std::chrono::milliseconds sweep_anew{std::chrono::minutes(5)};  // from the oldest on, for what an error made us leave out
    unsigned alias_depth = 20;
    std::shared_ptr<const mailauth::SenderRewriting> rewriting{};  // without it, forwarded mail keeps its sender
    std::shared_ptr<const mailauth::Signatory> signatory{};        // without one, our reports go unsigned
};

struct DispatcherDependencies {
    spool::Spool& spool;
    trace::Journal& journal;
    base::Log& log;
    const base::Clock& clock;
    base::Random& random;
    base::MessageIdSource& ids;
    net::Loops& loops;
    net::BlockingPool& pool;
    directory::Directory& directory;
    std::function<void(const std::string& login)> bounced{};  // for each recipient that failed of a message that a login submitted
};

/// What can be changed by a reload without touching what is under way.
struct Carriers {
    std::shared_ptr<const DispatcherOptions> options;
    std::shared_ptr<const route::Router> router;
    std::shared_ptr<SiteFinder> sites;
    std::shared_ptr<const SmtpCourier> smtp;
    std::shared_ptr<const Maildir> maildir;
};

/// Why a recipient waits, for `thurn queue`.
struct Waiting {
    std::string reason;
    std::optional<base::Time> until;
};

/// What an operator can do to the waiting recipients of a message.
enum class Change { retry, hold, release, remove };

class SiteFeed;

/// Carries every stored message to its end: routes its recipients, schedules them, sends couriers, records outcomes, writes bounces.
///
/// Life      accept() (fresh, content in memory) or a sweep of the spool (due) → routing → Scheduler → courier → outcome → spool; deferred
///           recipients leave memory and come back by a later sweep.
/// Contract  An outcome is recorded after the fact: a crash may repeat a delivery, never lose one. A bounce is durable before its recipient
///           is marked failed.
/// Threads   Lives on one executor, `home`. accept() from any thread; all else that is public on home.
class Dispatcher {
public:
    Dispatcher(DispatcherDependencies dependencies, queue::SchedulerOptions scheduler, Carriers carriers, net::asio::any_io_executor home);
    ~Dispatcher();

    [[nodiscard]] net::asio::any_io_executor home() const { return home_; }
    void accept(spool::StoredMessage&& message);

    void start();
    void configure(Carriers carriers) { carriers_ = std::move(carriers); }
    /// No new work; resumes when all that is under way has ended and is recorded, or when the time is over.
    [[nodiscard]] net::asio::awaitable<void> async_stop(std::chrono::milliseconds grace);

    /// The operator's hand: the number of recipients it touched. What a courier is carrying right now is left alone.
    [[nodiscard]] net::asio::awaitable<base::Result<std::size_t>> async_change(base::MessageId id, Change change);
    /// Whether the recipient's next hop would take mail for it, by asking; nothing is sent. True: 2yz to RCPT. False: 5yz that is about the
    /// address.
    /// Errors   Anything else, `detail` says what; `invalid`: no other server keeps its mail.
    [[nodiscard]] net::asio::awaitable<base::Result<bool>> async_ask_next_hop(mail::Mailbox recipient);
    [[nodiscard]] Waiting why(base::MessageId id, std::uint32_t index, const spool::RecipientState& state) const;
    [[nodiscard]] std::vector<queue::SiteView> sites() const { return scheduler_.sites(with_.clock.now()); }
    [[nodiscard]] std::size_t active() const { return active_.size(); }

private:
    friend class SiteFeed;
    template <class Value = void>
    using Awaitable = net::asio::awaitable<Value>;

    /// A message of which something is under way. Expansion and reload replace `message`, couriers keep theirs.
    struct Active {
        std::shared_ptr<const spool::StoredMessage> message;  // shared with parcels
        std::set<std::uint32_t> under_way;                    // recipients being loaded, routed, scheduled, carried or recorded
        std::set<std::uint32_t> scheduled;                    // of these, those no courier has taken yet
        std::map<std::uint32_t, mail::Mailbox> accounts;      // where those with a mailbox of ours go
    };
    struct Settlement {
        std::string site;  // empty: it never got as far
        Parcel parcel;
        std::vector<RecipientOutcome> outcomes;
    };
    /// Recipients of one message that go the same way; no destination for mailboxes of our own.
    struct Way {
        std::shared_ptr<const Destination> destination;
        std::vector<std::uint32_t> recipients;
    };
    struct Routing;
    /// A report to be written, and what is recorded once it is durable.
    struct Report {
        std::vector<report::DsnRecipient> recipients;
        std::vector<spool::RecipientUpdate> updates;
    };
    /// What the outcomes of one parcel come to.
    struct Verdicts {
        std::vector<spool::RecipientUpdate> updates;
        Report failures;
        std::vector<report::DsnRecipient> delays;
        std::vector<report::DsnRecipient> successes;
    };

    void take_arrivals();
    [[nodiscard]] std::shared_ptr<const spool::StoredMessage> hold(spool::StoredMessage&& message);
    void enter(std::shared_ptr<const spool::StoredMessage> message, std::vector<std::uint32_t> recipients);

    // dispatcher_routing.cc: where recipients go.
    Awaitable<> async_route(base::MessageId id, std::vector<std::uint32_t> recipients);
    void routing_failed(base::MessageId id, const std::vector<std::uint32_t>& recipients, const std::exception_ptr& trouble);
    Awaitable<> async_route_one(Routing& routing, std::uint32_t index);
    Awaitable<base::Result<route::Routed>> async_ask_router(std::shared_ptr<const route::Router> router,
                                                            std::shared_ptr<const spool::StoredMessage> message, std::uint32_t index);
    void take_direction(Routing& routing, std::uint32_t index, route::Routed routed);
    void find_sites(const std::shared_ptr<Routing>& routing);
    Awaitable<> async_find_site(std::shared_ptr<SiteFinder> sites, std::shared_ptr<Routing> routing, std::string key);
    Awaitable<> async_lose_patience(std::shared_ptr<Routing> routing);
    void site_found(Routing& routing, const std::string& key, const std::shared_ptr<const Destination>& destination);
    void set_out(Routing& routing);
    [[nodiscard]] bool is_crowded(const std::string& site) const;
    void postpone(base::MessageId id, const std::string& site, const std::vector<std::uint32_t>& recipients);
    Awaitable<> async_expand(Routing& routing, std::uint32_t index, route::Expansion expansion);
    void take_in_targets(Routing& routing, std::size_t known, base::Result<spool::StoredMessage> loaded);
    void schedule(base::MessageId id, const std::string& site, Way way);

    void offer_to_idle(const std::string& site);
    void forget_destinations();

    void pump();
    void start_courier(queue::Batch batch);
    Awaitable<queue::SiteOutcome> async_carry_remote(std::shared_ptr<const SmtpCourier> courier,
                                                     std::shared_ptr<const Destination> destination, std::shared_ptr<SiteFeed> feed);
    void courier_ended(const std::string& site, queue::SiteOutcome outcome, std::deque<Parcel> unsettled);
    std::deque<Parcel> make_parcels(const queue::Batch& batch);
    static void add_accounts(const Active& active, Parcel& parcel);
    void add_senders(Parcel& parcel);
    [[nodiscard]] std::string signature_of(std::string_view message) const;
    [[nodiscard]] std::optional<mail::Mailbox> rewritten_sender(const spool::Envelope& envelope, const spool::Recipient& recipient) const;
    std::deque<Parcel> take_more(const std::string& site);
    void no_longer_idle(const SiteFeed& feed);
    void defer_stale();

    // dispatcher_outcomes.cc: what becomes of a recipient.
    void settle_later(Settlement settlement);  // any thread
    void take_settlements();
    void settle(const Settlement& settlement);
    void settle(const Settlement& settlement, std::vector<spool::RecipientUpdate>& updates);
    void settle_alone(base::MessageId id, std::uint32_t index, RecipientOutcome::Kind kind, std::string status);
    void settle_one(const Settlement& settlement, std::size_t position, Verdicts& verdicts);
    void defer_or_expire(const spool::StoredMessage& message, std::uint32_t index, const RecipientOutcome& outcome,
                         spool::RecipientState state, Verdicts& verdicts);
    void give_up(const spool::StoredMessage& message, std::uint32_t index, const RecipientOutcome& outcome, spool::RecipientState state,
                 const char* word, Verdicts& verdicts);
    void log_outcome(std::string_view event, const spool::StoredMessage& message, const std::string& address,
                     const RecipientOutcome& outcome, const spool::RecipientState& state) const;
    void record(std::vector<spool::RecipientUpdate> updates);
    void recorded(std::vector<spool::RecipientUpdate> updates, const base::Result<void>& result);
    Awaitable<> async_record_again(std::vector<spool::RecipientUpdate> updates);
    void leave(base::MessageId id, std::uint32_t index);

    // dispatcher_reports.cc: who is told.
    void report_in_turn(Awaitable<> work, const char* name);
    Awaitable<> async_report(Awaitable<> work);
    void start_reports();
    [[nodiscard]] report::DsnRecipient describe_outcome(const spool::Recipient& recipient, const RecipientOutcome& outcome) const;
    [[nodiscard]] static bool success_is_told(const spool::StoredMessage& message, const spool::Recipient& recipient,
                                              const RecipientOutcome& outcome);
    [[nodiscard]] bool delay_is_told_now(const spool::StoredMessage& message, const spool::Recipient& recipient, base::Time due) const;
    Awaitable<> async_bounce(std::shared_ptr<const spool::StoredMessage> message, Report report);
    Awaitable<> async_tell(std::shared_ptr<const spool::StoredMessage> message, std::vector<report::DsnRecipient> recipients,
                           const char* what);
    Awaitable<base::Result<base::MessageId>> async_try_report(std::shared_ptr<const spool::StoredMessage> message,
                                                              std::vector<report::DsnRecipient> recipients);
    Awaitable<base::Result<base::MessageId>> async_send_report(std::shared_ptr<const spool::StoredMessage> message,
                                                               std::vector<report::DsnRecipient> recipients);
    void trace(base::MessageId id, trace::Body body);  // any thread

    // The spool, from a coroutine.
    Awaitable<> async_sweep_for_ever();
    Awaitable<bool> async_sweep();
    Awaitable<std::optional<std::vector<spool::DueRecipient>>> async_next_page();
    /// The next sweep begins anew: something due may lie behind it.
    void rewind_sweep() { rewind_ = true; }
    void spawn(Awaitable<> work, const char* name);
    Awaitable<> async_bring(base::MessageId id, std::vector<std::uint32_t> recipients);
    Awaitable<> async_defer_damaged(base::MessageId id, std::vector<std::uint32_t> recipients);
    Awaitable<base::Result<spool::StoredMessage>> async_load(base::MessageId id);
    Awaitable<base::Result<void>> async_update(std::vector<spool::RecipientUpdate> updates, spool::Sync sync);
    Awaitable<base::Result<spool::StoredMessage>> async_commit(std::unique_ptr<spool::Draft> draft, spool::Envelope envelope);

    DispatcherDependencies with_;
    Carriers carriers_;
    net::asio::any_io_executor home_;
    ContentBudget contents_;
    queue::Scheduler scheduler_;
    std::unordered_map<base::MessageId, Active> active_;
    std::unordered_map<std::string, std::shared_ptr<const Destination>> destinations_;  // of all sites with jobs, and of some without
    std::size_t forget_beyond_;                                                         // so many destinations
    std::unordered_map<std::string, queue::Overflow> overflows_;                        // of sites with too much to do
    std::unordered_map<std::string, std::vector<std::shared_ptr<SiteFeed>>> idle_;      // connections open to a site, without work
    base::Guarded<std::vector<spool::StoredMessage>> arrivals_;
    base::Guarded<std::vector<Settlement>> settlements_;
    net::asio::steady_timer sweep_timer_;
    std::optional<spool::DueRecipient> swept_;  // how far the sweep has come
    std::chrono::steady_clock::time_point swept_from_start_{};
    bool rewind_ = false;
    std::size_t couriers_ = 0;
    std::size_t unrecorded_ = 0;                                       // records on their way into the spool
    std::size_t reports_ = 0;                                          // being written
    std::deque<std::pair<Awaitable<>, const char*>> reports_in_line_;  // each with its name for the log
    std::atomic<bool> stopping_ = false;                               // read by couriers, too
};

}  // namespace thurn::delivery
