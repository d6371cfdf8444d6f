#pragma once

namespace thurn::smtp {

/// LMTP is SMTP with LHLO, and with a reply for each recipient after the content (RFC 2033).
enum class Protocol { smtp, lmtp };

}  // namespace thurn::smtp
