#include "mail/status.h"

#include "base/ascii.h"

#include <charconv>

#include <fmt/format.h>

namespace thurn::mail {
namespace {

constexpr std::size_t kMaxDigits = 3;  // RFC 3463 §2

bool skip_dot(std::string_view& text) {
    if (!text.starts_with('.')) return false;
    text.remove_prefix(1);
    return true;
}

/// Takes a dot and one to three digits off the front.
std::optional<std::uint16_t> take_part(std::string_view& text) {
    if (!skip_dot(text)) return std::nullopt;
    const std::string_view window = text.substr(0, kMaxDigits);
    std::uint16_t number = 0;
    const auto [end, problem] = std::from_chars(window.data(), window.data() + window.size(), number);
    if (problem != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - window.data()));
    return number;
}

}  // namespace

std::string render_status(const EnhancedStatus& status) {
    return fmt::format("{}.{}.{}", status.status_class, status.subject, status.detail);
}

std::optional<EnhancedStatus> leading_status(std::string_view text) {
    if (text.empty() || !std::string_view("245").contains(text.front())) return std::nullopt;
    const auto status_class = static_cast<std::uint16_t>(text.front() - '0');
    text.remove_prefix(1);
    const auto subject = take_part(text);
    const auto detail = subject ? take_part(text) : std::nullopt;
    if (!detail || (!text.empty() && text.front() != ' ')) return std::nullopt;
    return EnhancedStatus{status_class, *subject, *detail};
}

}  // namespace thurn::mail
