#pragma once

#include "base/log.h"
#include "delivery/parcel.h"
#include "mailauth/signatory.h"
#include "net/loops.h"
#include "net/proxy_out.h"
#include "net/tls.h"
#include "smtp/client_session.h"

#include <memory>
#include <optional>
#include <string>

#include <boost/asio/awaitable.hpp>

namespace thurn::delivery {

struct SmtpCourierOptions {
    std::string hello_name;
    std::chrono::milliseconds connect_timeout = std::chrono::seconds(30);
    std::chrono::milliseconds idle = std::chrono::seconds(2);  // a connection waits that long for more parcels
    std::size_t messages_per_connection = 1000;
    std::chrono::seconds greeting_timeout{300}, command_timeout{300}, content_timeout{180}, ending_timeout{600};  // RFC 5321 §4.5.3.2
    /// Of single commands; as command_timeout where not given, that for DATA at most two minutes.
    std::optional<std::chrono::seconds> hello_timeout = {}, mail_timeout = {}, rcpt_timeout = {}, data_timeout = {};
    std::vector<route::Address> sources = {};                   // to connect from, at most one of each family, where a route does not say
    std::chrono::milliseconds head_start{300};                  // before a second address is tried beside the first (RFC 8305 §5)
    smtp::Chunking chunking = smtp::Chunking::when_offered;     // LMTP is spoken with DATA where it can be
    base::Random* random = nullptr;                             // for SCRAM, which is not used without it
    std::shared_ptr<const mailauth::Signatory> signatory = {};  // signs anew what was converted
};

/// How to reach a site: its hosts in order, and what is asked of them.
struct Destination {
    route::Hosts hosts;
    route::TlsDemand tls = route::TlsDemand::may;
    bool implicit_tls = false;
    std::optional<smtp::ClientCredentials> credentials;
    smtp::Protocol protocol = smtp::Protocol::smtp;
    std::shared_ptr<const route::Egress> egress = {};  // null: as everybody's; shared with the route
    std::shared_ptr<const net::ProxyOut> proxy = {};   // that of `egress`, found; shared with connections
};

/// Carries parcels to one site over one connection after another, until none is left.
///
/// Hosts    Tried in order until one takes the connection and greets. 4yz at the greeting or EHLO, a time-out and a broken connection go on
///          to the next; a 5yz greeting does too, and counts as deferred at the end (RFC 5321 §4.2.4.2: 554 at connect, other hosts may
///          differ).
/// Address  A host that has not taken the connection after `head_start` gets company: the next address of its MX preference is tried too, and
///          whichever connects first is used. Never more than two at once, and none where a proxy or a local socket stands between.
/// LIMITS   MAILMAX ends a connection early, RCPTMAX and RCPTDOMAINMAX part a parcel into several transactions (RFC 9422).
/// LMTP     Each recipient has its own reply to the content; one that was given stands, whatever becomes of the connection behind it.
/// Parcel   4yz defers and 5yz fails each recipient for itself. A connection lost before the final dot: the parcel is tried on the next
///          host; lost behind it: deferred (it may be delivered twice, never lost).
/// TLS      `may`: a failed handshake is followed by a connection to the same host without STARTTLS. `encrypt`, `verify`: deferred with
///          4.7.5 without it.
/// Result   `unreachable` when no host could be spoken to; then the parcels at hand were settled as deferred.
/// Threads  One courier runs on one loop; many may share this object.
class SmtpCourier {
public:
    /// The contexts: for opportunistic use, and verifying. All references outlive the courier's coroutines.
    SmtpCourier(SmtpCourierOptions options, std::shared_ptr<const net::TlsContext> opportunistic,
                std::shared_ptr<const net::TlsContext> verifying, net::BlockingPool& pool, base::Log& log);
    [[nodiscard]] boost::asio::awaitable<queue::SiteOutcome> async_carry(std::shared_ptr<const Destination> destination,
                                                                         std::shared_ptr<ParcelSource> parcels) const;
    /// Whether the site would take mail for the recipient: the first host's reply to RCPT that gives one, from the null sender and without a
    /// message. 4yz is a reply too.
    /// Errors   `detail` says what the last host said or did, where none gave an answer; `refused`: to our sender, which says nothing about
    ///          the recipient.
    [[nodiscard]] boost::asio::awaitable<base::Result<smtp::Reply>> async_ask(std::shared_ptr<const Destination> destination,
                                                                              mail::Mailbox recipient) const;

private:
    SmtpCourierOptions options_;
    std::shared_ptr<const net::TlsContext> opportunistic_;
    std::shared_ptr<const net::TlsContext> verifying_;
    net::BlockingPool& pool_;
    base::Log& log_;
};

}  // namespace thurn::delivery
