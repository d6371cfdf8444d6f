#pragma once

#include "base/result.h"
#include "trace/event.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace thurn::trace {

/// An event as the journal stores it.
///
/// Shape  id and time, 8 octets each, little-endian; one octet for the kind of body (its index in `Body`); its fields as fields.h has them:
///        numbers as LEB128, times likewise in milliseconds (zigzag), texts with their length before them, lists with their count. Fields
///        missing at the end keep their defaults, and octets behind the last known field are passed over: so fields can be added.
inline constexpr std::size_t kEventHeadSize = 17;
inline constexpr std::size_t kMaxEventText = 8192;      // longer texts are cut
inline constexpr std::size_t kMaxEventSize = 1U << 20;  // about; further elements of a list are left out

/// Appends the event; control octets in its texts are replaced.
void append_event(std::string& out, const Event& event);

/// Id and time alone, without a look at the rest.
struct EventHead {
    base::MessageId id;
    base::Time at{};
};
/// Errors   `corrupt`: too short.
[[nodiscard]] base::Result<EventHead> decode_head(std::string_view octets);
/// Errors   `corrupt`: cut short inside a field, or of no known kind.
[[nodiscard]] base::Result<Event> decode_event(std::string_view octets);

}  // namespace thurn::trace
