#pragma once

#include "mail/status.h"
#include "smtp/reply.h"

#include <cstdint>
#include <string_view>

namespace thurn::smtp {

/// A reply fixed at compile time.
struct FixedReply {
    std::uint16_t code;
    mail::EnhancedStatus status;
    std::string_view text;
};
[[nodiscard]] Reply to_reply(const FixedReply& fixed);

}  // namespace thurn::smtp
