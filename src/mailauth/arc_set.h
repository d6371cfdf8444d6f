#pragma once

#include "base/result.h"
#include "mailauth/dkim_message.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::mailauth {

inline constexpr unsigned kMaxArcSets = 50;  // RFC 8617 §4.2.1

/// The three fields that one intermediary added: numbers of fields in the header (RFC 8617 §4.1).
struct ArcSet {
    std::size_t results;            // ARC-Authentication-Results
    std::size_t message_signature;  // ARC-Message-Signature
    std::size_t seal;               // ARC-Seal
};

/// The sets of a message, instance 1 first; none where it has no ARC field.
/// Errors   `invalid`: a field without an instance from 1 to 50, two of a kind in one set, a set or an instance that is not whole.
[[nodiscard]] base::Result<std::vector<ArcSet>> collect_arc_sets(const MessageHeader& header);

/// The highest instance any ARC field names, even of a chain that is broken; 0 without one. At most 50.
[[nodiscard]] unsigned highest_arc_instance(const MessageHeader& header);

/// The `i=` that begins an ARC-Authentication-Results; 0 where there is none from 1 to 50. `rest` becomes what stands behind its semicolon.
[[nodiscard]] unsigned read_arc_results_instance(std::string_view value, std::string_view& rest);

/// What a seal covers: the sets in order, of each results, message signature and seal, the last seal without its `b=` (RFC 8617 §5.1.1).
/// `raw` are whole fields without their last CRLF, three for each set. Precondition: not empty.
[[nodiscard]] std::string arc_seal_digest(const std::vector<std::string_view>& raw);

}  // namespace thurn::mailauth
