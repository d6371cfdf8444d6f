#pragma once

#include "base/octets.h"
#include "smtp/reply.h"
#include "smtp/server_extensions.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace thurn::smtp {

/// LIMITS of the server (RFC 9422): per connection, per message, and recipient domains per message.
struct OfferedLimits {
    std::optional<std::uint32_t> messages;
    std::optional<std::uint32_t> recipients;
    std::optional<std::uint32_t> recipient_domains;
    friend bool operator==(const OfferedLimits&, const OfferedLimits&) = default;
};

/// What the server listed after EHLO.
struct Extensions {
    bool extended = false;  // it answered EHLO at all
    bool pipelining = false;
    bool eight_bit_mime = false;
    bool enhanced_status = false;
    bool starttls = false;
    std::optional<base::Octets> size;  // 0: offered without a limit
    std::vector<std::string> auth;     // mechanisms, upper case
    bool chunking = false;
    bool binary_mime = false;
    bool smtputf8 = false;
    bool dsn = false;
    bool require_tls = false;
    std::optional<FutureRelease> future_release;
    std::optional<std::chrono::seconds> deliver_by;  // the least it takes with BY=…;R; 0: any
    std::optional<std::string> mt_priority;          // the name of its profile, or nothing in it
    OfferedLimits limits;
};

/// Reads a positive reply to EHLO (RFC 5321 §4.1.1.1). What is not known or malformed is passed over. `AUTH=`, as old servers write it,
/// is read as AUTH.
[[nodiscard]] Extensions parse_extensions(const Reply& reply);

}  // namespace thurn::smtp
