#pragma once

#include "base/clock.h"
#include "base/octets.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace thurn::smtp {

/// How long a server holds a message back at its sender's wish (RFC 4865 §3).
struct FutureRelease {
    std::chrono::seconds interval{};  // HOLDFOR= may be up to this
    base::Time until;                 // HOLDUNTIL= may be up to this
    friend bool operator==(const FutureRelease&, const FutureRelease&) = default;
};

/// What the server side offers beside STARTTLS and AUTH: what is on is listed after EHLO and understood, what is off is neither.
///
/// Shape    The defaults are what needs nobody's help above the session. Everything else is off until the layers that must act on it do.
struct ServerExtensions {
    bool pipelining = true;                                         // RFC 2920
    bool size = true;                                               // RFC 1870; the value is ServerOptions::message_size
    bool eight_bit_mime = true;                                     // RFC 6152
    bool chunking = false;                                          // RFC 3030 §2
    bool binary_mime = false;                                       // RFC 3030 §3; only with chunking
    bool smtputf8 = false;                                          // RFC 6531
    bool limits = false;                                            // RFC 9422; the values are ServerOptions::recipients and messages
    bool dsn = false;                                               // RFC 3461
    bool require_tls = false;                                       // RFC 8689; listed only while TLS is active
    std::optional<FutureRelease> future_release = std::nullopt;     // RFC 4865
    std::optional<std::chrono::seconds> deliver_by = std::nullopt;  // RFC 2852: the least BY=…;R taken; 0: any
    std::optional<std::string> mt_priority = std::nullopt;          // RFC 6710: the name of the profile; empty: none is named
    bool vrfy = false;                                              // VerifyWanted; off: 252 2.1.5 to every VRFY
    bool expn = false;                                              // ExpandWanted; off: 502 5.5.1
    bool etrn = false;                                              // RFC 1985: QueueRunWanted
    bool xclient = false;                                           // for clients that may tell who their client is, and for no others
    bool xforward = false;                                          // the same
};

/// RFC 3030 §3: binary content comes by BDAT only.
[[nodiscard]] constexpr bool takes_binary(const ServerExtensions& extensions) { return extensions.chunking && extensions.binary_mime; }

/// Whether octets go in clear.
enum class Transport : std::uint8_t { clear, tls };

/// Limits that EHLO tells; 0: none.
struct AnnouncedLimits {
    base::Octets message_size;
    std::size_t recipients = 0;
    std::size_t messages = 0;
};

/// What EHLO lists, one line each, appended to `lines`.
void append_extensions(const ServerExtensions& extensions, const AnnouncedLimits& limits, Transport transport,
                       std::vector<std::string>& lines);

}  // namespace thurn::smtp
