#include "base/message_id.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace thurn::base {
namespace {

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::size_t kTextLength = 13;
constexpr unsigned kNodeShift = 12;
constexpr unsigned kTimeShift = 22;
constexpr std::uint64_t kCounterMask = (std::uint64_t{1} << kNodeShift) - 1;
constexpr std::uint64_t kNodeMask = (std::uint64_t{1} << (kTimeShift - kNodeShift)) - 1;
constexpr std::uint8_t kNoDigit = 0xff;

constexpr auto kDigits = [] {
    std::array<std::uint8_t, 256> digits{};
    digits.fill(kNoDigit);
    for (std::uint8_t i = 0; i < kAlphabet.size(); ++i) {
        const auto letter = static_cast<unsigned char>(kAlphabet[i]);
        digits[letter] = i;
        if (letter >= 'A') digits[letter | 0x20U] = i;
    }
    digits['I'] = digits['i'] = digits['L'] = digits['l'] = 1;
    digits['O'] = digits['o'] = 0;
    return digits;
}();

/// Where the counting of a source begins: the next id must be over `after`, even where `after` is of a higher node.
std::uint64_t counter_after(MessageId after, std::uint64_t node) {
    const std::uint64_t time = (after.value >> kTimeShift) << kNodeShift;
    const bool of_higher_node = ((after.value >> kNodeShift) & kNodeMask) > node;
    return time | (of_higher_node ? kCounterMask : after.value & kCounterMask);
}

}  // namespace

std::string MessageId::text() const {
    std::string text(kTextLength, '0');
    std::uint64_t rest = value;
    for (std::size_t i = kTextLength; i-- > 0; rest >>= 5) text[i] = kAlphabet[rest & 31];
    return text;
}

Result<MessageId> parse_message_id(std::string_view text) {
    if (text.size() != kTextLength) return fail(ErrorKind::syntax, "a message id has 13 characters");
    std::uint64_t value = 0;
    for (const char c : text) {
        const std::uint8_t digit = kDigits[static_cast<unsigned char>(c)];
        if (digit == kNoDigit) return fail(ErrorKind::syntax, "a message id has only digits and letters, without U");
        if (value >> 59 != 0) return fail(ErrorKind::syntax, "a message id has 64 bits");
        value = value << 5 | digit;
    }
    return MessageId{value};
}

MessageIdSource::MessageIdSource(const Clock& clock, std::uint16_t node, MessageId after)
    : clock_(clock), node_(node & kNodeMask), last_(counter_after(after, node_)) {}

// `last_` counts on when the clock stands or steps back; over 4096 ids in one millisecond borrow from the next.
MessageId MessageIdSource::next() {
    const auto now = std::max<std::int64_t>(clock_.now().time_since_epoch().count(), 0);
    const std::uint64_t earliest = static_cast<std::uint64_t>(now) << kNodeShift;
    std::uint64_t last = last_.load(std::memory_order_relaxed);
    std::uint64_t mine = 0;
    do {
        mine = std::max(earliest, last + 1);
    } while (!last_.compare_exchange_weak(last, mine, std::memory_order_relaxed));
    return MessageId{(mine >> kNodeShift) << kTimeShift | node_ << kNodeShift | (mine & kCounterMask)};
}

}  // namespace thurn::base
