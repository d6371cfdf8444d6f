#pragma once

#include "base/log.h"
#include "delivery/parcel.h"
#include "net/loops.h"
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
    base::Random* random = nullptr;  // for SCRAM, which is not used without it
};

/// How to reach a site: its hosts in order, and what is asked of them.
struct Destination {
    route::Hosts hosts;
    route::TlsDemand tls = route::TlsDemand::may;
    bool implicit_tls = false;
    std::optional<smtp::ClientCredentials> credentials;
    smtp::Protocol protocol = smtp::Protocol::smtp;
};

/// Carries parcels to one site over one connection after another, until none is left.
///
/// Hosts    Tried in order until one takes the connection and greets. 4yz at the greeting or EHLO, a time-out and a broken connection go on
///          to the next; a 5yz greeting does too, and counts as deferred at the end (RFC 5321 §4.2.4.2: 554 at connect, other hosts may
///          differ).
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

private:
    SmtpCourierOptions options_;
    std::shared_ptr<const net::TlsContext> opportunistic_;
    std::shared_ptr<const net::TlsContext> verifying_;
    net::BlockingPool& pool_;
    base::Log& log_;
};

}  // namespace thurn::delivery
