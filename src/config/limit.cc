#include "config/limit.h"

#include "base/ascii.h"
#include "base/octets.h"
#include "config/duration.h"

#include <fmt/format.h>

namespace thurn::config {

namespace {

constexpr std::uint64_t kMostThings = 1'000'000'000'000;

std::unexpected<base::Error> no_limit(base::ErrorKind kind, std::string_view text, std::string_view why) {
    return base::fail(kind, fmt::format("\"{}\" is no limit: {}; write 500/1h, 20/1m or 100MiB/1d", text, why));
}

}  // namespace

base::Result<policy::Limit> parse_limit(std::string_view text) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) return no_limit(base::ErrorKind::syntax, text, "it has no slash");
    const auto amount_text = text.substr(0, slash);
    const auto amount = base::parse_octets(amount_text);
    if (!amount) return no_limit(amount.error().kind, text, amount.error().detail);
    const auto period = parse_duration(text.substr(slash + 1));
    if (!period) return no_limit(period.error().kind, text, period.error().detail);
    if (amount->count == 0 || period->count() == 0) return no_limit(base::ErrorKind::invalid, text, "neither half may be 0");
    const bool things = amount_text.find_first_not_of("0123456789") == std::string_view::npos;
    if (things && amount->count > kMostThings) return no_limit(base::ErrorKind::too_long, text, "that many never come");
    return policy::Limit{.amount = static_cast<double>(amount->count),
                         .period = *period,
                         .of = things ? policy::Limit::Of::things : policy::Limit::Of::octets};
}

std::string render_limit(const policy::Limit& limit) {
    const auto amount = static_cast<std::uint64_t>(limit.amount);
    const auto text = limit.of == policy::Limit::Of::octets ? base::render_octets({amount}) : fmt::format("{}", amount);
    return text + "/" + render_duration(limit.period);
}

}  // namespace thurn::config
