#pragma once

#include "base/random.h"
#include "dns/dns.h"
#include "route/address.h"
#include "route/next_hop.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace thurn::route {

struct HostAddress {
    std::string host;
    Address address;
    std::uint16_t port = 25;
    std::uint16_t preference = 0;  // of its MX
    std::string socket = {};       // the path of a local socket, in place of address and port
    friend auto operator<=>(const HostAddress&, const HostAddress&) = default;
};

/// Where to try, in order; or why there is nowhere.
/// Shape  `site` names the set of hosts, the same for all domains that share them, whatever order answers came in, and in words that people
///        are shown: `MX a.example, b.example` sorted, or `a.example port 587`. Empty when `problem` is set.
struct Hosts {
    std::string site;
    std::vector<HostAddress> addresses;  // never empty when `problem` is empty
    std::optional<Unroutable> problem;   // see HostFinder, Nowhere
    std::string reason;                  // for the trace: `MX 10 a.example, 20 b.example (us)` or `no MX, address of d.example`
};

/// Who we are, so that mail does not go round in circles.
struct Ourselves {
    std::string hostname;
    std::vector<Address> addresses;  // all addresses we listen on for port 25, wildcards resolved
};

/// Finds the hosts for a next hop, without I/O (RFC 5321 §5.1, RFC 7505).
///
/// Loop       questions() gives what must be asked now (may be several, in parallel); answer each; repeat until done().
/// MX         Lowest preference first, equals in random order; hosts of our own preference and worse are dropped when we are among them
///            (RFC 5321 §5.1). A CNAME as the mail domain is followed; without MX the domain's own addresses count; a lone MX "." is null.
/// Skipped    MX whose exchange is an IP address or no host name, and those without addresses; of several, a ".".
/// Ourselves  A host with our name or one of our addresses, or with none but loopback and unspecified addresses (127/8, 0/8, ::1, ::): to
///            connect there would be to talk to ourselves, whatever a foreign zone says. Such addresses are never yielded for a ByMx.
/// Nowhere    556 5.1.10 null MX; 550 5.1.2 no such domain, or neither MX nor address; 550 5.4.4 no MX host has an address; 554 5.4.6 loop.
///            Deferred: 451 4.4.3 when DNS failed and no other host is left; 451 4.4.4 when a configured host has no address (a slip there
///            must not bounce mail), or may have one of a family that is switched off.
/// Order      Of one host, IPv6 and IPv4 addresses alternate, IPv6 first unless `prefer_ipv4`.
/// Limits     The 20 best MX hosts, 10 addresses of each host and 40 in all are used.
class HostFinder {
public:
    struct Options {
        bool ipv6 = true;
        bool ipv4 = true;
        bool prefer_ipv4 = false;
    };
    HostFinder(const ByMx& hop, const Ourselves& ourselves, base::Random& random, Options options);
    HostFinder(const ToHost& hop, base::Random& random, Options options);
    [[nodiscard]] std::vector<dns::Question> questions();
    void answer(const dns::Question& question, const dns::Answer& answer);
    [[nodiscard]] bool done() const;
    [[nodiscard]] Hosts take();  // Precondition: done()
    ~HostFinder();
    HostFinder(HostFinder&&) noexcept;
    HostFinder& operator=(HostFinder&&) noexcept;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace thurn::route
