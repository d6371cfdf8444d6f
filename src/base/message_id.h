#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <atomic>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace thurn::base {

/// Names one accepted message: in the 250, the log, `Received:` and the trace.
///
/// Shape    64 bits: 42 of milliseconds since 1970 (until 2109), 10 of node, 12 of counter; so ids sort by time and
///          are unique per cluster. As text, 13 characters of Crockford base32, which sort the same way.
/// Threads  A plain value.
struct MessageId {
    std::uint64_t value = 0;

    [[nodiscard]] std::string text() const;
    /// The millisecond in which it was made.
    [[nodiscard]] Time time() const { return Time(std::chrono::milliseconds(value >> 22)); }
    friend auto operator<=>(MessageId, MessageId) = default;
};

/// Errors   `syntax`: not 13 characters of Crockford base32 (either case; I and L read as 1, O as 0), or over 64 bits.
[[nodiscard]] Result<MessageId> parse_message_id(std::string_view text);

/// Makes ids that only ever grow, even when the clock steps back.
///
/// Threads  next() may be called from many.
class MessageIdSource {
public:
    /// `after`: the newest id known from before; `node` below 1024. Precondition: `clock` outlives the source.
    MessageIdSource(const Clock& clock, std::uint16_t node, MessageId after);
    [[nodiscard]] MessageId next();

private:
    const Clock& clock_;
    std::uint64_t node_;
    std::atomic<std::uint64_t> last_;  // milliseconds and counter, without the node
};

}  // namespace thurn::base

template <>
struct std::hash<thurn::base::MessageId> {
    std::size_t operator()(thurn::base::MessageId id) const noexcept { return std::hash<std::uint64_t>{}(id.value * 0x9e3779b97f4a7c15U); }
};
