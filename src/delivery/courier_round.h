#pragma once

#include "delivery/connection.h"
#include "delivery/fitting.h"
#include "delivery/smtp_courier.h"

#include <chrono>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

namespace thurn::delivery {

/// One run of an SmtpCourier: parcel after parcel over one connection after another.
///
/// Hosts    One that failed stays out. When all have, they get a new chance if mail went through since the last one; if none did, the site
///          is unreachable, and the parcels the source has ready are deferred.
/// Threads  One loop.
class CourierRound {
public:
    struct Means {
        const SmtpCourierOptions& options;
        const std::shared_ptr<const net::TlsContext>& opportunistic;
        const std::shared_ptr<const net::TlsContext>& verifying;
        net::BlockingPool& pool;
        base::Log& log;
    };
    CourierRound(Means means, boost::asio::any_io_executor executor, std::shared_ptr<const Destination> destination,
                 std::shared_ptr<ParcelSource> parcels);
    [[nodiscard]] boost::asio::awaitable<queue::SiteOutcome> async_run();
    /// Instead of all that: as SmtpCourier::async_ask(). There need be no parcels.
    [[nodiscard]] boost::asio::awaitable<Connection::Outcome<Connection::Answered>> async_ask(mail::Mailbox recipient);

private:
    using Opened = Connection::Outcome<std::unique_ptr<Connection>>;
    /// What is known of one of the destination's hosts.
    struct Standing {
        bool failed = false;
        bool tls_failed = false;  // with TlsDemand::may: it is spoken to in clear
        bool slow = false;        // another address connected before it: it is tried last
        bool no_chunks = false;   // it offered CHUNKING and did not know BDAT
        bool insecure = false;    // `failed`, and only for lack of TLS that can be trusted: no STARTTLS, or a certificate not verified
    };
    /// A connection, not greeted yet.
    struct Dialled {
        std::size_t host;
        net::Tunnel tunnel;
    };
    /// A parcel under way. `open`: positions in parcel.recipients without a final outcome.
    struct Load {
        const Parcel& parcel;
        std::vector<RecipientOutcome> outcomes;
        std::vector<std::size_t> open;
        InDoubtMark mark;
        std::string remark;                         // for the trace: what was done to the content
        std::vector<std::size_t> set_aside = {};    // hosts without REQUIRETLS, for a message that asks for it
        std::optional<RecipientOutcome> lack = {};  // what the last of those lacked
    };
    using Converted = base::Result<std::shared_ptr<const spool::Content>>;

    boost::asio::awaitable<void> async_carry(Parcel parcel);
    boost::asio::awaitable<bool> async_connect(const Load& load);
    boost::asio::awaitable<std::optional<Dialled>> async_dial(std::size_t host, const Parcel& parcel);
    boost::asio::awaitable<std::optional<Dialled>> async_race(std::size_t host, std::size_t rival, const Parcel& parcel);
    boost::asio::awaitable<Opened> async_begin(Dialled dialled, const Parcel& parcel);
    boost::asio::awaitable<void> async_attempt(Load& load);
    boost::asio::awaitable<void> async_drop();

    boost::asio::awaitable<void> async_defer_rest();

    [[nodiscard]] bool all_failed() const;
    [[nodiscard]] bool may_try(std::size_t host, const Load& load) const;
    [[nodiscard]] std::optional<std::size_t> next_host(const Load& load) const;
    [[nodiscard]] std::optional<std::size_t> rival_of(std::size_t host, const Load& load) const;
    [[nodiscard]] ConnectionOptions connection_options(std::size_t host) const;
    [[nodiscard]] bool may_speak_in_clear() const;
    [[nodiscard]] bool verified() const;
    boost::asio::awaitable<Converted> async_convert(const Load& load, mail::Passage passage);
    [[nodiscard]] RecipientOutcome unconverted(const base::Error& error) const;
    [[nodiscard]] bool others_may_differ(const Load& load, const RecipientOutcome& refused) const;
    boost::asio::awaitable<void> async_set_aside(Load& load, RecipientOutcome refused);
    [[nodiscard]] RecipientOutcome without_host(const Load& load) const;
    void note_attempt(const Load& load, const RecipientOutcome& outcome, std::string result);
    void settle_untried(Load& load, const RecipientOutcome& outcome);
    [[nodiscard]] RecipientOutcome::Handed handed_to() const;
    [[nodiscard]] bool sends_chunks(std::size_t host) const;
    void take_replies(Load& load, const Connection::HandedOver& handed, std::chrono::milliseconds took);
    void take_failure(Load& load, const Failure& failure, std::chrono::milliseconds took);
    [[nodiscard]] std::vector<std::size_t> set_apart(Load& load) const;
    [[nodiscard]] static std::size_t bring_sender_forward(Load& load);
    [[nodiscard]] static std::size_t bring_domains_forward(Load& load, std::size_t fitting, std::size_t most);
    void settle_open(Load& load, const RecipientOutcome& outcome);
    void note_failed_host(const Parcel& parcel, std::size_t host, const Failure& failure, std::chrono::milliseconds took);

    Means means_;
    boost::asio::any_io_executor executor_;
    std::shared_ptr<const Destination> destination_;
    std::shared_ptr<ParcelSource> parcels_;
    std::vector<Standing> standings_;  // of destination_->hosts.addresses
    std::vector<boost::asio::ip::address> sources_;
    std::unique_ptr<Connection> connection_;
    std::size_t current_ = 0;  // the host connection_ leads to
    std::size_t messages_per_connection_;
    RecipientOutcome last_failure_;
    bool worked_ = false;  // a transaction got its final answer since the hosts last got a new chance
};

}  // namespace thurn::delivery
