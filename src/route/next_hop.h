#pragma once

#include "mail/mailbox.h"
#include "route/egress.h"
#include "smtp/protocol.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace thurn::route {

/// How sure of the other side a connection must be (`tls` of a route). `may`: STARTTLS if offered, whatever the certificate; clear text
/// otherwise.
enum class TlsDemand { none, may, encrypt, verify };

/// Into a mailbox of ours.
struct LocalMailbox {
    mail::Mailbox account;
    std::string detail;
};
/// An alias: these take the recipient's place.
struct Expansion {
    std::string alias;
    std::vector<mail::Mailbox> targets;
};
/// To the MX hosts of a domain, to be looked up by resolve_hosts(). `egress`: null for everybody's way out; shared by all mail of a route.
struct ByMx {
    std::string domain;
    TlsDemand tls = TlsDemand::may;
    std::shared_ptr<const Egress> egress = {};
};
/// To one configured host (smarthost). Its addresses are looked up, its MX is not. `socket`: the path of a local socket, which takes the place
/// of host and port. `account`: who gets the mail there, where that is not the recipient itself.
struct ToHost {
    std::string host;
    std::uint16_t port = 25;
    bool implicit_tls = false;
    TlsDemand tls = TlsDemand::may;
    std::string credentials_reference;
    smtp::Protocol protocol = smtp::Protocol::smtp;
    std::string socket = {};
    std::optional<mail::Mailbox> account = std::nullopt;
    std::shared_ptr<const Egress> egress = {};
};
/// Nowhere. `permanent` bounces; otherwise it is tried again later.
struct Unroutable {
    bool permanent;
    std::string status;
};  // as an outcome has it: `550 5.1.1 no such mailbox here`
/// Thrown away, by explicit configuration only.
struct Discarded {};

using NextHop = std::variant<LocalMailbox, Expansion, ByMx, ToHost, Unroutable, Discarded>;

struct Routed {
    NextHop hop;
    std::string reason;  // the rule that decided, for the trace: `[[route]] 2 (thurn.toml:31)`, `local domain`, `MX`
};

}  // namespace thurn::route
