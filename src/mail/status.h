#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace thurn::mail {

/// An enhanced status code, `5.1.1`.
/// Shape    `status_class` is 2, 4 or 5; `subject` and `detail` are 0..999.
/// Source   RFC 3463 §2; which codes there are: RFC 5248 and its registry.
struct EnhancedStatus {
    std::uint16_t status_class = 0;
    std::uint16_t subject = 0;
    std::uint16_t detail = 0;
    friend auto operator<=>(const EnhancedStatus&, const EnhancedStatus&) = default;
};

[[nodiscard]] std::string render_status(const EnhancedStatus& status);
/// Reads one at the front of `text`, where a space or the end must follow; nothing otherwise.
[[nodiscard]] std::optional<EnhancedStatus> leading_status(std::string_view text);

}  // namespace thurn::mail
