#pragma once

#include "base/octets.h"
#include "smtp/reply.h"

#include <optional>
#include <string>
#include <vector>

namespace thurn::smtp {

/// What the server listed after EHLO.
struct Extensions {
    bool extended = false;  // it answered EHLO at all
    bool pipelining = false;
    bool eight_bit_mime = false;
    bool enhanced_status = false;
    bool starttls = false;
    std::optional<base::Octets> size;  // 0: offered without a limit
    std::vector<std::string> auth;     // mechanisms, upper case
};

/// Reads a positive reply to EHLO (RFC 5321 §4.1.1.1). What is not known or malformed is passed over. `AUTH=`, as old servers write it,
/// is read as AUTH.
[[nodiscard]] Extensions parse_extensions(const Reply& reply);

}  // namespace thurn::smtp
