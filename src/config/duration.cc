#include "config/duration.h"

#include <array>
#include <charconv>

#include <fmt/format.h>

namespace thurn::config {

namespace {

struct Unit {
    char letter;
    std::chrono::seconds length;
};
constexpr std::array kUnits{Unit{'d', std::chrono::hours(24)}, Unit{'h', std::chrono::hours(1)}, Unit{'m', std::chrono::minutes(1)},
                            Unit{'s', std::chrono::seconds(1)}};
constexpr std::chrono::seconds kLongest = std::chrono::hours(24 * 366 * 10);

}  // namespace

base::Result<std::chrono::seconds> parse_duration(std::string_view text) {
    std::uint64_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc{} || end + 1 != text.data() + text.size())
        return base::fail(base::ErrorKind::syntax, fmt::format("\"{}\" is no duration; write 30s, 5m, 4h or 5d", text));
    for (const auto& unit : kUnits) {
        if (*end != unit.letter) continue;
        if (count > static_cast<std::uint64_t>(kLongest / unit.length))
            return base::fail(base::ErrorKind::too_long, fmt::format("\"{}\" is longer than ten years", text));
        return unit.length * static_cast<std::int64_t>(count);
    }
    return base::fail(base::ErrorKind::syntax, fmt::format("\"{}\" has no unit thurn knows; write 30s, 5m, 4h or 5d", text));
}

std::string render_duration(std::chrono::seconds duration) {
    for (const auto& unit : kUnits)
        if (duration.count() != 0 && duration % unit.length == std::chrono::seconds(0))
            return fmt::format("{}{}", duration / unit.length, unit.letter);
    return "0s";
}

}  // namespace thurn::config
